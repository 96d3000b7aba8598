package backend

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"doorward/internal/safe"
)

const (
	// trunkRequests is the most requests at a time on one connection, whatever its
	// server allows: so that what clients do not take of their answers has a bound in
	// memory, and one lock does not serve everybody.
	trunkRequests = 128
	// trunkWindow is how much of an answer may be on its way to us unread.
	trunkWindow = 128 << 10
	// trunkHead bounds the head of an answer; how it is counted differs from HTTP/1, so
	// that package proxy looks at it again.
	trunkHead = 64 << 10
	// pingAfter is the silence after which a connection is asked whether it is still
	// there. gRPC servers take more than one question in five minutes for an attack.
	pingAfter = 6 * time.Minute
	// continueAfter is how long a server may take to say that it wants the body.
	continueAfter = time.Second
)

// trunk is a connection of HTTP/2, which carries many requests at a time.
type trunk struct {
	*http.ClientConn
	wire    *wire
	address *addresses
	at      int
	// used says that it has served a request; trunks.mu guards it.
	used bool
}

// room takes a place for one more request.
func (t *trunk) room() bool { return t.InFlight() < trunkRequests && t.Reserve() == nil }

// retire lets the requests on the trunk come to their end, and closes it then. The
// caller takes no more places on it.
func (t *trunk) retire() {
	closeIdle := func(c *http.ClientConn) {
		if c.InFlight() == 0 {
			_ = c.Close()
		}
	}
	t.SetStateHook(closeIdle)
	closeIdle(t.ClientConn)
}

// trunks are the connections of one server that speaks HTTP/2.
type trunks struct {
	mu             sync.Mutex
	list           []*trunk
	opening        *opening // one at a time, for all who wait
	closed         bool
	opened, reused int64
}

// opening is an attempt to open a trunk; err is for when done is closed.
type opening struct {
	done chan struct{}
	err  error
}

// reserve takes a place on a trunk, and tells whether that one was used before.
func (s *Server) reserve(ctx context.Context) (t *trunk, reused bool, err error) {
	for {
		t, reused, next := s.trunks.take(s)
		if t != nil {
			return t, reused, nil
		}
		select {
		case <-next.done:
			if next.err != nil {
				return nil, false, next.err
			}
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
}

// take takes a place on the newest trunk with room, or tells what to wait for.
func (p *trunks) take(s *Server) (t *trunk, reused bool, next *opening) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prune(s.leads)
	for _, t := range slices.Backward(p.list) {
		if t.room() {
			reused, t.used = t.used, true
			if reused {
				p.reused++
			}
			if p.closed { // a request that still holds the backend
				t.retire()
			}
			return t, reused, nil
		}
	}
	if p.opening == nil {
		p.opening = &opening{done: make(chan struct{})}
		next := p.opening
		safe.Go(s.log, "connection to server "+s.name, func() { s.openTrunk(next) })
	}
	return nil, false, p.opening
}

// prune forgets trunks that have ended, and retires those that lead to where the
// server no longer is. The caller holds mu.
func (p *trunks) prune(leads func(*addresses, int) bool) {
	p.list = slices.DeleteFunc(p.list, func(t *trunk) bool {
		switch {
		case t.Err() != nil:
			return true
		case leads(t.address, t.at):
			return false
		}
		t.retire()
		return true
	})
}

func (p *trunks) sweep(leads func(*addresses, int) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prune(leads)
}

// openTrunk opens a trunk for those who wait.
func (s *Server) openTrunk(o *opening) {
	var t *trunk
	o.err = errors.New("panic while a connection was opened")
	defer func() {
		p := &s.trunks
		p.mu.Lock()
		defer p.mu.Unlock()
		p.opening = nil
		if t != nil {
			p.opened++
			p.list = append(p.list, t)
		}
		close(o.done)
	}()
	t, o.err = s.newTrunk()
}

// close retires the trunks.
func (p *trunks) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, t := range p.list {
		t.retire()
	}
	p.list = nil
}

// drop forgets a trunk: what is on its way may come yet, but no other request is
// risked there.
func (p *trunks) drop(t *trunk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.list, t); i >= 0 {
		p.list = slices.Delete(p.list, i, i+1)
		t.retire()
	}
}

func (p *trunks) count(c *Counters) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.Connections += p.opened
	c.Reused += p.reused
	for _, t := range p.list {
		if t.Err() == nil && t.InFlight() == 0 {
			c.Idle++
		}
	}
}

