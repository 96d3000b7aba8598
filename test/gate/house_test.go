package gate_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"doorward/internal/edgetest"
)

// gatedHouse is an edge with a sign-in host, apps that differ in who may open them, and
// a server behind them that tells what it was told.
type gatedHouse struct {
	*edgetest.Edge
	t *testing.T
}

// tellHead answers with the fields it got, holds an event stream, or echoes messages.
func tellHead(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/ws":
		echo(w, r)
	case "/events":
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: first\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	default:
		_ = r.Header.Write(w)
	}
}

// echo sends back each message of a WebSocket.
func echo(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

func wait(t *testing.T, what string, condition func() bool) {
	t.Helper()
	if !edgetest.Until(condition) {
		t.Fatalf("%s: not within %v", what, edgetest.Patience)
	}
}

func gatedSite(server, more string) edgetest.Config {
	return edgetest.Config{Text: more + `
		[sign_in]
		host = "login.example"
		[groups.admins]
		[[route]]
		name = "app"
		hosts = ["app.example"]
		backend = "app"
		access = "any-user"
		public_paths = ["=/healthz"]
		identity_headers = "authentik"
		app = { title = "The App" }
		[[route]]
		name = "admin"
		hosts = ["admin.example"]
		backend = "app"
		access = { groups = ["admins"] }
		identity_headers = { X-Who = "{user}" }
		[[route]]
		name = "none"
		hosts = ["none.example"]
		backend = "app"
		access = { groups = ["nobody"] }
		[[route]]
		name = "open"
		hosts = ["open.example"]
		backend = "app"
		access = "public"
		[backends.app]
		servers = ["` + server + `"]
	`}
}

func newGatedHouse(t *testing.T) *gatedHouse {
	server := httptest.NewServer(http.HandlerFunc(tellHead))
	t.Cleanup(server.Close)
	return &gatedHouse{edgetest.Start(t, gatedSite(server.URL, "")), t}
}

// browser is a client that keeps cookies, and says what browsers say.
type browser struct {
	http.Client
	t    *testing.T
	host string // where it signs in
}

func (h *gatedHouse) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: h.Roots()},
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", h.HTTPS)
		},
	}
	h.t.Cleanup(transport.CloseIdleConnections)
	client := http.Client{Transport: transport, Jar: jar, Timeout: 6 * edgetest.Patience}
	return &browser{client, h.t, "login.example"}
}

// page is what a browser shows in the end.
type page struct {
	status int
	url    string
	body   string
	hops   int
}

func (b *browser) do(r *http.Request) page {
	b.t.Helper()
	hops := 0
	b.CheckRedirect = func(*http.Request, []*http.Request) error {
		if hops++; hops > 8 {
			return fmt.Errorf("in circles")
		}
		return nil
	}
	r.Header.Set("Accept", "text/html,*/*")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	a, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return page{a.StatusCode, a.Request.URL.String(), string(text), hops}
}

// open goes to an address. Pages that only lead on are followed.
func (b *browser) open(address string) page {
	b.t.Helper()
	for range 4 {
		r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil)
		if err != nil {
			b.t.Fatal(err)
		}
		p := b.do(r)
		on := regexp.MustCompile(`http-equiv="refresh" content="0; url=([^"]+)"`).FindStringSubmatch(p.body)
		if on == nil {
			return p
		}
		to, err := r.URL.Parse(strings.ReplaceAll(on[1], "&amp;", "&"))
		if err != nil {
			b.t.Fatal(err)
		}
		address = to.String()
	}
	b.t.Fatalf("%s leads in circles", address)
	return page{}
}

// send sends a form of the sign-in host.
func (b *browser) send(path string, form url.Values) page {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost,
		"https://"+b.host+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://"+b.host)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(r)
}

const gatePassword = "correct horse battery staple"

// administrator is a browser that has made the first account by the link in the log.
func (h *gatedHouse) administrator() *browser {
	h.t.Helper()
	b := h.browser()
	h.makeAdministrator(b)
	return b
}

func (h *gatedHouse) makeAdministrator(b *browser) {
	h.t.Helper()
	var link []string
	wait(h.t, "the link for the first administrator", func() bool {
		link = regexp.MustCompile(`/setup\?code=([A-Za-z0-9_-]+)`).FindStringSubmatch(h.Log())
		return link != nil
	})
	p := b.send("/setup", url.Values{
		"code": {link[1]}, "name": {"alice"}, "title": {"Alice Ä"}, "email": {"a@corp.example"},
		"password": {gatePassword}, "again": {gatePassword},
	})
	if p.status != http.StatusOK || p.url != "https://"+b.host+"/" {
		h.t.Fatalf("after the set-up: %d at %s\n%s", p.status, p.url, p.body)
	}
}

// signIn signs in with the form that the address leads to.
func (b *browser) signIn(address, login, password string) page {
	b.t.Helper()
	p := b.open(address)
	at, err := url.Parse(p.url)
	if err != nil || at.Host != b.host {
		b.t.Fatalf("%s leads to %s", address, p.url)
	}
	p = b.send(at.RequestURI(), url.Values{"login": {login}, "password": {password}})
	if p.status != http.StatusOK {
		b.t.Fatalf("signing in: %d\n%s", p.status, p.body)
	}
	return b.open(address)
}

// socket opens a WebSocket with the cookies that the browser has.
func (b *browser) socket(host string) *websocket.Conn {
	b.t.Helper()
	transport := b.Transport.(*http.Transport).Clone()
	transport.ForceAttemptHTTP2 = false
	transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
	b.t.Cleanup(transport.CloseIdleConnections)
	c, _, err := websocket.Dial(b.t.Context(), "https://"+host+"/ws", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport, Jar: b.Jar},
		HTTPHeader: http.Header{"Origin": {"https://" + host}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

// events opens an event stream over HTTP/2, and returns what is left of it.
func (b *browser) events(host string) io.ReadCloser {
	b.t.Helper()
	client := b.Client
	client.Timeout = 0
	a, err := client.Get("https://" + host + "/events")
	if err != nil {
		b.t.Fatal(err)
	}
	first := make([]byte, len("data: first\n\n"))
	if _, err := io.ReadFull(a.Body, first); err != nil || a.ProtoMajor != 2 {
		b.t.Fatalf("%q over %s, %v", first, a.Proto, err)
	}
	return a.Body
}

// comesBack tells whether something that blocks comes back in time.
func comesBack(d time.Duration, do func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
		return true
	case <-time.After(d):
		return false
	}
}
