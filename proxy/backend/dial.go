package backend

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// DialTo says where a check goes. The zero value is where requests go.
type DialTo struct {
	// Address is host:port in place of the server's; the rules of TLS, the name in
	// the certificate among them, stay the server's.
	Address string
	// Port replaces the port alone; 0 is the server's. A server on a unix socket
	// has none.
	Port int
	// Plain leaves TLS out.
	Plain bool
	// HTTP1 offers HTTP/1.1 in the handshake with a server that requests reach over
	// HTTP/2.
	HTTP1 bool
}

// DialTimes tells about an attempt at a connection.
type DialTimes struct {
	// Resolve, Connect and TLS are how long the steps took; one that was not needed
	// took 0.
	Resolve, Connect, TLS time.Duration
	// Address is what was dialled last.
	Address string
}

// noProbes leaves out TCP's own: a check is over long before one, and to ask for
// them takes four system calls of its twenty.
const noProbes = -1

// Dial opens a connection for a check: it is not pooled, and not counted. TLS is
// spoken as with requests. The context bounds it all; when it has no deadline
// Timeouts.Connect does. Errors are *ConnectError, and the times up to there are
// given with them.
func (s *Server) Dial(ctx context.Context, to DialTo) (net.Conn, DialTimes, error) {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.live.Load().timeouts.Connect)
		defer cancel()
	}
	var times DialTimes
	sock, err := s.dialCheck(ctx, to, &times)
	if err != nil {
		return nil, times, err
	}
	if s.tls == nil || to.Plain {
		return sock, times, nil
	}
	began := time.Now()
	conn, err := s.shakeHands(ctx, sock, to.HTTP1)
	times.TLS = time.Since(began)
	if err != nil {
		return nil, times, err
	}
	return conn, times, nil
}

// shakeHands begins TLS on a socket, which is closed when that fails. A server that
// speaks HTTP/2 has to agree to it, unless http1 asks for the other.
func (s *Server) shakeHands(ctx context.Context, sock net.Conn, http1 bool) (net.Conn, error) {
	config := s.tls
	if s.http2 && http1 {
		config = config.Clone()
		config.NextProtos = []string{"http/1.1"}
	}
	conn := tls.Client(sock, config)
	err := conn.HandshakeContext(ctx)
	if err == nil && s.http2 && !http1 && conn.ConnectionState().NegotiatedProtocol != "h2" {
		err = errNoHTTP2
	}
	if err != nil {
		_ = sock.Close()
		return nil, s.failed(TLS, explain(err))
	}
	return conn, nil
}

func (s *Server) dialCheck(ctx context.Context, to DialTo, times *DialTimes) (net.Conn, error) {
	began := time.Now()
	if s.address.path != "" && to.Address == "" {
		times.Address = s.address.path
		sock, err := s.dialUnix(ctx)
		times.Connect = time.Since(began)
		return sock, err
	}
	known, err := s.checked(ctx, to)
	times.Resolve = time.Since(began)
	if err != nil {
		return nil, s.failed(Resolve, err)
	}
	began = time.Now()
	sock, at, err := known.dial(ctx, noProbes)
	times.Connect, times.Address = time.Since(began), known.list[at].String()
	if err != nil {
		if to.Address == "" {
			s.lookUpSoon()
		}
		return nil, s.failed(Dial, err)
	}
	return sock, nil
}

// checked are the addresses that a check may go to.
func (s *Server) checked(ctx context.Context, to DialTo) (*addresses, error) {
	if to.Address != "" {
		return s.elsewhere(ctx, to.Address)
	}
	known, err := s.whereabouts(ctx)
	if err != nil || to.Port == 0 {
		return known, err
	}
	moved := &addresses{found: known.found}
	moved.good.Store(known.good.Load())
	for _, a := range known.list {
		moved.list = append(moved.list, netip.AddrPortFrom(a.Addr(), uint16(to.Port)))
	}
	return moved, nil
}

// elsewhere finds an address that is not the server's.
func (s *Server) elsewhere(ctx context.Context, address string) (*addresses, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, errors.New("port " + service + " is not a number up to 65535")
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return &addresses{list: []netip.AddrPort{netip.AddrPortFrom(ip, uint16(port))}}, nil
	}
	list, err := s.find(ctx, host, uint16(port))
	return &addresses{list: list, found: true}, err
}
