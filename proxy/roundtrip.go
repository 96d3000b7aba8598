package proxy

import (
	"errors"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"doorward/internal/tally"
	"doorward/proxy/backend"
	"doorward/proxy/h1"
	"doorward/proxy/netio"
)

var (
	errNoUpgrade = errors.New("the server speaks HTTP/2, where nothing is upgraded")
	errTarget    = errors.New("the target cannot be written for HTTP/2")
	errUnfit     = errors.New("part of the body is with a server that speaks HTTP/2, unlike this one")
)

// maxUnsent is how often in a row a connection may turn out to be over before a
// request was sent on it; more is no connection.
const maxUnsent = 3

// attemptRoundTrip is an attempt at a server that speaks HTTP/2, for whatever kind of
// client. The request goes to net/http as the head that a server of HTTP/1 would get,
// and the answer comes back as such a head: what lies between is the same for all.
func (x *exchange) attemptRoundTrip() failure {
	if x.req.Upgrade != nil {
		x.rec.Err = errNoUpgrade
		x.end('P', 'R')
		x.fail(http.StatusNotImplemented)
		return failure{}
	}
	if x.e.over.Load() {
		return failure{noConnection, backend.ErrGone}
	}
	if left, limited := x.callTimeout(); limited && left <= 0 {
		return x.deadlinePassed()
	}
	t := x.newTrip()
	defer t.end()
	r, err := t.request()
	if err != nil {
		x.rec.Err = err
		x.end('P', 'R')
		x.fail(http.StatusBadRequest)
		return failure{}
	}
	answer, err := x.server.RoundTrip(r)
	t.hush()
	if err != nil {
		return t.failed(err)
	}
	return t.take(answer)
}

// request makes the request of the head that a server of HTTP/1 would get.
func (t *trip) request() (*http.Request, error) {
	x := t.x
	x.out = x.appendRequestHead(x.out[:0])
	_, rest, _ := strings.Cut(string(x.out), "\r\n")
	r := &http.Request{
		Method: string(x.req.Method), Header: make(http.Header, len(x.req.Fields)+4),
		Proto: "HTTP/2.0", ProtoMajor: 2,
	}
	values := make([]string, strings.Count(rest, "\n"))
	for {
		line, after, _ := strings.Cut(rest, "\r\n")
		if line == "" {
			break
		}
		rest = after
		name, value, _ := strings.Cut(line, ": ")
		switch name = textproto.CanonicalMIMEHeaderKey(name); name {
		case "Host":
			r.Host = value
		case "Connection", "Content-Length", "Transfer-Encoding": // each side has its own
		default:
			if known := r.Header[name]; known != nil {
				r.Header[name] = append(known, value)
				continue
			}
			values[0] = value
			r.Header[name], values = values[:1:1], values[1:]
		}
	}
	if r.Header["User-Agent"] == nil {
		r.Header["User-Agent"] = nil // else net/http writes its own
	}
	var err error
	if r.URL, err = x.serverURL(r.Host); err != nil {
		return nil, err
	}
	t.addBody(r)
	return r.WithContext(t.context), nil
}

// serverURL is the target, such that it goes out as it is.
func (x *exchange) serverURL(host string) (*url.URL, error) {
	path, query := string(x.path), ""
	if x.req.HasQuery {
		query = string(x.req.Query)
	}
	u := &url.URL{
		Scheme: x.server.Scheme(), Host: host, Opaque: path, RawQuery: query,
		ForceQuery: x.req.HasQuery,
	}
	if strings.HasPrefix(path, "//") { // net/url takes that for a host
		u.Opaque, u.RawPath = "", path
		var err error
		if u.Path, err = url.PathUnescape(path); err != nil {
			return nil, errTarget
		}
	}
	want := path
	if x.req.HasQuery {
		want += "?" + query
	}
	if u.RequestURI() != want {
		return nil, errTarget
	}
	return u, nil
}

// failed says why there is no answer.
func (t *trip) failed(err error) failure {
	x := t.x
	t.end()
	var noConn *backend.ConnectError
	var refused *backend.RefusedError
	switch {
	case x.up.err != nil:
		return failure{clientFault, x.up.err}
	case err == errClientGone && x.e.over.Load():
		return failure{noConnection, backend.ErrGone}
	case err == errClientGone:
		x.clientLeft('H')
		return failure{}
	case err == errDeadline:
		return x.deadlinePassed()
	case err == errStall:
		return failure{tooLate, err}
	case errors.As(err, &noConn):
		x.server.Saw(backend.ConnectFailed)
		x.countEvent(tally.ConnectFailed, x.server)
		return failure{noConnection, err}
	case errors.As(err, &refused) && !x.resendable():
		return failure{emptyAnswer, err}
	case refused != nil && !refused.Sent && x.unsent < maxUnsent:
		x.unsent++
		return failure{wentStale, err}
	case refused != nil:
		return failure{noConnection, err}
	case errors.Is(err, errInformational):
		return failure{junk, err}
	case t.reused:
		return failure{diedReused, err}
	}
	return failure{emptyAnswer, err}
}

// take relays an answer, unless it is none or its status calls for another try.
func (t *trip) take(answer *http.Response) failure {
	x := t.x
	t.answer = answer
	if err := t.readHead(answer); err != nil {
		return failure{junk, err}
	}
	x.answeredAt = netio.Now()
	x.server.Saw(sawStatus(x.resp.Status))
	if x.backend.RetryOn().Status(x.resp.Status) && x.rec.Retries < x.backend.Retries() &&
		x.repeatable() && x.mayRepeat() {
		return failure{badStatus, nil}
	}
	x.remember()
	return t.relay()
}

// resendable tells whether the whole request is still there to go out again.
func (x *exchange) resendable() bool {
	return !x.up.started && (x.feed == nil || x.feed.rewinds())
}

// unfit tells whether part of the body has gone to a server that speaks HTTP/2, and
// the rest cannot be sent to one that does not.
func (x *exchange) unfit() bool { return x.feed != nil && x.feed.taken > 0 }

// readHead writes the head of the answer as HTTP/1 has it and parses that, so that an
// answer is judged in one way wherever it comes from (security case RS-09).
func (t *trip) readHead(answer *http.Response) error {
	x := t.x
	x.srv.clear()
	b, err := appendHead(x.srv.b[:0], answer.StatusCode, answer.Header)
	if err != nil {
		return err
	}
	b = t.appendAnswerFraming(b, answer)
	x.srv.b = b[:cap(b)]
	x.srv.w = len(b)
	n, err := h1.ParseResponse(b, &x.resp, answerLimits)
	x.srv.r = n
	return err
}
