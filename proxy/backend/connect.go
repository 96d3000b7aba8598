package backend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"doorward/proxy/netio"
)

// minShare is the least time that one of several addresses gets.
const minShare = time.Second

// Connect gives a connection to the server: the idle one used last, unless fresh
// is set or there is none, else a new one, which is ready (TLS handshake done)
// within Timeouts.Connect. An idle one may have been closed by the server since
// its last use; that is for the user to find out, see netio.Conn.Ask. Errors are
// *ConnectError.
func (s *Server) Connect(fresh bool) (*Conn, error) {
	if !fresh {
		if c := s.pool.get(); c != nil {
			c.reused = true
			c.WriteIdle = s.live.Load().timeouts.Server
			return c, nil
		}
	}
	c, err := s.open()
	if err != nil {
		s.failures.Add(1)
		return nil, err
	}
	s.pool.countOpened()
	return c, nil
}

// Keep takes a connection back on which request and answer are complete. It is
// closed instead when the backend keeps none alive, when there are enough, and
// when it leads to where the server no longer is.
func (s *Server) Keep(c *Conn) {
	if s.keepAlive && !c.Aborted() && s.current(c) && s.pool.put(c, s.live.Load().maxIdle) {
		return
	}
	_ = c.Close()
}

// current tells whether c leads to an address that the server still has.
func (s *Server) current(c *Conn) bool { return s.leads(c.address, c.at) }

// leads tells whether the server still has the address at an index of those known
// before.
func (s *Server) leads(known *addresses, at int) bool {
	now := s.addresses.Load()
	return now == known || now.has(known, at)
}

// open dials and shakes hands.
func (s *Server) open() (*Conn, error) {
	start := time.Now()
	timeouts := s.live.Load().timeouts
	limit := start.Add(timeouts.Connect)
	ctx, cancel := context.WithDeadline(context.Background(), limit)
	defer cancel()
	sock, c, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	c.Conn = netio.New(sock)
	c.WriteIdle = timeouts.Server
	if s.tls != nil {
		c.StartClient(s.tls)
		c.WriteIdle = timeouts.Connect
		if err := c.Handshake(time.Until(limit), nil); err != nil {
			_ = sock.Close()
			return nil, s.failed(TLS, explain(err))
		}
		c.WriteIdle = timeouts.Server
	}
	c.took = time.Since(start)
	return c, nil
}

// failed makes a ConnectError, with the reason Timeout where that is the cause.
func (s *Server) failed(reason Reason, err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		reason = Timeout
	}
	return &ConnectError{Server: s.name, Address: s.Address(), Reason: reason, Err: err}
}

// explain adds to a failed verification what can be done about it.
func explain(err error) error {
	if hint := mend(err); hint != "" {
		return fmt.Errorf("TLS handshake: %w (%s)", err, hint)
	}
	return fmt.Errorf("TLS handshake: %w", err)
}

// dial opens the socket. The Conn that it returns knows where it leads and is
// otherwise empty.
func (s *Server) dial(ctx context.Context) (net.Conn, *Conn, error) {
	if s.address.path != "" {
		sock, err := s.dialUnix(ctx)
		return sock, &Conn{address: s.addresses.Load()}, err
	}
	known, err := s.whereabouts(ctx)
	if err != nil {
		return nil, nil, s.failed(Resolve, err)
	}
	sock, at, err := known.dial(ctx, 0)
	if err != nil {
		s.lookUpSoon()
		return nil, nil, s.failed(Dial, err)
	}
	return sock, &Conn{address: known, at: at}, nil
}

func (s *Server) dialUnix(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	sock, err := d.DialContext(ctx, "unix", s.address.path)
	if err != nil {
		return nil, s.failed(Dial, cause(err))
	}
	return sock, nil
}

// whereabouts are the addresses of the server; while the first lookup is on, it
// is waited for.
func (s *Server) whereabouts(ctx context.Context) (*addresses, error) {
	known := s.addresses.Load()
	if known == nil {
		select {
		case <-s.resolved:
		case <-ctx.Done():
			return nil, fmt.Errorf("looking up %s: %w", s.address.host, ctx.Err())
		}
		known = s.addresses.Load()
	}
	if known.err != nil {
		s.lookUpSoon()
		return nil, known.err
	}
	return known, nil
}

// dial tries the addresses in turn, beginning with the one that worked last, and
// returns the index of the one that did, or of the last one tried. The time that is
// left until the context's deadline is divided evenly among those left. KeepAlive is
// net.Dialer's.
func (a *addresses) dial(
	ctx context.Context, keepAlive time.Duration,
) (_ net.Conn, at int, _ error) {
	limit, _ := ctx.Deadline()
	first := int(a.good.Load())
	var errs []error
	for i := range a.list {
		at = (first + i) % len(a.list)
		now := time.Now()
		share := max(limit.Sub(now)/time.Duration(len(a.list)-i), minShare)
		until := now.Add(share)
		if until.After(limit) {
			until = limit
		}
		d := net.Dialer{Deadline: until, KeepAlive: keepAlive}
		sock, err := dialTCP(ctx, &d, a.list[at])
		if err == nil {
			a.good.Store(int32(at))
			return sock, at, nil
		}
		if a.found {
			err = fmt.Errorf("%s: %w", a.list[at], err)
		}
		errs = append(errs, err)
		if ctx.Err() != nil || !time.Now().Before(limit) {
			break
		}
	}
	return nil, at, errors.Join(errs...)
}

func dialTCP(ctx context.Context, d *net.Dialer, to netip.AddrPort) (net.Conn, error) {
	sock, err := d.DialTCP(ctx, "tcp", netip.AddrPort{}, to)
	if err != nil {
		return nil, cause(err)
	}
	return sock, nil
}

// cause strips what net.OpError says about addresses, which ConnectError says
// already.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
