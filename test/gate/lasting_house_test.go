package gate_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"doorward/app"
	"doorward/internal/edgetest"
)

// lastingHouse is an edge with apps whose answers last: one for everybody, one for the
// group staff, and one that speaks gRPC.
type lastingHouse struct {
	*gatedHouse
	app.Client
	site edgetest.Config
}

// lastingSite is its configuration, with further keys of sign_in.
func lastingSite(socket, server, grpc, more string) edgetest.Config {
	route := func(name, backend, access string) string {
		return fmt.Sprintf(`
			[[route]]
			name = %q
			hosts = ["%s.example"]
			backend = %q
			access = %s
		`, name, name, backend, access)
	}
	return edgetest.Config{Listen: fmt.Sprintf("control = %q", socket), Text: `
		[sign_in]
		host = "login.example"
		` + more + `
		[groups.staff]
		` + route("app", "app", `"any-user"`) + route("staff", "app", `{ groups = ["staff"] }`) +
		route("grpc", "grpc", `"any-user"`) + `
		[backends.app]
		servers = ["` + server + `"]
		[backends.grpc]
		servers = ["h2c://` + grpc + `"]
	`}
}

func newLastingHouse(t *testing.T, more string) *lastingHouse {
	server := httptest.NewServer(http.HandlerFunc(tellTime))
	t.Cleanup(server.Close)
	folder, err := os.MkdirTemp("", "gate") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	socket := filepath.Join(folder, "sock")
	site := lastingSite(socket, server.URL, echoCalls(t), more)
	h := &lastingHouse{&gatedHouse{edgetest.Start(t, site), t}, app.Client{Socket: socket}, site}
	for _, name := range []string{"bob", "eve"} {
		if _, err := h.AddUser(t.Context(), app.NewUser{
			Name: name, Password: gatePassword, Groups: []string{"staff"},
		}); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// somebody is a browser in which a user is signed in, on all hosts.
func (h *lastingHouse) somebody(name string) *browser {
	h.t.Helper()
	b := h.browser()
	if p := b.signIn("https://app.example/", name, gatePassword); p.status != http.StatusOK {
		h.t.Fatalf("%s: %d at %s\n%s", name, p.status, p.url, p.body)
	}
	b.open("https://staff.example/")
	b.open("https://grpc.example/")
	return b
}

// tellTime answers with what has no end: messages that are sent back, or the time.
func tellTime(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/ws":
		echo(w, r)
		return
	case "/time":
		w.Header().Set("Content-Type", "text/event-stream")
	case "/download":
		w.Header().Set("Content-Length", "1000000000")
	default:
		_ = r.Header.Write(w)
		return
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for r.Context().Err() == nil {
		if _, err := io.WriteString(w, "data: tick\n"); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-tick.C:
		case <-r.Context().Done():
		}
	}
}

// rawCodec passes messages of gRPC on as they are.
type rawCodec struct{}

func (rawCodec) Name() string                  { return "raw" }
func (rawCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

// echoCalls is the address of a server of gRPC that sends back what it gets.
func echoCalls(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.ForceServerCodec(rawCodec{}),
		grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
			for {
				var message []byte
				if err := s.RecvMsg(&message); err != nil {
					return err
				}
				if err := s.SendMsg(&message); err != nil {
					return err
				}
			}
		}))
	served := make(chan struct{})
	go func() { defer close(served); _ = s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-served })
	return l.Addr().String()
}

// lasting is an answer that lasts. Its pieces come one by one, until the channel closes.
type lasting struct {
	pieces <-chan string
	// ask makes the server send a piece, where it does not by itself.
	ask func() error
}

// goes tells whether the answer still goes on.
func (l *lasting) goes() bool {
	for range 2 { // one may have come before
		if l.ask != nil && l.ask() != nil {
			return false
		}
		select {
		case _, more := <-l.pieces:
			if !more {
				return false
			}
		case <-time.After(edgetest.Patience):
			return false
		}
	}
	return true
}

// ends tells whether the answer ends within a second.
func (l *lasting) ends() bool {
	within := time.After(time.Second)
	for {
		select {
		case _, more := <-l.pieces:
			if !more {
				return true
			}
		case <-within:
			return false
		}
	}
}

