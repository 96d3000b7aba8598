package backend_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"doorward/proxy/backend"
)

// speaker is a server of net/http that speaks HTTP/2 alone.
type speaker struct {
	net.Listener
	http     *http.Server
	accepted atomic.Int64
}

// speak starts a server on a listener, with TLS if there is a certificate, and stops it
// with the test. Streams is how many requests it takes at a time on a connection.
func speak(t testing.TB, l net.Listener, cert *tls.Certificate, streams int, h http.HandlerFunc) *speaker {
	t.Helper()
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	protocols.SetHTTP2(true)
	s := &speaker{Listener: l}
	s.http = &http.Server{
		Handler: h, Protocols: &protocols,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: streams},
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				s.accepted.Add(1)
			}
		},
	}
	var done sync.WaitGroup
	done.Go(func() {
		if cert != nil {
			s.http.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*cert}}
			_ = s.http.ServeTLS(l, "", "")
			return
		}
		_ = s.http.Serve(l)
	})
	t.Cleanup(func() { _ = s.http.Close(); done.Wait() })
	return s
}

func (s *speaker) url() string { return "h2c://" + s.Addr().String() }

func loopback(t testing.TB) net.Listener { return listen(t, "tcp", "127.0.0.1:0") }

// roundTrip sends a request and reads the answer.
func roundTrip(ctx context.Context, s *backend.Server, method, body string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://app.test/x?y", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	answer, err := s.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	return string(got), err
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_, _ = io.WriteString(w, r.Proto+" "+r.Host+" "+r.RequestURI+" "+string(body))
}

func TestRequestsShareAConnection(t *testing.T) {
	peer := speak(t, loopback(t), nil, 100, echo)
	s := started(t, at(peer.url())).Servers()[0]
	if !s.Multiplexed() || s.Scheme() != "http" {
		t.Fatal("not HTTP/2", s.Scheme())
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			got, err := roundTrip(t.Context(), s, "POST", "body")
			if err != nil || got != "HTTP/2.0 app.test /x?y body" {
				t.Error(got, err)
			}
		})
	}
	all.Wait()
	if n := peer.accepted.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	if c := s.Counters(); c.Connections != 1 || c.Reused != 49 || c.Failures != 0 {
		t.Errorf("counters %+v", c)
	}
}

// A server that takes few requests on one connection gets more of them.
func TestConnectionsAreOpenedAsTheServerWants(t *testing.T) {
	release, inside := make(chan struct{}), make(chan struct{}, 100)
	peer := speak(t, loopback(t), nil, 10, func(w http.ResponseWriter, _ *http.Request) {
		inside <- struct{}{}
		<-release
	})
	s := started(t, at(peer.url())).Servers()[0]
	var all sync.WaitGroup
	for range 35 {
		all.Go(func() {
			if _, err := roundTrip(t.Context(), s, "GET", ""); err != nil {
				t.Error(err)
			}
		})
	}
	for range 35 {
		<-inside
	}
	close(release)
	all.Wait()
	if n := peer.accepted.Load(); n != 4 {
		t.Errorf("%d connections for 35 requests, ten on each", n)
	}
}

