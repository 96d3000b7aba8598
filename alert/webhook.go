package alert

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	hookTimeout = 10 * time.Second // for one POST with its answer
	maxHead     = 64 << 10         // of an answer
	maxBody     = 1 << 10          // of an answer; what follows is not read
)

// payload is the form that the package's comment promises.
type payload struct {
	Host    string   `json:"host"`
	Text    string   `json:"text"`
	Changes []change `json:"changes"`
	Dropped int      `json:"dropped"`
}

type change struct {
	Time      string  `json:"time"`
	Backend   string  `json:"backend"`
	Server    string  `json:"server"`
	State     string  `json:"state"`
	Reason    string  `json:"reason"`
	LastState float64 `json:"last_state_seconds"`
	Left      int     `json:"servers_left"`
	Backups   int     `json:"backups_left"`
}

func newPayload(host string, b batch) payload {
	p := payload{Host: host, Text: headline(host, b), Dropped: b.dropped}
	for _, e := range b.events {
		p.Changes = append(p.Changes, change{
			Time:      e.At.UTC().Format("2006-01-02T15:04:05.000Z"),
			Backend:   e.Backend,
			Server:    e.Server,
			State:     strings.ToLower(word(e.Up)),
			Reason:    e.Reason,
			LastState: math.Round(e.LastState.Seconds()*1000) / 1000,
			Left:      e.Left,
			Backups:   e.Backups,
		})
	}
	return p
}

// hook tells by webhook.
type hook struct {
	url     *url.URL
	client  *http.Client
	host    string
	secrets *strings.Replacer // takes what may be secret out of an answer
}

func newHook(o Options) (*hook, error) {
	u, err := url.Parse(o.Webhook)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("it is no URL that begins with http:// or https:// and a host")
	}
	transport := o.Transport
	if transport == nil {
		transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			MaxResponseHeaderBytes: maxHead,
			DisableKeepAlives:      true, // the next one is hours away
		}
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &hook{
		url:     u,
		client:  &http.Client{Transport: transport, CheckRedirect: stay},
		host:    o.Host,
		secrets: hidden(u),
	}, nil
}

// hidden knows the parts of a URL that are long enough to be secrets, in the forms
// in which they are sent: some receivers repeat what they got.
func hidden(u *url.URL) *strings.Replacer {
	const short = 6
	password, _ := u.User.Password()
	signIn := base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
	parts := append(strings.Split(u.Path, "/"), u.RawQuery, signIn, password, u.User.Username())
	parts = append(parts, strings.Split(u.EscapedPath(), "/")...)
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	// Of two that begin alike the longer one counts, or its end would be shown.
	slices.SortFunc(parts, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, part := range parts {
		if len(part) >= short {
			pairs = append(pairs, part, "***")
		}
	}
	return strings.NewReplacer(pairs...)
}

func (h *hook) prepare(b batch) attempt {
	data, err := json.Marshal(newPayload(h.host, b))
	return func(ctx context.Context) error {
		if err != nil {
			return err
		}
		return h.post(ctx, data)
	}
}

func (h *hook) post(ctx context.Context, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url.String(),
		bytes.NewReader(data))
	if err != nil {
		return h.failed(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "doorward")
	answer, err := h.client.Do(request)
	if err != nil {
		return h.failed(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 == 2 {
		return nil
	}
	return h.refused(answer)
}

// failed keeps the cause alone: the library's error begins with the URL, and may
// go on with what the receiver said.
func (h *hook) failed(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if text := h.line(err.Error()); text != err.Error() {
		err = errors.New(text)
	}
	return fmt.Errorf("%s://%s: %w", h.url.Scheme, h.url.Host, err)
}

// line is what a receiver said as one line without secrets.
func (h *hook) line(text string) string {
	return strings.TrimSpace(printable(h.secrets.Replace(text)))
}

// refused makes the error of an answer other than 200 to 299. The receiver's own
// errors, and its "later", are worth another attempt. What it says about the
// request will not change.
func (h *hook) refused(answer *http.Response) error {
	said, _ := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	text := h.line(string(said))
	switch {
	case answer.StatusCode/100 == 3:
		text = "redirects are not followed, use the URL that it leads to"
	case text == "":
		text = "it does not say why"
	}
	err := fmt.Errorf("%s://%s answered %d %s: %s", h.url.Scheme, h.url.Host, answer.StatusCode,
		http.StatusText(answer.StatusCode), text)
	switch answer.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return err
	}
	if answer.StatusCode/100 == 5 {
		return err
	}
	return lastingError{err}
}