// pieces gives what read returns to a channel, up to its first error.
func pieces(ctx context.Context, read func() (string, error)) <-chan string {
	all := make(chan string)
	go func() {
		defer close(all)
		for {
			piece, err := read()
			if err != nil {
				return
			}
			select {
			case all <- piece:
			case <-ctx.Done():
				return
			}
		}
	}()
	return all
}

// openSocket is a WebSocket over HTTP/1.1.
func openSocket(_ *lastingHouse, b *browser, host string) *lasting {
	c, ctx := b.socket(host), b.t.Context()
	return &lasting{
		pieces(ctx, func() (string, error) { _, m, err := c.Read(ctx); return string(m), err }),
		func() error { return c.Write(ctx, 1, []byte("x")) },
	}
}

// openStreamSocket is a WebSocket over HTTP/2 (RFC 8441). What it carries is taken for
// bytes: a frame with a mask of zeros comes back without one.
func openStreamSocket(h *lastingHouse, b *browser, host string) *lasting {
	f := h.DialHTTP2(b.t, host)
	f.Headers(1, false, ":method: CONNECT", ":protocol: websocket", ":scheme: https",
		":authority: "+host, ":path: /ws", "sec-websocket-version: 13", "origin: https://"+host,
		"cookie: "+b.cookies(host))
	const frame = "\x82\x81\x00\x00\x00\x00x"
	// As a whole frame of DATA, since the framer belongs to the goroutine that reads.
	const data = "\x00\x00\x07\x00\x00\x00\x00\x00\x01" + frame
	got := 0
	return &lasting{
		pieces(b.t.Context(), func() (string, error) {
			for len(f.Reply(1).Body) == got {
				if r := f.Reply(1); r.Reset || r.Ended || r.Status != "" && r.Status != "200" {
					return "", fmt.Errorf("the stream is over: %+v", r)
				}
				if err := f.Read(); err != nil {
					return "", err
				}
			}
			got = len(f.Reply(1).Body)
			return "x", nil
		}),
		func() error { f.Raw(data); return nil },
	}
}

// openCall is a call of gRPC in which messages come back.
func openCall(h *lastingHouse, b *browser, _ string) *lasting {
	const host = "grpc.example"
	c, err := grpc.NewClient("passthrough:///"+h.HTTPS, grpc.WithAuthority(host),
		grpc.WithTransportCredentials(credentials.NewTLS(
			&tls.Config{ServerName: host, RootCAs: h.Roots()})),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{})))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = c.Close() })
	ctx := metadata.AppendToOutgoingContext(b.t.Context(), "cookie", b.cookies(host))
	s, err := c.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/a.B/C")
	if err != nil {
		b.t.Fatal(err)
	}
	message := []byte("x")
	return &lasting{
		pieces(ctx, func() (string, error) {
			var got []byte
			err := s.RecvMsg(&got)
			return string(got), err
		}),
		func() error { return s.SendMsg(&message) },
	}
}

// openAnswer is an answer whose body goes on, over one protocol.
func openAnswer(path, protocol string) func(*lastingHouse, *browser, string) *lasting {
	return func(_ *lastingHouse, b *browser, host string) *lasting {
		transport := b.Transport.(*http.Transport).Clone()
		transport.ForceAttemptHTTP2 = protocol == "h2"
		transport.TLSClientConfig.NextProtos = []string{protocol}
		b.t.Cleanup(transport.CloseIdleConnections)
		r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, "https://"+host+path, nil)
		if err != nil {
			b.t.Fatal(err)
		}
		a, err := (&http.Client{Transport: transport, Jar: b.Jar}).Do(r)
		if err != nil || a.StatusCode != http.StatusOK || (a.ProtoMajor == 2) != (protocol == "h2") {
			b.t.Fatalf("%s: %v, %v", path, a, err)
		}
		b.t.Cleanup(func() { _ = a.Body.Close() })
		lines := bufio.NewReader(a.Body)
		return &lasting{
			pieces: pieces(b.t.Context(), func() (string, error) { return lines.ReadString('\n') }),
		}
	}
}

// cookies are those that the browser sends to a host, as they stand in the field.
func (b *browser) cookies(host string) string {
	var all []string
	for _, c := range b.Jar.Cookies(&url.URL{Scheme: "https", Host: host, Path: "/"}) {
		all = append(all, c.Name+"="+c.Value)
	}
	return strings.Join(all, "; ")
}
