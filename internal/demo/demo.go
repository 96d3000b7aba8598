// Package demo holds the small servers that `doorward demo` puts behind the edge:
// they show the request as it reached them, stream events, echo WebSocket
// messages and take their time when asked to, so that each of these can be tried
// through a proxy.
//
// It knows nothing of the edge; package app joins the two. It is for loopback:
// whatever a client sends is shown to it again.
package demo

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"

	"doorward/internal/safe"
)

// Server is one running server.
type Server struct {
	sock   net.Listener
	server *http.Server
	end    context.CancelFunc
}

const (
	headTime = 10 * time.Second
	idleTime = 2 * time.Minute
)

// Start starts a server with the given name on a free port of loopback.
func Start(name string, log *zap.Logger) (*Server, error) {
	sock, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("demo server %s: %w", name, err)
	}
	ctx, end := context.WithCancel(context.Background())
	s := &Server{sock: sock, end: end, server: &http.Server{
		Handler: Handler(name), ReadHeaderTimeout: headTime, IdleTimeout: idleTime,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    zap.NewStdLog(log),
	}}
	safe.Go(log, "demo server", func() { _ = s.server.Serve(sock) })
	return s, nil
}

// URL is where the server answers.
func (s *Server) URL() string { return "http://" + s.sock.Addr().String() }

// Close ends the server and whatever it is answering.
func (s *Server) Close() {
	s.end()
	_ = s.server.Close()
}
