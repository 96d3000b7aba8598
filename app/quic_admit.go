package app

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/quic-go/quic-go"
)

// shakesMost is how many times limits.handshakes the handshakes of a port may be that
// have begun and not ended. Nearly all of them wait for the network and compute nothing;
// but each holds memory, so there is an end.
const shakesMost = 8

var (
	errManyShakes = errors.New("too many handshakes")
	errNoPlace    = errors.New("too many connections")
)

// shakeKey finds the shake of a connection in its context.
type shakeKey struct{}

// shake is a connection until its handshake is done.
type shake struct {
	p    *quicPort
	once sync.Once
}

// done notes that the handshake is over.
func (s *shake) done() { s.once.Do(func() { s.p.shaking.Add(-1) }) }

// end is called when the connection has ended.
func (s *shake) end() {
	s.once.Do(func() {
		s.p.shaking.Add(-1)
		s.p.app.engine.Counters().Handshakes.Add(1)
	})
	s.p.app.places.give()
}

// suspicious tells whether a client must prove that it has the address it says, which
// costs it a round trip (RFC 9000, section 8.1.2): when many handshakes are at work, as
// they are when somebody floods us under false addresses.
func (p *quicPort) suspicious(net.Addr) bool {
	return p.shaking.Load() >= int64(p.app.live.Load().snapshot.Limits.Handshakes)
}

// admit takes a place for a connection whose handshake begins. Nobody can be made to
// wait for one here, as TCP's queue does: a client that is refused has TCP to go to.
func (p *quicPort) admit(ctx context.Context, _ *quic.ClientInfo) (context.Context, error) {
	most := shakesMost * int64(p.app.live.Load().snapshot.Limits.Handshakes)
	if p.shaking.Load() >= most {
		p.app.engine.Counters().Refused.Add(1)
		return nil, errManyShakes
	}
	if !p.app.places.tryTake() {
		p.app.engine.Counters().Refused.Add(1)
		return nil, errNoPlace
	}
	s := &shake{p: p}
	p.shaking.Add(1)
	context.AfterFunc(ctx, s.end)
	return context.WithValue(ctx, shakeKey{}, s), nil
}
