package proxy

import (
	"errors"
	"io"
	"net/http"

	"doorward/proxy/backend"
	"doorward/proxy/h1"
	"doorward/proxy/netio"
)

// cause says why an attempt to get an answer came to nothing.
type cause uint8

const (
	none         cause = iota
	noPlace            // the queue, or no server to claim
	noConnection       // connecting failed, nothing was sent
	wentStale          // a pooled connection was found dead, nothing was sent
	diedReused         // a pooled connection died before the first byte of an answer
	emptyAnswer        // a fresh one did
	tooLate            // no answer in time
	junk               // an answer that must not be forwarded
	badStatus          // an answer whose status is worth another try
	clientFault        // the client's body was wrong, too slow, or broke off
)

// failure is a cause with what is known of it.
type failure struct {
	cause cause
	err   error
}

// status is what the client gets, and the letters of the termination state.
func (f failure) status() (code int, who, phase byte) {
	switch f.cause {
	case noPlace:
		if errors.Is(f.err, backend.ErrQueueTimeout) || errors.Is(f.err, backend.ErrQueueFull) {
			return http.StatusServiceUnavailable, 's', 'Q'
		}
		return http.StatusServiceUnavailable, 'S', 'C'
	case noConnection:
		return f.connectStatus()
	case tooLate:
		return http.StatusGatewayTimeout, 's', 'H'
	case junk:
		return http.StatusBadGateway, 'P', 'H'
	}
	return http.StatusBadGateway, 'S', 'H'
}

// waitedFor is the phase, in HAProxy's letters, in which a client left that did not
// want to wait any longer.
func (f failure) waitedFor() byte {
	if f.cause == noPlace {
		return 'Q'
	}
	return 'C'
}

// connectStatus answers as HAProxy does, 503, unless the server is there and
// is not who it should be.
func (f failure) connectStatus() (code int, who, phase byte) {
	var ce *backend.ConnectError
	switch {
	case !errors.As(f.err, &ce):
	case ce.Reason == backend.TLS, ce.Reason == backend.Protocol:
		return http.StatusBadGateway, 'S', 'C'
	case ce.Reason == backend.Timeout:
		return http.StatusServiceUnavailable, 's', 'C'
	}
	return http.StatusServiceUnavailable, 'S', 'C'
}

// refuse answers a head that did not arrive or did not parse. Nothing after it
// on the connection is read as HTTP.
func (x *exchange) refuse(err error) {
	x.keep = false
	var syntax *h1.SyntaxError
	switch {
	case errors.As(err, &syntax):
		x.rec.Err = err
		x.end('P', 'R')
		x.fail(syntax.Status)
	case errors.Is(err, netio.ErrTimeout):
		x.rec.Err = errHeadLate
		x.end('c', 'R')
		x.fail(http.StatusRequestTimeout)
	default:
		x.rec.Err = errHeadBroken
		x.end('C', 'R')
	}
}

var (
	errHeadLate   = errors.New("head not complete in time")
	errHeadBroken = errors.New("connection ended within a head")
	errBodyBroken = errors.New("connection ended within the body")
	errBodySlow   = errors.New("body too slow")
	errBodyLarge  = errors.New("body too large")
	errStall      = errors.New("no answer in time")
)

// readFault tells why reading an answer failed before its first byte.
func (x *exchange) readFault(err error) failure {
	switch {
	case x.up.faulty():
		return failure{clientFault, x.up.err}
	case x.departed():
		return failure{clientFault, errClientGone}
	case errors.Is(err, netio.ErrTimeout):
		return failure{tooLate, errStall}
	case errors.Is(err, netio.ErrStale):
		return failure{wentStale, err}
	case x.srv.len() > 0:
		return failure{junk, io.ErrUnexpectedEOF}
	case x.to.Reused():
		return failure{diedReused, err}
	}
	return failure{emptyAnswer, err}
}
