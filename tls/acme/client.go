package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/mholt/acmez/v3/acme"
)

const (
	answerLimit  = 1 << 20 // bytes of an answer; a chain has some ten thousand
	answerTime   = 30 * time.Second
	redirects    = 3
	longestPause = 7 * 24 * time.Hour // that we let an authority impose on us
)

// Reasons an authority is not believed.
var (
	// ErrInsecure means that something but https was to be asked.
	ErrInsecure = errors.New("an authority is asked over https alone")
	// ErrAnswer means an answer that no authority would give.
	ErrAnswer = errors.New("not an answer of an ACME server")
)

// newHTTPClient makes the client for one authority; roots nil are the system's.
func newHTTPClient(roots *x509.CertPool) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &http.Client{
		Timeout: answerTime,
		Transport: &transport{&http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  answerTime,
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        time.Minute,
			ForceAttemptHTTP2:      true,
		}},
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > redirects {
				return fmt.Errorf("%d redirects: %w", len(via), ErrAnswer)
			}
			return nil
		},
	}
}

// transport bounds what an authority can do to us: its URLs come from outside,
// and the library reads every answer to its end.
type transport struct{ base *http.Transport }

// RoundTrip refuses all but https, counts orders, and cuts answers that have no
// end.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	attempt := tryOf(r.Context())
	err := attempt.begin(r)
	if r.URL.Scheme != "https" {
		err = fmt.Errorf("%s://%s: %w", r.URL.Scheme, r.URL.Host, ErrInsecure)
	}
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	answer, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	attempt.answered(r, answer)
	answer.Body = &bounded{ReadCloser: answer.Body, left: answerLimit}
	return answer, nil
}

// CloseIdleConnections is what http.Client.CloseIdleConnections calls.
func (t *transport) CloseIdleConnections() { t.base.CloseIdleConnections() }

// bounded is a body that may have so many bytes.
type bounded struct {
	io.ReadCloser
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("more than %d bytes: %w", answerLimit, ErrAnswer)
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if b.left -= n; b.left < 0 {
		return 0, fmt.Errorf("more than %d bytes: %w", answerLimit, ErrAnswer)
	}
	return n, err
}

// try is one attempt to get a certificate, of one authority or of two. It goes
// with the context, where the libraries between have no place for it.
type try struct {
	replaces *x509.Certificate // the one to be renewed; nil: none
	issuer   string            // key of who issued that

	newOrder string // URL that begins orders at the authority asked now
	take     func(context.Context) error
	paid     bool // the next order is counted already
	begun    bool // the authority has taken the last order that was asked for

	pause   time.Time // when the authority wants to be asked again
	stop    error     // why no further authority is asked
	reasons []string  // of each authority that was asked in vain
}

type tryKey struct{}

func (t *try) within(ctx context.Context) context.Context {
	return context.WithValue(ctx, tryKey{}, t)
}

// tryOf is the attempt that a context belongs to, a new one for none.
func tryOf(ctx context.Context) *try {
	if t, ok := ctx.Value(tryKey{}).(*try); ok {
		return t
	}
	return &try{}
}

// begin counts the order that a request begins.
func (t *try) begin(r *http.Request) error {
	if t.take == nil || t.paid || r.Method != http.MethodPost || r.URL.String() != t.newOrder {
		return nil
	}
	if err := t.take(r.Context()); err != nil {
		t.stop = err
		return err
	}
	t.paid = true
	return nil
}

// answered sees whether an order did begin, and what the authority says of time.
func (t *try) answered(r *http.Request, answer *http.Response) {
	if r.Method == http.MethodPost && r.URL.String() == t.newOrder {
		// One that was refused for its nonce is sent again, and is the same.
		t.paid = answer.StatusCode == http.StatusBadRequest
		t.begun = answer.StatusCode == http.StatusCreated
	}
	if answer.StatusCode != http.StatusTooManyRequests &&
		answer.StatusCode != http.StatusServiceUnavailable {
		return
	}
	if until := retryAfter(answer.Header.Get("Retry-After"), time.Now()); until.After(t.pause) {
		t.pause = until
	}
}

// refused tells whether an order was not even begun, for a reason that may be the
// certificate that it replaces: one that the authority has forgotten, or that somebody
// else has replaced already, must not stand in the way of the next (RFC 9773, section 5).
func (t *try) refused(failure error) bool {
	var problem acme.Problem
	if t.begun || !errors.As(failure, &problem) {
		return false
	}
	switch problem.Type {
	case acme.ProblemTypeAlreadyReplaced, acme.ProblemTypeMalformed,
		acme.ProblemTypeServerInternal, acme.ProblemTypeUnauthorized:
		return problem.Status != http.StatusServiceUnavailable
	default:
		return problem.Status == http.StatusNotFound || problem.Status == http.StatusConflict
	}
}

// retryAfter reads the field of RFC 9110, section 10.2.3; zero for none.
func retryAfter(value string, now time.Time) time.Time {
	until, err := http.ParseTime(value)
	if seconds, bad := strconv.ParseUint(value, 10, 31); bad == nil {
		until, err = now.Add(time.Duration(seconds)*time.Second), nil
	}
	if err != nil {
		return time.Time{}
	}
	if latest := now.Add(longestPause); until.After(latest) {
		return latest
	}
	return until
}
