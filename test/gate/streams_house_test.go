package gate_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/net/http2"

	"doorward/internal/edgetest"
)

// streamsHouse is an edge whose server tells how far it is with each request: what a
// client that does nothing has open can be seen from there alone.
type streamsHouse struct {
	*gatedHouse
	server *streamsServer
}

// The scheme is how the edge speaks with the server: "http" or "h2c".
func newStreamsHouse(t *testing.T, scheme string) *streamsHouse {
	s := &streamsServer{lives: map[string]*streamsLife{}, quit: make(chan struct{})}
	server := httptest.NewUnstartedServer(s)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(scheme == "http")
	server.Config.Protocols.SetUnencryptedHTTP2(scheme == "h2c")
	server.Start()
	t.Cleanup(server.Close)
	site := gatedSite(scheme+"://"+server.Listener.Addr().String(), "")
	site.Listen = "http3 = true"
	h := &streamsHouse{&gatedHouse{edgetest.Start(t, site), t}, s}
	t.Cleanup(func() { close(s.quit) }) // an edge waits for what is not answered yet
	return h
}

// streamsServer keeps requests by the ID in their query. One without is answered at once.
type streamsServer struct {
	quit  chan struct{}
	mu    sync.Mutex
	lives map[string]*streamsLife
}

// streamsLife is that of one request: it is at work when it moved, and over when the
// server has nothing to do with it any more.
type streamsLife struct {
	moved atomic.Int64 // bytes, from the server or to it
	over  chan struct{}
}

func (s *streamsServer) life(id string) *streamsLife {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lives[id] == nil {
		s.lives[id] = &streamsLife{over: make(chan struct{})}
	}
	return s.lives[id]
}

// ServeHTTP does what the path says, for ever.
func (s *streamsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	if id == "" {
		tellHead(w, r)
		return
	}
	l := s.life(id)
	defer close(l.over)
	switch piece := make([]byte, 32<<10); r.URL.Path {
	case "/download":
		l.move(func() (int, error) { return w.Write(piece) })
	case "/ticks":
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		l.move(func() (int, error) {
			<-tick.C
			_, _ = w.Write(piece[:100])
			return 100, errors.Join(http.NewResponseController(w).Flush(), r.Context().Err())
		})
	case "/upload":
		l.move(func() (int, error) { return r.Body.Read(piece) })
	case "/late":
		l.moved.Store(1)
		select {
		case <-r.Context().Done():
		case <-s.quit:
		}
	case "/ws":
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		ctx := context.Background() // that of the request is over for whoever has a tunnel
		l.move(func() (int, error) { return len(piece), c.Write(ctx, websocket.MessageBinary, piece) })
	}
}

