package proxy

import (
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"net/http"

	"doorward/proxy/netio"
)

var errNoSwitch = errors.New("answer to a request for another protocol that begins none")

// switchStream makes a tunnel of the stream (RFC 8441, section 5).
func (x *exchange) switchStream() {
	x.rec.Status = http.StatusOK
	x.out = x.appendSwitch(x.out[:0])
	if x.answer(x.out, x.srv.bytes(), false) {
		x.runTunnel(0)
	}
}

// beginsNothing tells whether an answer to an extended CONNECT would be taken for a
// tunnel that is none.
func (x *exchange) beginsNothing() bool {
	return x.stream != nil && x.req.Upgrade != nil && x.resp.Status < http.StatusMultipleChoices
}

// socketKey is the handshake key that a server gets for a WebSocket that came as a
// stream, where there is none (RFC 8441, section 5.1).
func (x *exchange) socketKey() []byte {
	if len(x.key) == 0 {
		var b [16]byte
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
		x.key = base64.StdEncoding.AppendEncode(x.key, b[:])
	}
	return x.key
}

// tunnelClient is the client's side of the tunnel.
func (x *exchange) tunnelClient(t *tunnel) tunnelEnd {
	if x.stream != nil {
		s := x.stream
		s.Idle(t.limit, t.limit)
		t.cutClient = func() { s.Reset(resetCancel) }
		return streamEnd{s}
	}
	c := x.c.io
	c.ReadIdle, c.ReadUntil, c.WriteIdle = t.limit, 0, t.limit
	t.cutClient = func() { _ = c.Socket().Close() }
	return c
}

// streamEnd is a stream as one side of a tunnel.
type streamEnd struct{ stream stream }

// ReadLazy implements tunnelEnd.
func (s streamEnd) ReadLazy(take func() []byte, _ func()) (int, error) {
	if _, err := s.stream.Read(nil); err != nil {
		return 0, err
	}
	return s.stream.Read(take())
}

// Write implements tunnelEnd.
func (s streamEnd) Write(p []byte) (int, error) {
	if err := s.stream.Write(p, false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// CloseWrite implements tunnelEnd.
func (s streamEnd) CloseWrite() error { return s.stream.Write(nil, true) }

var _ tunnelEnd = (*netio.Conn)(nil)
