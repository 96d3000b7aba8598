package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/netutil"

	"doorward/config"
	"doorward/internal/safe"
)

// side is a listener beside the traffic: for Prometheus, and for a balancer in front
// that wants to know whether to send any. It speaks plain HTTP.
type side struct {
	address string
	sock    net.Listener
	server  *http.Server
	// pages are what it serves; a reload may bring others.
	pages atomic.Pointer[http.Handler]
	log   *zap.Logger
}

// Bounds of a side listener. More than sideConnections wait in the kernel: files are
// for clients (security case ADM-14).
const (
	sideRead        = 10 * time.Second
	sideAnswer      = 30 * time.Second
	sideGoodbye     = 2 * time.Second
	sideHead        = 16 << 10
	sideConnections = 100
)

// sideHandlers are the addresses that the configuration names, and what they serve.
func (a *App) sideHandlers(cfg *config.Config) map[string]http.Handler {
	m := map[string]http.Handler{}
	if at := cfg.Stats.Health; at != "" {
		m[at] = a.healthPages()
	}
	if at := cfg.Stats.Metrics; at != "" {
		mux := a.healthPages()
		mux.Handle("GET /metrics", a.metrics)
		m[at] = mux
	}
	return m
}

// healthPages answer a balancer in front: whether the process lives, and whether it
// wants requests. They tell nothing else (security case ADM-11).
func (a *App) healthPages() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		tell(w, true)
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		tell(w, !a.leaving.Load())
	})
	return mux
}

func tell(w http.ResponseWriter, ok bool) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("leaving\n"))
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// openSides opens the side listeners that the configuration has and the instance has
// not.
func (a *App) openSides(cfg *config.Config) (opened []*side, err error) {
	leaving := a.leavingSockets(cfg)
	for address := range a.sideHandlers(cfg) {
		if a.sides[address] != nil {
			continue
		}
		sock, err := listen(address, leaving)
		if err != nil {
			closeSides(opened)
			return nil, fmt.Errorf("stats: %w%s", err, listenHint(err))
		}
		opened = append(opened, newSide(address, sock, a.current.log))
	}
	return opened, nil
}

func newSide(address string, sock net.Listener, log *zap.Logger) *side {
	s := &side{address: address, sock: sock, log: log}
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*s.pages.Load()).ServeHTTP(w, r)
	})
	s.server = &http.Server{
		Handler: sameHost(sock.Addr(), pages), ReadTimeout: sideRead, WriteTimeout: sideAnswer,
		IdleTimeout: sideRead, MaxHeaderBytes: sideHead, ErrorLog: zap.NewStdLog(log),
	}
	return s
}

// sameHost keeps web pages out that made the browser's resolver say that their own
// name is this machine (security case ADM-04): on loopback the host asked for must
// be an address, or localhost. One who says none is no browser.
func sameHost(at net.Addr, next http.Handler) http.Handler {
	tcp, ok := at.(*net.TCPAddr)
	if !ok || !tcp.IP.IsLoopback() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		host = strings.Trim(host, "[]")
		_, err := netip.ParseAddr(host)
		if host != "" && err != nil && !strings.EqualFold(host, "localhost") {
			http.Error(w, "this address is for this machine", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// commitSides serves the opened ones and closes those that the configuration has no
// more.
func (a *App) commitSides(cfg *config.Config, opened []*side) {
	for _, s := range opened {
		a.sides[s.address] = s
	}
	pages := a.sideHandlers(cfg)
	for address, s := range a.sides {
		if h, ok := pages[address]; ok {
			s.pages.Store(&h)
			continue
		}
		delete(a.sides, address)
		safe.Go(s.log, "side listener", s.close)
	}
	for _, s := range opened {
		safe.Go(s.log, "side listener", s.serve)
	}
}

func (s *side) serve() {
	bounded := netutil.LimitListener(s.sock, sideConnections)
	if err := s.server.Serve(bounded); !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("side listener closed", zap.String("address", s.address), zap.Error(err))
	}
}

func (s *side) close() {
	ctx, cancel := context.WithTimeout(context.Background(), sideGoodbye)
	defer cancel()
	if s.server.Shutdown(ctx) != nil {
		_ = s.server.Close()
	}
}

func closeSides(sides []*side) {
	for _, s := range sides {
		_ = s.sock.Close()
	}
}
