package gate_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"doorward/internal/edgetest"
)

// newHTTP3House has HTTP/3 beside the others.
func newHTTP3House(t *testing.T) (*gatedHouse, *protocolsServer) {
	server := newProtocolsServer(t)
	site := providerSite(server.URL, "", "")
	site.Listen = "http3 = true"
	return &gatedHouse{edgetest.Start(t, site), t}, server
}

// quicBrowser is a browser that does everything over HTTP/3, signing in too.
func (h *gatedHouse) quicBrowser() *browser {
	b := h.browser()
	b.Transport = h.protocolsQUIC(h.t)
	return b
}

// Who comes over HTTP/3 is asked who they are as everybody else is, and signs in there.
func TestGateOverHTTP3(t *testing.T) {
	h, server := newHTTP3House(t)
	h.administrator()
	over := h.protocolsQUIC(t)
	visit := []string{"Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}
	a := protocolsAsk(t, over, "GET https://app.example/x?y=1", visit...)
	to, err := url.Parse(a.Header.Get("Location"))
	if err != nil || a.StatusCode != 302 || to.Host != "login.example" || a.ProtoMajor != 3 {
		t.Errorf("a page: %d to %q over %s", a.StatusCode, to, a.Proto)
	}
	for what, fields := range map[string][]string{
		"a program": {"Accept: application/json"}, "a script": {"Sec-Fetch-Mode: cors"},
		"a stream":              {"Accept: text/event-stream"},
		"a ticket that is none": {"Cookie: __Host-doorward=" + strings.Repeat("x", 44)},
	} {
		a := protocolsAsk(t, over, "GET https://app.example/x", fields...)
		if a.StatusCode != 401 || a.Header.Get("WWW-Authenticate") == "" ||
			!strings.Contains(a.body, "unauthenticated") || a.Header.Get("Location") != "" {
			t.Errorf("%s: %d %v\n%s", what, a.StatusCode, a.Header, a.body)
		}
	}
	if saw := server.seen(); saw != nil {
		t.Errorf("the server was asked %q by nobody", saw)
	}
	b := h.quicBrowser()
	p := b.signIn("https://app.example/x?y=1", "alice", gatePassword)
	if p.status != 200 || p.url != "https://app.example/x?y=1" ||
		strings.Count(p.body, "X-Authentik-Username: alice\r\n") != 1 ||
		strings.Count(p.body, "X-Authentik-Groups: admins\r\n") != 1 ||
		strings.Count(p.body, "X-Authentik-Jwt: ey") != 1 || strings.Contains(p.body, "Cookie") {
		t.Errorf("signed in: %d at %s\n%s", p.status, p.url, p.body)
	}
	if p := b.open("https://chief.example/"); p.status != 403 || p.url != "https://chief.example/" {
		t.Errorf("what alice may not: %d at %s", p.status, p.url)
	}
	b.send("/sign_out", url.Values{})
	if p := b.open("https://app.example/"); !strings.HasPrefix(p.url, "https://login.example/") {
		t.Errorf("signed out: %d at %s", p.status, p.url)
	}
}

// Acceptance 7 over HTTP/3.
func TestAcceptance07OverHTTP3(t *testing.T) {
	h, _ := newHTTP3House(t)
	alice := h.administrator()
	alice.open("https://app.example/")
	mine := "Cookie: " + alice.cookies("app.example")
	over := h.protocolsQUIC(t)
	for name, at := range map[string]struct {
		url, cookie string
		known       bool
	}{
		"public_route":          {"https://open.example/", "X: x", false},
		"public_path":           {"https://app.example/healthz", "X: x", false},
		"public_path_signed_in": {"https://app.example/healthz", mine, false},
		"gated_route":           {"https://app.example/", mine, true},
	} {
		t.Run(name, func(t *testing.T) {
			all := []string{at.cookie}
			var seen []string
			for _, field := range claimed {
				one := protocolsAsk(t, over, "GET "+at.url, at.cookie, field+": root")
				seen, all = append(seen, one.body), append(all, field+": root")
			}
			seen = append(seen, protocolsAsk(t, over, "GET "+at.url, all...).body,
				quicTrailers(t, over, at.url, at.cookie))
			for _, text := range seen[:len(seen)-1] {
				if !strings.HasPrefix(text, "GET ") {
					t.Errorf("the server did not answer but\n%s", text)
				}
			}
			judge(t, at.known, seen)
		})
	}
}

// quicTrailers sends the fields behind a body, and returns what the server saw.
func quicTrailers(t *testing.T, over http.RoundTripper, url, cookie string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url,
		io.NopCloser(strings.NewReader("x")))
	if err != nil {
		t.Fatal(err)
	}
	name, value, _ := strings.Cut(cookie, ": ")
	r.Header.Set(name, value)
	r.Trailer = http.Header{}
	for _, name := range claimed {
		r.Trailer[name] = []string{"root"}
	}
	a, err := over.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != 200 || !strings.HasPrefix(string(body), "PUT ") {
		t.Errorf("with trailers: %d, %v\n%s", a.StatusCode, err, body)
	}
	return string(body)
}