func TestConnectionsOfARetiredServerEndWithTheirRequests(t *testing.T) {
	release, inside := make(chan struct{}), make(chan struct{}, 1)
	peer := speak(t, loopback(t), nil, 100, func(w http.ResponseWriter, r *http.Request) {
		inside <- struct{}{}
		<-release
	})
	b, err := backend.New(at(peer.url()), nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Start()
	s := b.Servers()[0]
	first := make(chan error, 1)
	go func() {
		_, err := roundTrip(t.Context(), s, "GET", "")
		first <- err
	}()
	<-inside
	b.Retire(nil)
	close(release)
	if err := <-first; err != nil {
		t.Error("a request in flight at Retire:", err)
	}
	if _, err := roundTrip(t.Context(), s, "GET", ""); err != nil {
		t.Error("a request that holds the old backend:", err)
	}
	// TestMain sees to it that no connection is left.
	if c := s.Counters(); c.Connections != 2 {
		t.Errorf("counters %+v", c)
	}
}

func TestReloadKeepsConnections(t *testing.T) {
	peer := speak(t, loopback(t), nil, 100, echo)
	one := started(t, at(peer.url()))
	if _, err := roundTrip(t.Context(), one.Servers()[0], "GET", ""); err != nil {
		t.Fatal(err)
	}
	two, err := backend.New(at(peer.url()), one)
	if err != nil {
		t.Fatal(err)
	}
	two.Start()
	one.Retire(two)
	t.Cleanup(func() { two.Retire(nil) })
	if _, err := roundTrip(t.Context(), two.Servers()[0], "GET", ""); err != nil {
		t.Fatal(err)
	}
	if n := peer.accepted.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestHTTP2OverTLS(t *testing.T) {
	ca := newAuthority(t)
	cert := ca.leaf(t, time.Hour, "127.0.0.1")
	file := ca.file(t)
	with := func(url string) *backend.Server {
		o := at(url)
		o.HTTP2, o.TLS = true, &backend.TLSOptions{Verify: true, CAFile: file}
		return started(t, o).Servers()[0]
	}
	t.Run("agreed", func(t *testing.T) {
		peer := speak(t, loopback(t), &cert, 100, echo)
		got, err := roundTrip(t.Context(), with("https://"+peer.Addr().String()), "GET", "")
		if err != nil || !strings.HasPrefix(got, "HTTP/2.0 ") {
			t.Error(got, err)
		}
	})
	for name, protocols := range map[string][]string{"refused": {"http/1.1"}, "unknown": nil} {
		t.Run(name, func(t *testing.T) {
			l := tls.NewListener(loopback(t), &tls.Config{
				Certificates: []tls.Certificate{cert}, NextProtos: protocols,
			})
			s := with("https://" + serve(t, l).Addr().String())
			_, err := roundTrip(t.Context(), s, "GET", "")
			wantReason(t, err, backend.TLS, "does not offer HTTP/2")
		})
	}
}

func TestHTTP2OverUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	speak(t, listen(t, "unix", path), nil, 100, echo)
	o := at("unix://" + path)
	o.HTTP2 = true
	got, err := roundTrip(t.Context(), started(t, o).Servers()[0], "GET", "")
	if err != nil || got != "HTTP/2.0 app.test /x?y " {
		t.Error(got, err)
	}
}

func TestPlainURLsAreNotHTTP2(t *testing.T) {
	o := at("http://10.0.0.1:8080")
	o.HTTP2 = true
	if _, err := backend.New(o, nil); err == nil || !strings.Contains(err.Error(), "h2c://10.0.0.1:8080") {
		t.Error(err)
	}
}

func wantReason(t *testing.T, err error, reason backend.Reason, text string) {
	t.Helper()
	var ce *backend.ConnectError
	if !errors.As(err, &ce) || ce.Reason != reason || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want one of %v with %q", err, reason, text)
	}
}

// scripted is a server whose every connection is given to a function.
func scripted(t *testing.T, talk func(net.Conn)) *backend.Server {
	l := loopback(t)
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				defer context.AfterFunc(ctx, func() { _ = c.Close() })()
				talk(c)
			})
		}
	})
	t.Cleanup(func() { cancel(); _ = l.Close(); all.Wait() })
	o := at("h2c://" + l.Addr().String())
	o.Timeouts.Connect = time.Second
	return started(t, o).Servers()[0]
}

// frames takes the client's first words, sends settings, and gives every frame that
// follows to a function.
func frames(t *testing.T, settings []http2.Setting, each func(*http2.Framer, http2.Frame)) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
			t.Error(err)
			return
		}
		f := http2.NewFramer(c, c)
		_ = f.WriteSettings(settings...)
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			if s, ok := frame.(*http2.SettingsFrame); ok && !s.IsAck() {
				_ = f.WriteSettingsAck()
			}
			each(f, frame)
		}
	}
}

func TestSecurityServerSettings(t *testing.T) {
	nothing := func(*http2.Framer, http2.Frame) {}
	t.Run("H2-37_max_frame_size_0", func(t *testing.T) {
		s := scripted(t, frames(t, []http2.Setting{{ID: http2.SettingMaxFrameSize, Val: 0}}, nothing))
		_, err := roundTrip(t.Context(), s, "POST", "body")
		wantReason(t, err, backend.Protocol, "settings are not valid")
	})
	t.Run("H2-37_no_streams", func(t *testing.T) {
		none := []http2.Setting{{ID: http2.SettingMaxConcurrentStreams, Val: 0}}
		s := scripted(t, frames(t, none, nothing))
		_, err := roundTrip(t.Context(), s, "GET", "")
		wantReason(t, err, backend.Protocol, "takes no requests")
	})
}

