package app

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"doorward/config"
	"doorward/internal/safe"
	"doorward/proxy"
)

// listener is one address that connections are accepted on. It outlives
// generations; what becomes of its connections is in face, which a reload may
// replace.
type listener struct {
	address string
	sock    net.Listener
	face    atomic.Pointer[proxy.Listener]
	closed  atomic.Bool
	places  *places
	counts  *proxy.ListenerCounts
}

// open opens the listeners that the configuration has and the instance has not.
func (a *App) open(cfg *config.Config) ([]*listener, error) {
	var opened []*listener
	var errs []error
	leaving := a.leavingSockets(cfg)
	for _, address := range addresses(cfg) {
		if a.listeners[address] != nil {
			continue
		}
		sock, err := listen(address, leaving)
		if err != nil {
			errs = append(errs, fmt.Errorf("%w%s", err, listenHint(err)))
			continue
		}
		opened = append(opened, &listener{
			address: address, sock: sock, places: a.places, counts: proxy.NewListenerCounts(),
		})
	}
	if len(errs) > 0 {
		closeAll(opened)
		return nil, errors.Join(errs...)
	}
	return opened, nil
}

func closeAll(ls []*listener) {
	for _, l := range ls {
		_ = l.sock.Close()
	}
}

func addresses(cfg *config.Config) []string {
	return append(append([]string{}, cfg.Listen.HTTP...), cfg.Listen.HTTPS...)
}

// assign gives every listener the face that the configuration has for it, lets
// new ones accept, and closes those it has no more.
func (a *App) assign(cfg *config.Config) {
	faces := faces(cfg)
	for address, l := range a.listeners {
		face, ok := faces[address]
		if !ok {
			delete(a.listeners, address)
			l.close()
			continue
		}
		if face.RedirectPort == "0" {
			face.RedirectPort = a.realPort(cfg.Listen.HTTPS[0])
		}
		if face.TLS && cfg.Listen.HTTP3 {
			face.AltSvc = fmt.Sprintf(`h3=":%s"; ma=86400`, a.realPort(address))
		}
		old := l.face.Load()
		if old != nil && old.TLS == face.TLS && old.RedirectPort == face.RedirectPort &&
			old.AltSvc == face.AltSvc {
			continue
		}
		face.Counts = l.counts
		l.face.Store(face)
		if old != nil {
			old.Close()
			continue
		}
		log := a.current.log // read here: a reload may replace current at any time
		safe.Go(log, "listener", func() { l.accept(a.engine, log) })
	}
}

func faces(cfg *config.Config) map[string]*proxy.Listener {
	m := map[string]*proxy.Listener{}
	redirect := ""
	if cfg.Listen.HTTPRedirect && len(cfg.Listen.HTTPS) > 0 {
		_, redirect, _ = net.SplitHostPort(cfg.Listen.HTTPS[0])
	}
	for _, address := range cfg.Listen.HTTP {
		m[address] = &proxy.Listener{Name: address, RedirectPort: redirect}
	}
	for _, address := range cfg.Listen.HTTPS {
		m[address] = &proxy.Listener{Name: address, TLS: true}
	}
	return m
}

// Accept errors, such as no more file descriptors, are waited out: the wait
// doubles up to a second.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

// accept accepts connections until the listener closes. Over the limit one
// connection waits here and the others in the kernel: a place is not taken for a
// connection that may never come, since another listener could use it.
func (l *listener) accept(e *proxy.Engine, log *zap.Logger) {
	pause := firstPause
	open := func() bool { return !l.closed.Load() }
	for {
		c, err := l.sock.Accept()
		switch {
		case !open():
			if err == nil {
				_ = c.Close()
			}
			return
		case err != nil:
			log.Warn("accepting pauses", zap.String("listener", l.address), zap.Error(err))
			time.Sleep(pause)
			pause = min(2*pause, lastPause)
			continue
		case !l.places.take(open):
			_ = c.Close()
			return
		}
		pause = firstPause
		face := l.face.Load()
		safe.Go(log, "connection", func() {
			defer l.places.give()
			e.ServeConn(c, face)
		})
	}
}

// close stops accepting. Connections end with the request they are at.
func (l *listener) close() {
	l.closed.Store(true)
	_ = l.sock.Close()
	if face := l.face.Load(); face != nil {
		face.Close()
	}
	l.places.wake()
}

// Addr is where a listener really listens, for one configured with port 0.
func (a *App) Addr(address string) net.Addr {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l := a.listeners[address]; l != nil {
		return l.sock.Addr()
	}
	return nil
}

// realPort is the port that a listener configured with port 0 got.
func (a *App) realPort(address string) string {
	_, port, _ := net.SplitHostPort(a.listeners[address].sock.Addr().String())
	return port
}

// listenHint says what mends the usual reasons why an address cannot be had.
func listenHint(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return " (another program listens there: ss -ltnp shows which)"
	case errors.Is(err, syscall.EACCES):
		return " (ports below 1024 need root or CAP_NET_BIND_SERVICE)"
	}
	return ""
}
