package proxy

import (
	"bytes"
	"time"

	"doorward/internal/access"
	"doorward/proxy/h1"
	"doorward/proxy/netio"
)

// finish ends the exchange: its bytes leave the buffer, its record goes to the
// log.
func (x *exchange) finish() {
	x.dropServer()
	x.endRepeats()
	x.leaveLimits()
	x.closeGate()
	x.c.requests.Add(1)
	x.measure()
	x.count()
	if log := x.e.access.Load(); log != nil {
		x.record()
		(*log).Record(&x.rec)
	}
	if x.keep && x.stream == nil {
		x.in.r += x.up.consumed()
		x.in.push(x.up.rest)
	}
	x.up.x = nil
}

// measure fills in what counters and the log both want to know.
func (x *exchange) measure() {
	r := &x.rec
	if x.head > 0 || x.stream != nil {
		r.BytesIn = int64(x.head) + x.up.received()
	}
	r.Request = span(x.began, x.headAt)
	r.Queue = span(x.headAt, x.queuedAt)
	r.Connect = span(x.queuedAt, x.connectedAt)
	r.Response = span(x.connectedAt, x.answeredAt)
	r.Active = span(x.began, netio.Now())
}

// record fills in the rest of the access record.
func (x *exchange) record() {
	r := &x.rec
	r.Start = netio.At(x.began)
	r.Client = x.client
	r.Scheme = x.scheme
	r.TLSVersion, r.TLSCipher = x.c.tlsVersion, x.c.tlsCipher
	if x.req.Target != nil { // of a refused head too, as far as it was read
		r.Method, r.Target, r.Host = x.req.Method, x.req.Target, x.req.Host
		r.Protocol = x.protocolName()
		r.UserAgent, _ = x.req.Find(h1.UserAgent)
		r.Referer, _ = x.req.Find(h1.Referer)
	}
	r.RequestID = x.requestID()
	if x.route != nil {
		r.Route = x.route.Name
		if x.route.Private {
			r.Target, _, _ = bytes.Cut(r.Target, []byte("?"))
			r.Referer, _, _ = bytes.Cut(r.Referer, []byte("?")) // another page of ours
		}
	}
	r.ActiveConns = x.e.Open()
	r.FrontendConns = x.c.l.Counts.Open()
	if b := x.backend; b != nil {
		r.Backend = b.Name()
		r.BackendConns = b.Active() + b.Waiting()
	}
}

func (x *exchange) protocolName() string {
	switch {
	case x.stream != nil:
		return x.protocol
	case x.req.Minor == 0:
		return "HTTP/1.0"
	}
	return "HTTP/1.1"
}

// span is the time between two readings, NotReached if the later one was not.
func span(from, to int64) time.Duration {
	if from == 0 || to == 0 {
		return access.NotReached
	}
	return time.Duration(to - from)
}
