package gate_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"doorward/internal/edgetest"
)

// protocolsServer tells what it was asked, and keeps it.
type protocolsServer struct {
	*httptest.Server

	mu  sync.Mutex
	saw []string // "METHOD host path"
}

func newProtocolsServer(t *testing.T) *protocolsServer {
	s := new(protocolsServer)
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP implements http.Handler.
func (s *protocolsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.saw = append(s.saw, r.Method+" "+r.Host+" "+r.URL.Path)
	s.mu.Unlock()
	switch r.URL.Path {
	case "/ws", "/time", "/download":
		tellTime(w, r)
		return
	}
	w.Header().Set("X-Server", "here")
	_, _ = io.Copy(io.Discard, r.Body)
	fmt.Fprintf(w, "%s %s\r\n", r.Method, r.URL.Path)
	_ = r.Header.Write(w)
	_ = r.Trailer.Write(w)
}

// seen returns what the server was asked since the last time.
func (s *protocolsServer) seen() (saw []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	saw, s.saw = s.saw, nil
	return saw
}

// protocolsOver are clients that follow nothing and keep no cookies, one per protocol. HTTP/3
// is there where the edge has it.
func (h *gatedHouse) protocolsOver(t *testing.T, http3 bool) map[string]http.RoundTripper {
	all := map[string]http.RoundTripper{}
	for name, protocol := range map[string]string{"HTTP/1.1": "http/1.1", "HTTP/2": "h2"} {
		transport := &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: h.Roots(), NextProtos: []string{protocol}},
			ForceAttemptHTTP2: protocol == "h2",
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", h.HTTPS)
			},
		}
		t.Cleanup(transport.CloseIdleConnections)
		all[name] = transport
	}
	if http3 {
		all["HTTP/3"] = h.protocolsQUIC(t)
	}
	return all
}

// protocolsQUIC speaks HTTP/3 with the edge, whatever host is asked for.
func (h *gatedHouse) protocolsQUIC(t *testing.T) *http3.Transport {
	transport := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: h.Roots()},
		Dial: func(ctx context.Context, _ string, c *tls.Config, q *quic.Config) (*quic.Conn, error) {
			return quic.DialAddr(ctx, h.HTTPS, c, q)
		},
	}
	t.Cleanup(func() { _ = transport.Close() })
	return transport
}

// protocolsAnswer is an answer as a whole.
type protocolsAnswer struct {
	*http.Response
	body string
}

// protocolsAsk sends "METHOD URL" with fields given as "Name: value".
func protocolsAsk(
	t *testing.T, over http.RoundTripper, line string, fields ...string,
) protocolsAnswer {
	t.Helper()
	method, url, _ := strings.Cut(line, " ")
	ctx, cancel := context.WithTimeout(t.Context(), edgetest.Patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header[name] = append(r.Header[name], value) // as it is spelled
	}
	a, err := over.RoundTrip(r)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return protocolsAnswer{a, string(body)}
}

// protocolsMajor is the version that a protocol's name means.
func protocolsMajor(name string) int { return int(name[len("HTTP/")] - '0') }