// quicTunnel asks for a protocol over a stream of HTTP/3 (RFC 9220).
func (h *gatedHouse) quicTunnel(
	t *testing.T, protocol string, fields ...string,
) (*http3.RequestStream, *http.Response, error) {
	t.Helper()
	over := h.protocolsQUIC(t)
	tls := over.TLSClientConfig.Clone()
	tls.ServerName, tls.NextProtos = "app.example", []string{http3.NextProtoH3}
	conn, err := over.Dial(t.Context(), "", tls, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseWithError(0x100, "") })
	client := over.NewClientConn(conn)
	<-client.ReceivedSettings()
	if !client.Settings().EnableExtendedConnect {
		t.Fatal("the edge does not offer extended CONNECT")
	}
	s, err := client.OpenRequestStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = s.SetDeadline(time.Now().Add(edgetest.Patience))
	r := &http.Request{
		Method: http.MethodConnect, Proto: protocol, Host: "app.example", Header: http.Header{},
		URL: &url.URL{Scheme: "https", Host: "app.example", Path: "/ws"},
	}
	for _, field := range append(fields, "Sec-Websocket-Version: 13") {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Set(name, value)
	}
	if err := s.SendRequestHeader(r); err != nil {
		t.Fatal(err)
	}
	a, err := s.ReadResponse()
	return s, a, err
}

// A WebSocket over HTTP/3 needs a session and a page of the same host, and ends with the
// session.
func TestWebSocketsOverHTTP3(t *testing.T) {
	h, server := newHTTP3House(t)
	alice := h.administrator()
	alice.open("https://app.example/")
	mine, own := "Cookie: "+alice.cookies("app.example"), "Origin: https://app.example"
	server.seen()
	for name, c := range map[string]struct {
		status int
		fields []string
	}{
		"nobody":                 {401, []string{own}},
		"a preflight of nobody":  {401, []string{own, "Access-Control-Request-Method: GET"}},
		"WS-11_a_page_elsewhere": {403, []string{mine, "Origin: https://evil.example"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, a, err := h.quicTunnel(t, "websocket", c.fields...)
			if err != nil || a.StatusCode != c.status || a.Header.Get("Location") != "" {
				t.Errorf("%+v, %v, want %d", a, err, c.status)
			}
		})
	}
	t.Run("to something else than a WebSocket", func(t *testing.T) {
		for _, protocol := range []string{"connect-udp", "connect-ip", ""} {
			if _, a, err := h.quicTunnel(t, protocol, mine, own); err == nil && a.StatusCode < 400 {
				t.Errorf("%q: %d", protocol, a.StatusCode)
			}
		}
	})
	if saw := server.seen(); saw != nil {
		t.Errorf("the server was asked %q", saw)
	}
	t.Run("WS-12_one that goes on ends with its session", func(t *testing.T) {
		s, a, err := h.quicTunnel(t, "websocket", mine, own)
		if err != nil || a.StatusCode != 200 {
			t.Fatalf("%+v, %v", a, err)
		}
		// A frame with a mask of zeros comes back without one.
		if _, err := io.WriteString(s, "\x82\x81\x00\x00\x00\x00x"); err != nil {
			t.Fatal(err)
		}
		echo := make([]byte, 3)
		if _, err := io.ReadFull(s, echo); err != nil || string(echo) != "\x82\x01x" {
			t.Fatalf("%q, %v", echo, err)
		}
		alice.send("/sign_out", url.Values{})
		_ = s.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := io.ReadAll(s); streamsTimeout(err) {
			t.Error("the WebSocket is open a second after the sign-out")
		}
	})
}