func TestServersThatDoNotSpeakHTTP2(t *testing.T) {
	t.Run("HTTP/1.1", func(t *testing.T) {
		s := scripted(t, func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			_, _ = io.Copy(io.Discard, c)
		})
		_, err := roundTrip(t.Context(), s, "GET", "")
		wantReason(t, err, backend.Protocol, "does not speak HTTP/2")
	})
	t.Run("closes", func(t *testing.T) {
		s := scripted(t, func(c net.Conn) { _, _ = io.ReadFull(c, make([]byte, 24)) })
		_, err := roundTrip(t.Context(), s, "GET", "")
		wantReason(t, err, backend.Protocol, "closes the connection")
	})
	t.Run("silent", func(t *testing.T) {
		s := scripted(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
		_, err := roundTrip(t.Context(), s, "GET", "")
		wantReason(t, err, backend.Timeout, "deadline")
	})
	t.Run("not there", func(t *testing.T) {
		l := loopback(t)
		address := l.Addr().String()
		_ = l.Close()
		s := started(t, at("h2c://"+address)).Servers()[0]
		_, err := roundTrip(t.Context(), s, "GET", "")
		wantReason(t, err, backend.Dial, "refused")
		if c := s.Counters(); c.Failures != 1 {
			t.Errorf("counters %+v", c)
		}
	})
}

// What a server did nothing of may go out again, whatever the method.
func TestRefusedRequests(t *testing.T) {
	refusals := map[string]func(*http2.Framer, uint32){
		"REFUSED_STREAM": func(f *http2.Framer, id uint32) { _ = f.WriteRSTStream(id, http2.ErrCodeRefusedStream) },
		"GOAWAY":         func(f *http2.Framer, _ uint32) { _ = f.WriteGoAway(0, http2.ErrCodeNo, nil) },
	}
	for name, refuse := range refusals {
		t.Run(name, func(t *testing.T) {
			s := scripted(t, frames(t, nil, func(f *http2.Framer, frame http2.Frame) {
				if h, ok := frame.(*http2.HeadersFrame); ok {
					refuse(f, h.StreamID)
				}
			}))
			_, err := roundTrip(t.Context(), s, "POST", "body")
			var refused *backend.RefusedError
			if !errors.As(err, &refused) || !refused.Sent {
				t.Errorf("%T %v", err, err)
			}
		})
	}
	t.Run("INTERNAL_ERROR", func(t *testing.T) {
		s := scripted(t, frames(t, nil, func(f *http2.Framer, frame http2.Frame) {
			if h, ok := frame.(*http2.HeadersFrame); ok {
				_ = f.WriteRSTStream(h.StreamID, http2.ErrCodeInternal)
			}
		}))
		_, err := roundTrip(t.Context(), s, "POST", "body")
		var refused *backend.RefusedError
		if err == nil || errors.As(err, &refused) {
			t.Error(err)
		}
	})
}

func TestHeadOfAnAnswerIsBounded(t *testing.T) {
	peer := speak(t, loopback(t), nil, 100, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Large", strings.Repeat("x", 80<<10))
	})
	s := started(t, at(peer.url())).Servers()[0]
	if _, err := roundTrip(t.Context(), s, "GET", ""); err == nil {
		t.Error("80 KiB went through")
	}
}

func TestWaitForAConnectionEndsWithTheRequest(t *testing.T) {
	s := scripted(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	why := errors.New("client gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	body := &closes{Reader: bytes.NewReader([]byte("x"))}
	r := &http.Request{
		Method: "POST", URL: &url.URL{Scheme: "http", Host: "a", Opaque: "/"}, Header: http.Header{}, Body: body,
	}
	if _, err := s.RoundTrip(r.WithContext(ctx)); !errors.Is(err, why) {
		t.Error(err)
	}
	if !body.closed.Load() {
		t.Error("the body was left open")
	}
}

type closes struct {
	io.Reader
	closed atomic.Bool
}

func (c *closes) Close() error { c.closed.Store(true); return nil }

func TestGotConnTellsWhetherAConnectionIsNew(t *testing.T) {
	peer := speak(t, loopback(t), nil, 100, echo)
	s := started(t, at(peer.url())).Servers()[0]
	var seen []bool
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { seen = append(seen, info.Reused) },
	})
	for range 2 {
		if _, err := roundTrip(ctx, s, "GET", ""); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 2 || seen[0] || !seen[1] {
		t.Errorf("reused: %v", seen)
	}
}

// A connection on which nothing comes back any more is not used again.
func TestDeadConnectionIsLeftAlone(t *testing.T) {
	var conns atomic.Int64
	s := scripted(t, func(c net.Conn) {
		first := conns.Add(1) == 1
		frames(t, nil, func(f *http2.Framer, frame http2.Frame) {
			if h, ok := frame.(*http2.HeadersFrame); ok && !first {
				_ = f.WriteRSTStream(h.StreamID, http2.ErrCodeRefusedStream)
			}
		})(c)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	if _, err := roundTrip(ctx, s, "GET", ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	var refused *backend.RefusedError
	if _, err := roundTrip(t.Context(), s, "GET", ""); !errors.As(err, &refused) || conns.Load() != 2 {
		t.Errorf("%v on %d connections", err, conns.Load())
	}
}
