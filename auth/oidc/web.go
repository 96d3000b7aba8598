package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// The limits of a call to a provider.
const (
	callTime  = 10 * time.Second
	maxAnswer = 1 << 20
	maxHops   = 3
)

// web calls a provider: within limits of time and size, and nowhere but where it was
// told to.
type web struct {
	client http.Client
}

func newWeb(client *http.Client) *web {
	w := &web{}
	if client != nil {
		w.client = *client
	} else {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxResponseHeaderBytes = 64 << 10
		w.client.Transport = transport
	}
	w.client.Timeout = callTime
	w.client.CheckRedirect = stayThere
	w.client.Jar = nil
	return w
}

// stayThere lets a GET be sent on within its host. Elsewhere may be inside our own
// network, and a POST carries secrets.
func stayThere(next *http.Request, before []*http.Request) error {
	first := before[0]
	switch {
	case first.Method != http.MethodGet:
		return http.ErrUseLastResponse
	case next.URL.Scheme != first.URL.Scheme || hostPort(next.URL) != hostPort(first.URL):
		return errors.New("the provider redirects to another host, which is not followed")
	case len(before) > maxHops:
		return errors.New("the provider redirects in a circle")
	}
	return nil
}

// reply is what came back.
type reply struct {
	status     int
	body       []byte
	retryAfter time.Duration
}

// ok tells whether the call did what it was to do; try, whether it may do so later.
func (r *reply) ok() bool { return r.status == http.StatusOK }

func (r *reply) try() bool {
	return r.status >= 500 || r.status == http.StatusTooManyRequests
}

// do sends the request. An error is ErrUnavailable: nobody answered as one should.
func (w *web) do(r *http.Request) (*reply, error) {
	r.Header.Set("User-Agent", "Doorward")
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "application/json")
	}
	answer, err := w.client.Do(r)
	if err != nil {
		return nil, unavailable("%w", withoutAddress(err, r.URL))
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return nil, unavailable("answer of %s: %w", r.URL.Host, err)
	}
	if len(body) > maxAnswer {
		return nil, unavailable("answer of %s is over 1 MiB", r.URL.Host)
	}
	seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
	return &reply{answer.StatusCode, body, time.Duration(max(seconds, 0)) * time.Second}, nil
}

// withoutAddress names the host alone: the address that net/http puts into its errors
// may be one it was redirected to, with whatever stands in it.
func withoutAddress(err error, u *url.URL) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Errorf("%s: %w", u.Host, err)
}

// get reads the JSON at an address into v. A bearer token may be empty.
func (w *web) get(ctx context.Context, address, bearer string, v any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return unavailable("not an address")
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	got, err := w.do(r)
	if err != nil {
		return err
	}
	return got.decode(r.URL, v)
}

// decode reads the JSON of a good answer into v.
func (r *reply) decode(u *url.URL, v any) error {
	if !r.ok() {
		return r.failure(u)
	}
	if json.Unmarshal(r.body, v) != nil {
		return unavailable("%s%s answers no JSON of the expected form", u.Host, u.Path)
	}
	return nil
}

// failure is the error of an answer that is not 200. What it says is not told: it may
// be a page of anything.
func (r *reply) failure(u *url.URL) error {
	return unavailable("%w", &statusError{u.Host + u.Path, r.status})
}

// statusError is an answer that is not 200.
type statusError struct {
	place  string
	status int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s answers %d %s", e.place, e.status, http.StatusText(e.status))
}