// move counts what one step after the other does, up to an error.
func (l *streamsLife) move(step func() (int, error)) {
	for {
		n, err := step()
		l.moved.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// works waits until the request has come to the server and something moved.
func (l *streamsLife) works(t *testing.T, name string) {
	t.Helper()
	wait(t, name+" at the server", func() bool { return l.moved.Load() > 0 })
}

// stalls waits until nothing moves any more, since the client takes nothing.
func (l *streamsLife) stalls(t *testing.T, name string) {
	t.Helper()
	last, same := int64(-1), 0
	wait(t, name+" at a stop", func() bool {
		now := l.moved.Load()
		if same++; now != last || now == 0 {
			last, same = now, 0
		}
		return same > 50
	})
}

func (l *streamsLife) isOver() bool {
	select {
	case <-l.over:
		return true
	default:
		return false
	}
}

// streamsKind opens something that lasts, brings it as far as it can get, and returns what
// tells whether the client learns of its end within a second.
type streamsKind func(h *streamsHouse, b *browser, id string) (ended func() bool)

// streamsKinds are those whose client reads no answer: it takes none, it still sends, or
// there is none yet.
func streamsKinds() map[string]streamsKind {
	return map[string]streamsKind{
		"a download over HTTP/1.1 that nobody reads":  streamsText("GET /download", true),
		"an upload over HTTP/1.1":                     streamsText("POST /upload", false),
		"an answer over HTTP/1.1 that is not there":   streamsText("GET /late", false),
		"a WebSocket over HTTP/1.1 that nobody reads": streamsText("GET /ws", true),
		"a download over HTTP/2 without a window":     streamsFrames("GET", "/download", 0),
		"a download over HTTP/2 that nobody reads":    streamsFrames("GET", "/download", 1<<30),
		"an upload over HTTP/2":                       streamsFrames("POST", "/upload", 0),
		"an answer over HTTP/2 that is not there":     streamsFrames("GET", "/late", 0),
		"a download over HTTP/3":                      streamsQUIC("GET", "/ticks"),
		"an upload over HTTP/3":                       streamsQUIC("POST", "/upload"),
	}
}

// streamsText speaks HTTP/1.1. The client reads nothing before the end.
func streamsText(line string, stalls bool) streamsKind {
	return func(h *streamsHouse, b *browser, id string) func() bool {
		c := h.DialTLS(b.t, "app.example")
		c.Send(line + "?id=" + url.QueryEscape(id) + " HTTP/1.1⏎Host: app.example⏎Cookie: " + b.cookies("app.example"))
		switch line {
		case "POST /upload":
			c.Send("⏎Transfer-Encoding: chunked⏎⏎1⏎x⏎")
		case "GET /ws":
			c.Send("⏎Origin: https://app.example⏎Connection: upgrade⏎Upgrade: websocket⏎" +
				"Sec-WebSocket-Version: 13⏎Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==⏎⏎")
		default:
			c.Send("⏎⏎")
		}
		streamsReady(h, b, id, stalls)
		return func() bool {
			_ = c.Conn().SetDeadline(time.Now().Add(time.Second))
			_, err := io.Copy(io.Discard, c.Rest())
			return !streamsTimeout(err)
		}
	}
}

// streamsFrames speaks HTTP/2. What the client does not give in windows it does not get,
// and it reads nothing before the end.
func streamsFrames(method, path string, window uint32) streamsKind {
	return func(h *streamsHouse, b *browser, id string) func() bool {
		f := streamsDial(h, b, window)
		streamsAsk(f, 1, method, path+"?id="+url.QueryEscape(id), b.cookies("app.example"))
		streamsReady(h, b, id, path == "/download")
		patience := time.Second
		if window > 0 {
			patience = edgetest.Patience // for megabytes on their way, read before the end is
		}
		return func() bool {
			_ = f.Conn().SetDeadline(time.Now().Add(patience))
			r, err := f.TryWait(1)
			return r.Reset || err != nil && !streamsTimeout(err)
		}
	}
}

func streamsDial(h *streamsHouse, b *browser, window uint32) *edgetest.Frames {
	if window == 0 {
		return h.DialHTTP2(b.t, "app.example")
	}
	f := h.DialHTTP2(b.t, "app.example",
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	f.Check(f.Framer.WriteWindowUpdate(0, window))
	return f
}

// streamsAsk opens a stream, and leaves it open where there is something to send.
func streamsAsk(f *edgetest.Frames, id uint32, method, target, cookies string) {
	f.Headers(id, method == "GET", ":method: "+method, ":scheme: https",
		":authority: app.example", ":path: "+target, "cookie: "+cookies)
	if method != "GET" {
		f.Data(id, false, "x")
	}
}

// streamsQUIC speaks HTTP/3, with a client that is not ours.
func streamsQUIC(method, path string) streamsKind {
	return func(h *streamsHouse, b *browser, id string) func() bool {
		transport := h.protocolsQUIC(b.t)
		var body io.Reader
		if method == "POST" {
			from, to := io.Pipe()
			b.t.Cleanup(func() { _ = to.Close() })
			go func() { _, _ = to.Write([]byte("x")) }()
			body = from
		}
		r, err := http.NewRequestWithContext(b.t.Context(), method,
			"https://app.example"+path+"?id="+url.QueryEscape(id), body)
		if err != nil {
			b.t.Fatal(err)
		}
		r.Header.Set("Cookie", b.cookies("app.example"))
		done := make(chan struct{})
		go func() {
			defer close(done)
			if a, err := transport.RoundTrip(r); err == nil {
				_, _ = io.Copy(io.Discard, a.Body)
				_ = a.Body.Close()
			}
		}()
		streamsReady(h, b, id, false)
		return func() bool { return comesBack(time.Second, func() { <-done }) }
	}
}

// streamsReady waits until a request is where it can get to.
func streamsReady(h *streamsHouse, b *browser, id string, stalls bool) {
	b.t.Helper()
	l := h.server.life(id)
	l.works(b.t, id)
	if stalls {
		l.stalls(b.t, id)
	}
}

func streamsTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
