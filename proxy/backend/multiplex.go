package backend

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"time"

	"golang.org/x/net/http2"
)

// speaksHTTP2 tells whether a server speaks HTTP/2.
func (b *Backend) speaksHTTP2(a address) (bool, error) {
	if b.options.HTTP2 && a.scheme == "http" && a.path == "" && !a.http2 {
		return false, errors.New("HTTP/2 without TLS is written h2c://" + a.dial())
	}
	return a.http2 || b.options.HTTP2, nil
}

// Multiplexed tells whether the server speaks HTTP/2: then its connections carry
// many requests at a time, and requests go through RoundTrip in place of Connect.
func (s *Server) Multiplexed() bool { return s.http2 }

// RoundTrip sends a request to a server that speaks HTTP/2, and returns the answer
// when its head is here. It waits for a connection with room for one more request,
// or opens one, for at most Timeouts.Connect; all other waits are bounded by the
// request's context, which has to be ended when the body of the answer is not read to
// its end. URL.Scheme and URL.Host are for the server's eyes; where the request goes
// is the server's address.
//
// Of the hooks of httptrace, GotConn is told before the request is sent, and those of
// net/http after that. Hooks for informational answers hold up every other request on
// the connection.
//
// Errors are *ConnectError when there is no connection, *RefusedError when the server
// did nothing of the request, the cause of the context, and those of net/http.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	t, reused, err := s.reserve(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.failures.Add(1)
		}
		closeBody(r)
		return nil, err
	}
	if trace := httptrace.ContextClientTrace(ctx); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Conn: t.wire, Reused: reused})
	}
	reads, sent := t.wire.reads.Load(), time.Now()
	answer, err := t.RoundTrip(r)
	if err == nil {
		return answer, nil
	}
	if ctx.Err() != nil {
		if t.wire.reads.Load() == reads && time.Since(sent) > s.live.Load().timeouts.Connect {
			s.trunks.drop(t) // it is as if nobody were there
		}
		return nil, context.Cause(ctx)
	}
	if refused, sent := unprocessed(err); refused {
		err = &RefusedError{Sent: sent, Err: err}
	}
	return nil, err
}

// closeBody does what RoundTrip owes to a request that it does not send.
func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// What net/http says of a request that it has not sent, or that the server has not
// processed. It has no names for these errors.
const (
	unusable       = "http2: client conn not usable"
	notEstablished = "http2: client conn could not be established"
	goingAway      = "http2: Transport received Server's graceful shutdown GOAWAY"
)

// unprocessed tells whether an error means that the server did nothing of a request,
// and if so, whether it has seen it.
func unprocessed(err error) (refused, sent bool) {
	switch err.Error() {
	case unusable, notEstablished:
		return true, false
	case goingAway:
		return true, true
	}
	var reset http2.StreamError
	return errors.As(err, &reset) && reset.Code == http2.ErrCodeRefusedStream, true
}
