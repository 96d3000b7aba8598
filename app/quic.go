package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/quic-go/quic-go"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"doorward/config"
	"doorward/internal/safe"
	"doorward/proxy"
)

// quicPort is the UDP port beside an address for HTTPS. It outlives its listener by
// the connections that are still open, since all of them have the one socket.
type quicPort struct {
	address   string
	sock      *net.UDPConn
	transport *quic.Transport
	app       *App
	log       *zap.Logger
	face      atomic.Pointer[proxy.Listener]
	// shaking is how many handshakes are at work.
	shaking atomic.Int64
	// open are the connections, and who accepts them.
	open sync.WaitGroup
	// ln is nil when there are only connections left. It is guarded by the App's lock.
	ln *quic.Listener
}

// openQUIC opens what the configuration has and the instance has not. The addresses
// are open for TCP already: opened has those that are new.
func (a *App) openQUIC(g *generation, opened []*listener) ([]*quicPort, error) {
	if !g.cfg.Listen.HTTP3 {
		return nil, nil
	}
	socks := map[string]net.Listener{}
	for address, l := range a.listeners {
		socks[address] = l.sock
	}
	for _, l := range opened {
		socks[l.address] = l.sock
	}
	var ports []*quicPort
	var errs []error
	for _, address := range g.cfg.Listen.HTTPS {
		p := a.quic[address]
		if p != nil && p.ln != nil {
			continue
		}
		if p == nil {
			tcp := socks[address].Addr().(*net.TCPAddr)
			sock, err := listenUDP((*net.UDPAddr)(tcp), a.leavingQUIC(g.cfg))
			if err != nil {
				errs = append(errs, fmt.Errorf("%w%s", err, udpHint(err)))
				continue
			}
			p = a.newPort(address, sock, g.log)
		}
		if err := p.listen(g); err != nil {
			errs = append(errs, fmt.Errorf("HTTP/3 on %s: %w", address, err))
		}
		ports = append(ports, p)
	}
	if len(errs) > 0 {
		a.closeQUIC(ports)
		return nil, errors.Join(errs...)
	}
	return ports, nil
}

func (a *App) newPort(address string, sock *net.UDPConn, log *zap.Logger) *quicPort {
	p := &quicPort{address: address, sock: sock, app: a, log: log}
	p.transport = &quic.Transport{
		Conn: sock, VerifySourceAddress: p.suspicious, ConnContext: p.admit,
	}
	return p
}

// listen begins to take connections, into a queue until somebody accepts them.
func (p *quicPort) listen(g *generation) (err error) {
	// What it would say to the standard log is said below.
	_ = os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true")
	conf := g.quic.config.Clone()
	conf.GetConfigForClient = func(*quic.ClientInfo) (*quic.Config, error) {
		return p.app.live.Load().quic.config, nil
	}
	p.ln, err = p.transport.Listen(quicListenerTLS(p.app), conf)
	if size := receiveBuffer(p.sock); size > 0 && size < wantedBuffer {
		p.log.Warn("the kernel keeps few packets for HTTP/3: busy links will lose some;"+
			" sysctl net.core.rmem_max=7500000 mends it",
			zap.String("listener", p.address), zap.Int("bytes", size))
	}
	return err
}

// wantedBuffer is what quic-go asks the kernel for.
const wantedBuffer = 7 << 20

func receiveBuffer(sock *net.UDPConn) (size int) {
	raw, err := sock.SyscallConn()
	if err != nil {
		return 0
	}
	err = raw.Control(func(fd uintptr) {
		size, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	})
	if err != nil {
		return 0
	}
	return size
}

// assignQUIC lets new ports accept, and closes those that the configuration has no more.
func (a *App) assignQUIC(cfg *config.Config, opened []*quicPort) {
	for _, p := range opened {
		a.quic[p.address] = p
		p.face.Store(&proxy.Listener{
			Name: p.address, TLS: true, Counts: a.listeners[p.address].counts,
		})
		ln := p.ln
		p.open.Add(1)
		safe.Go(p.log, "listener", func() {
			defer p.open.Done()
			p.accept(ln)
		})
	}
	wanted := map[string]bool{}
	if cfg.Listen.HTTP3 {
		for _, address := range cfg.Listen.HTTPS {
			wanted[address] = true
		}
	}
	for address, p := range a.quic {
		if !wanted[address] {
			a.stopQUIC(p)
		}
	}
}

// accept serves connections until the listener closes.
func (p *quicPort) accept(ln *quic.Listener) {
	for {
		q, err := ln.Accept(context.Background())
		if err != nil {
			return
		}
		q.Context().Value(shakeKey{}).(*shake).done()
		face := p.face.Load()
		p.open.Add(1)
		safe.Go(p.log, "connection", func() {
			defer p.open.Done()
			p.app.engine.ServeQUIC(q, face)
		})
	}
}

// stopQUIC stops accepting. Connections end with the requests they are at, and then
// the port closes. It is called with the lock held.
func (a *App) stopQUIC(p *quicPort) {
	if p.ln == nil {
		return
	}
	_ = p.ln.Close()
	p.ln = nil
	a.engine.Retire(p.face.Load())
	a.behind("QUIC port", func() {
		p.open.Wait()
		a.mu.Lock()
		defer a.mu.Unlock()
		if p.ln != nil { // it is wanted again
			return
		}
		p.close()
		delete(a.quic, p.address)
	})
}

func (p *quicPort) close() {
	_ = p.transport.Close()
	_ = p.sock.Close()
}

// closeQUIC undoes openQUIC.
func (a *App) closeQUIC(ports []*quicPort) {
	for _, p := range ports {
		if p.ln != nil {
			_ = p.ln.Close()
			p.ln = nil
		}
		if a.quic[p.address] == nil {
			p.close()
		}
	}
}

// leavingQUIC are the sockets that the configuration has no more.
func (a *App) leavingQUIC(cfg *config.Config) (list []*net.UDPConn) {
	wanted := map[string]bool{}
	for _, address := range cfg.Listen.HTTPS {
		wanted[address] = true
	}
	for address, p := range a.quic {
		if !wanted[address] {
			list = append(list, p.sock)
		}
	}
	return list
}

// listenUDP opens a socket, beside one that stands in the way and will close.
func listenUDP(address *net.UDPAddr, leaving []*net.UDPConn) (*net.UDPConn, error) {
	sock, err := net.ListenUDP("udp", address)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return sock, err
	}
	shared := false
	for _, old := range leaving {
		if old.LocalAddr().(*net.UDPAddr).Port == address.Port && sharePort(old, true) == nil {
			// Shared for no longer than it takes, as with TCP.
			defer func() { _ = sharePort(old, false) }()
			shared = true
		}
	}
	if !shared {
		return nil, err
	}
	sharing := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return setSharing(c, true)
	}}
	beside, besideErr := sharing.ListenPacket(context.Background(), "udp", address.String())
	if besideErr != nil {
		return nil, err
	}
	sock = beside.(*net.UDPConn)
	_ = sharePort(sock, false)
	return sock, nil
}

// udpHint is listenHint for UDP.
func udpHint(err error) string {
	if errors.Is(err, syscall.EADDRINUSE) {
		return " (another program has that UDP port: ss -lunp shows which)"
	}
	return listenHint(err)
}
