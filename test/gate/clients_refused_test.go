package gate_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"doorward/app"
)

// Real clients of gRPC are told in the way that they understand: who is nobody, and who
// is somebody and may not.
func TestCallsWithoutARightEndAsGRPCSays(t *testing.T) {
	h := newLastingHouse(t, "")
	if _, err := h.AddUser(t.Context(), app.NewUser{Name: "tom", Password: gatePassword}); err != nil {
		t.Fatal(err)
	}
	site := h.site
	site.Text = strings.Replace(site.Text, "backend = \"grpc\"\n\t\t\taccess = \"any-user\"",
		"backend = \"grpc\"\naccess = { groups = [\"staff\"] }", 1)
	if err := h.Edge.Reload(site); err != nil {
		t.Fatal(err)
	}
	tom := h.browser()
	tom.signIn("https://app.example/", "tom", gatePassword)
	tom.open("https://grpc.example/")
	if tom.cookies("grpc.example") == "" {
		t.Fatal("no cookie for the host of gRPC")
	}
	for name, c := range map[string]struct {
		cookies string
		want    codes.Code
	}{
		"nobody":                {"", codes.Unauthenticated},
		"a ticket that is none": {"__Host-doorward=" + strings.Repeat("x", 44), codes.Unauthenticated},
		"not in the group":      {tom.cookies("grpc.example"), codes.PermissionDenied},
	} {
		t.Run(name, func(t *testing.T) {
			if got := clientsCall(t, h, c.cookies); got != c.want {
				t.Errorf("the call ends with %v, want %v", got, c.want)
			}
		})
	}
}

// clientsCall is the status with which a call ends.
func clientsCall(t *testing.T, h *lastingHouse, cookies string) codes.Code {
	t.Helper()
	const host = "grpc.example"
	c, err := grpc.NewClient("passthrough:///"+h.HTTPS, grpc.WithAuthority(host),
		grpc.WithTransportCredentials(credentials.NewTLS(
			&tls.Config{ServerName: host, RootCAs: h.Roots()})),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{})))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ctx := t.Context()
	if cookies != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "cookie", cookies)
	}
	message, answer := []byte("x"), []byte(nil)
	return status.Code(c.Invoke(ctx, "/a.B/C", &message, &answer))
}

// A WebSocket of nobody is refused in the handshake, over both protocols, and so is one
// that a page of another site opens with the cookies of somebody (cross-site hijacking).
func TestHandshakesWithoutARight(t *testing.T) {
	h := newLastingHouse(t, "")
	bob := h.somebody("bob")
	for name, c := range map[string]struct {
		b      *browser
		origin string
		want   int
	}{
		"nobody":                             {h.browser(), "https://app.example", 401},
		"WS-11_a_page_of_another_site":       {bob, "https://evil.example", 403},
		"WS-11_a_page_of_a_neighbour":        {bob, "https://staff.example", 403},
		"somebody at a page of the same app": {bob, "https://app.example", 101},
	} {
		t.Run(name, func(t *testing.T) {
			cookies := c.b.cookies("app.example")
			if got := clientsHandshake(t, h, cookies, c.origin); got != c.want {
				t.Errorf("over HTTP/1.1: %d, want %d", got, c.want)
			}
			f := h.DialHTTP2(t, "app.example")
			fields := []string{":method: CONNECT", ":protocol: websocket", ":scheme: https",
				":authority: app.example", ":path: /ws", "sec-websocket-version: 13",
				"origin: " + c.origin}
			if cookies != "" {
				fields = append(fields, "cookie: "+cookies)
			}
			f.Headers(1, false, fields...)
			for f.Reply(1).Status == "" && !f.Reply(1).Reset {
				if err := f.Read(); err != nil {
					t.Fatal(err)
				}
			}
			want := map[int]string{101: "200", 401: "401", 403: "403"}[c.want]
			if r := f.Reply(1); r.Status != want || r.Get("location") != "" {
				t.Errorf("over HTTP/2: %+v, want %s", r, want)
			}
		})
	}
}

// clientsHandshake is the status of the answer to a handshake over HTTP/1.1.
func clientsHandshake(t *testing.T, h *lastingHouse, cookies, origin string) int {
	t.Helper()
	transport := h.browser().Transport.(*http.Transport).Clone()
	transport.ForceAttemptHTTP2 = false
	transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
	defer transport.CloseIdleConnections()
	fields := http.Header{"Origin": {origin}}
	if cookies != "" {
		fields.Set("Cookie", cookies)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, a, err := websocket.Dial(ctx, "https://app.example/ws", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, HTTPHeader: fields,
	})
	if err == nil {
		_ = c.CloseNow()
	}
	if a == nil {
		t.Fatal(err)
	}
	return a.StatusCode
}

// A host whose cookies do not come back, as behind a proxy that strips them, sends its
// visitors to sign in again and again. Browsers give up after 20 redirects and say
// nothing; before that the visitor is told why, and may try again.
func TestALoopEndsOnAPageThatSaysWhy(t *testing.T) {
	h := newGatedHouse(t)
	h.administrator()
	b := h.browser()
	b.Jar = clientsDeaf{b.Jar, "app.example"}
	v := &visitor{browser: b}
	p := b.open("https://login.example/")
	at, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	b.send(at.RequestURI(), url.Values{"login": {"alice"}, "password": {gatePassword}})
	for _, round := range []string{"first", "second"} {
		p, err := v.try("https://app.example/x")
		if err != nil {
			t.Fatalf("the %s time: %v", round, err)
		}
		if p.status != http.StatusForbidden || !strings.HasPrefix(p.url, "https://login.example/") ||
			!strings.Contains(strings.ToLower(p.body), "cookie") || p.hops > 15 {
			t.Errorf("the %s time: %d at %s after %d redirects\n%s", round, p.status, p.url, p.hops, p.body)
		}
	}
	if p, err := v.try("https://admin.example/"); err != nil || p.status != http.StatusOK {
		t.Errorf("another host: %d at %s, %v", p.status, p.url, err)
	}
}

// clientsDeaf keeps no cookies of one host.
type clientsDeaf struct {
	http.CookieJar
	host string
}

// SetCookies implements http.CookieJar.
func (d clientsDeaf) SetCookies(u *url.URL, cookies []*http.Cookie) {
	if u.Hostname() != d.host {
		d.CookieJar.SetCookies(u, cookies)
	}
}
