package health

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"time"

	"doorward/proxy/backend"
)

// Kind is what a check does.
type Kind string

// The kinds of checks.
const (
	HTTP Kind = "http" // a request, and what is answered to it; the default
	GRPC Kind = "grpc" // the question of gRPC's health checking protocol
	TLS  Kind = "tls"  // a TLS handshake
	TCP  Kind = "tcp"  // a connection
)

// ErrCheck is in the error of every check that cannot be done as described.
var ErrCheck = errors.New("invalid check")

const (
	defaultInterval   = 2 * time.Second
	defaultRise       = 2
	defaultFall       = 3
	defaultErrorLimit = 10
)

// CheckOptions describe a check.
type CheckOptions struct {
	// Kind is what is done.
	Kind Kind
	// To is where it goes.
	To backend.DialTo
	// Request and Expect are for HTTP; of Request, Host is for GRPC too.
	Request Request
	Expect  Expect
	// Service is the gRPC service to ask about; "" is the server as a whole.
	Service string
	Timing  Timing
	// Rise is how many good checks bring a server up, 0 means 2; Fall how many failed
	// ones bring it down, 0 means 3.
	Rise, Fall int
	Initial    Initial
	Passive    Passive
	// Quiet leaves out of the log what does not bring the server up or down.
	Quiet bool
}

// Check is a check ready to be done, many times and by many at once. NewCheck
// makes it.
type Check struct {
	kind    Kind
	to      backend.DialTo
	request []byte
	asked   *http.Request // what net/http has to know to read the answer
	shared  *question     // in place of both, over HTTP/2
	expect  expectation
	timing  Timing
	start   Counter
	passive Passive
	quiet   bool
	key     string
}

// NewCheck prepares a check. Its errors are ErrCheck and name the option.
func NewCheck(o CheckOptions) (*Check, error) {
	o.fill()
	c := &Check{
		kind: o.Kind, to: o.To, timing: o.Timing, passive: o.Passive, quiet: o.Quiet,
		start: begin(o.Rise, o.Fall, o.Initial),
		key:   o.key(),
	}
	if err := o.wrong(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCheck, err)
	}
	switch o.Kind {
	case TCP:
		c.to.Plain = true
	case GRPC:
		c.shared = askHealth(o.Request.Host, o.Service)
	case HTTP:
		if err := c.prepare(&o); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCheck, err)
		}
	}
	c.to.HTTP1 = c.kind == HTTP && c.shared == nil
	return c, nil
}

// prepare makes the request of an HTTP check and what is expected of the answer.
func (c *Check) prepare(o *CheckOptions) (err error) {
	if c.expect, err = o.Expect.compile(); err != nil {
		return fmt.Errorf("expect: %w", err)
	}
	if o.Request.Version == "2" {
		c.shared, err = o.Request.question()
		return err
	}
	c.asked = &http.Request{Method: o.Request.Method}
	c.request, err = o.Request.bytes()
	return err
}

// Key is the same for checks that mean the same. How long a connection may take
// and what is logged may differ: they are no reason to forget what is known of a
// server.
func (c *Check) Key() string { return c.key }

func (o CheckOptions) key() string {
	o.Timing.Connect, o.Quiet = 0, false
	// Request fields may be secret, and keys are shown more easily than options.
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v", o))
	return fmt.Sprintf("%x", sum[:8])
}

// fill puts defaults where nothing was said.
func (o *CheckOptions) fill() {
	fallback(&o.Kind, HTTP)
	fallback(&o.Rise, defaultRise)
	fallback(&o.Fall, defaultFall)
	fallback(&o.Initial, None)
	fallback(&o.Timing.Interval, defaultInterval)
	fallback(&o.Passive.Level, Off)
	fallback(&o.Passive.Limit, defaultErrorLimit)
	fallback(&o.Passive.OnError, FailCheck)
	fallback(&o.Request.Method, "GET")
	fallback(&o.Request.Path, "/")
	fallback(&o.Request.Version, "1.1")
}

func fallback[T comparable](option *T, value T) {
	var zero T
	if *option == zero {
		*option = value
	}
}

// wrong finds words that nothing is called by, and numbers that make no sense.
func (o CheckOptions) wrong() error {
	t := o.Timing
	switch {
	case o.Rise < 1, o.Fall < 1:
		return fmt.Errorf("rise %d and fall %d: at least 1", o.Rise, o.Fall)
	case min(t.Interval, t.Fast, t.Down, t.Connect, t.Timeout) < 0:
		return errors.New("a time is less than nothing")
	case t.Jitter < 0, t.Jitter > 50:
		return fmt.Errorf("jitter %d: 0 to 50 percent", t.Jitter)
	case o.Passive.Limit < 1:
		return fmt.Errorf("error limit %d: at least 1", o.Passive.Limit)
	}
	return errors.Join(
		among("kind", o.Kind, HTTP, GRPC, TLS, TCP),
		among("initial", o.Initial, None, Up, Down, FullyUp, FullyDown),
		among("observe", o.Passive.Level, Off, Layer4, Layer7),
		among("on error", o.Passive.OnError, FailCheck, FastChecks, SuddenDeath, MarkDown),
	)
}

func among[T ~string](option string, word T, known ...T) error {
	for _, k := range known {
		if word == k {
			return nil
		}
	}
	return fmt.Errorf("%s %q: one of %q", option, word, known)
}