// newTrunk connects, and waits until the server has said that it speaks HTTP/2.
func (s *Server) newTrunk() (*trunk, error) {
	timeouts := s.live.Load().timeouts
	ctx, cancel := context.WithTimeout(context.Background(), timeouts.Connect)
	defer cancel()
	sock, c, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	if s.tls != nil {
		if sock, err = s.shakeHands(ctx, sock, false); err != nil {
			return nil, err
		}
	}
	w := &wire{Conn: sock, settled: make(chan struct{}), ended: make(chan struct{})}
	t := &trunk{wire: w, address: c.address, at: c.at}
	if t.ClientConn, err = clientConn(ctx, w, timeouts); err != nil {
		_ = w.Close()
		return nil, s.failed(Protocol, cause(err))
	}
	if err := t.settle(ctx); err != nil {
		_ = t.Close()
		return nil, s.failed(Protocol, err)
	}
	return t, nil
}

// settle waits for the server's settings, which come before anything else it says
// (RFC 9113, section 3.4), and sees that it takes a request at all.
func (t *trunk) settle(ctx context.Context) error {
	select {
	case <-t.wire.settled:
	case <-t.wire.ended:
		return t.wire.why()
	case <-ctx.Done():
		return ctx.Err()
	}
	if t.Reserve() != nil {
		return errors.New("it takes no requests: MAX_CONCURRENT_STREAMS is 0, or it says GOAWAY")
	}
	t.Release()
	return nil
}

// clientConn speaks HTTP/2 on a connection. To net/http all of them are plain: TLS is
// done with here.
func clientConn(ctx context.Context, w *wire, timeouts Timeouts) (*http.ClientConn, error) {
	var plain http.Protocols
	plain.SetUnencryptedHTTP2(true)
	transport := &http.Transport{
		DialContext:            func(context.Context, string, string) (net.Conn, error) { return w, nil },
		Protocols:              &plain,
		DisableCompression:     true,
		IdleConnTimeout:        timeouts.Idle,
		ExpectContinueTimeout:  continueAfter,
		MaxResponseHeaderBytes: trunkHead,
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream: trunkWindow,
			SendPingTimeout:           pingAfter,
			WriteByteTimeout:          timeouts.Server,
		},
	}
	return transport.NewClientConn(ctx, "http", "server:80")
}

// wire is the connection under a trunk. It looks at how the conversation begins.
type wire struct {
	net.Conn

	began, ready atomic.Bool // the first bytes of the server are here; settled is closed
	reads        atomic.Int64
	// settled is closed when the server's settings are in force: what we write behind
	// its first bytes acknowledges them. Ended is closed with the connection.
	settled, ended chan struct{}
	closing        sync.Once

	mu  sync.Mutex
	err error // why it ended
}

// Read fails when the server begins with anything but settings.
func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.reads.Add(1)
	if n > 0 && !w.began.Load() {
		if !beginsWithSettings(b[:n]) {
			n, err = 0, errNotHTTP2
		}
		w.began.Store(true)
	}
	if err != nil {
		w.fail(err)
	}
	return n, err
}

// Write passes bytes on.
func (w *wire) Write(b []byte) (int, error) {
	if w.began.Load() && w.ready.CompareAndSwap(false, true) {
		close(w.settled)
	}
	return w.Conn.Write(b)
}

// Close ends the connection.
func (w *wire) Close() error {
	w.closing.Do(func() { close(w.ended) })
	return w.Conn.Close()
}

func (w *wire) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

// why tells why the connection ended before it was settled.
func (w *wire) why() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err == nil:
		return errors.New("its HTTP/2 settings are not valid")
	case errors.Is(w.err, errNotHTTP2):
		return w.err
	}
	return errors.New("it closes the connection at the first words of HTTP/2")
}

// errNotHTTP2 says that a server speaks something else.
var errNotHTTP2 = errors.New("it does not speak HTTP/2; for HTTP/1.1 write http:// in place of h2c://, or leave out http2")

// beginsWithSettings looks at the type of the first frame, as far as it is here: that
// of a frame is its fourth byte, and no answer of HTTP/1 has one like it there.
func beginsWithSettings(b []byte) bool {
	const frameSettings = 4
	return len(b) < 4 || b[3] == frameSettings
}
