package gate_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"doorward/internal/edgetest"
)

// One sign-in opens what its user may open, on every host, and nothing else.
func TestGateOpensWhatIsAllowed(t *testing.T) {
	h := newGatedHouse(t)
	b := h.administrator()
	p := b.open("https://app.example/x?y=1")
	if p.status != http.StatusOK || p.url != "https://app.example/x?y=1" || p.hops != 3 {
		t.Fatalf("%d at %s after %d redirects", p.status, p.url, p.hops)
	}
	for _, want := range []string{
		"X-Authentik-Username: alice\r\n", "X-Authentik-Groups: admins\r\n",
		"X-Authentik-Email: a@corp.example\r\n", "X-Authentik-Name: Alice Ä\r\n",
		"X-Authentik-Jwt: ey", "X-Authentik-Meta-Jwks: https://login.example/",
	} {
		if strings.Count(p.body, want) != 1 {
			t.Errorf("no %q in\n%s", want, p.body)
		}
	}
	if strings.Contains(strings.ToLower(p.body), "doorward-") || strings.Contains(p.body, "Cookie") {
		t.Errorf("the server sees our cookies\n%s", p.body)
	}
	if p := b.open("https://admin.example/"); p.status != 200 || !strings.Contains(p.body, "X-Who: alice") {
		t.Errorf("admin: %d\n%s", p.status, p.body)
	}
	p = b.open("https://none.example/")
	if p.status != http.StatusForbidden || p.url != "https://none.example/" || !strings.Contains(p.body, "nobody") {
		t.Errorf("a closed one: %d at %s\n%s", p.status, p.url, p.body)
	}
	if p := h.browser().open("https://open.example/"); p.status != 200 || p.hops != 0 {
		t.Errorf("an open one: %d after %d redirects", p.status, p.hops)
	}
	if p := h.browser().open("https://app.example/healthz"); p.status != 200 || p.hops != 0 {
		t.Errorf("an open path: %d after %d redirects", p.status, p.hops)
	}
	if p := b.open("https://login.example/"); !strings.Contains(p.body, "The App") {
		t.Errorf("the portal does not show the app\n%s", p.body)
	}
	// What clients say of themselves reaches no server, on no route (ID-02).
	r, _ := http.NewRequest(http.MethodGet, "https://open.example/", nil)
	for _, name := range []string{"X-authentik-username", "X_Authentik_Username", "Remote-User", "X-Who"} {
		r.Header[name] = []string{"root"}
	}
	if p := b.do(r); strings.Contains(p.body, "root") {
		t.Errorf("the server is told\n%s", p.body)
	}
}

// What has been opened with a session ends with it within a second, on all hosts and
// over every protocol; what others have opened stays.
func TestSecurityGate(t *testing.T) {
	h := newGatedHouse(t)
	admin := h.administrator()
	other := h.browser()
	if p := other.signIn("https://app.example/", "alice", gatePassword); p.status != 200 {
		t.Fatalf("%d at %s", p.status, p.url)
	}
	t.Run("WS-12_streams_end_with_their_session", func(t *testing.T) {
		admin.open("https://app.example/")
		admin.open("https://admin.example/")
		mine, stays := admin.socket("app.example"), other.socket("app.example")
		events, theirs := admin.events("admin.example"), other.events("app.example")
		defer theirs.Close()
		defer events.Close()
		admin.send("/sign_out", url.Values{})
		if !comesBack(time.Second, func() { _, _, _ = mine.Read(t.Context()) }) {
			t.Error("the WebSocket is open a second after the sign-out")
		}
		if !comesBack(time.Second, func() { _, _ = io.ReadAll(events) }) {
			t.Error("the event stream is open a second after the sign-out")
		}
		if err := stays.Write(t.Context(), 1, []byte("still here")); err != nil {
			t.Fatal(err)
		}
		if _, got, err := stays.Read(t.Context()); err != nil || string(got) != "still here" {
			t.Errorf("the WebSocket of another session: %q, %v", got, err)
		}
	})
	t.Run("COOK-09_nothing_opens_after_the_sign-out", func(t *testing.T) {
		for _, host := range []string{"app.example", "admin.example"} {
			if p := admin.open("https://" + host + "/"); !strings.HasPrefix(p.url, "https://login.example/sign_in?") {
				t.Errorf("%s: %d at %s", host, p.status, p.url)
			}
		}
		if p := other.open("https://app.example/"); p.status != 200 || p.hops != 0 {
			t.Errorf("another session: %d after %d redirects", p.status, p.hops)
		}
	})
}

func TestSecurityGateFloods(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(tellHead))
	t.Cleanup(server.Close)
	h := &gatedHouse{edgetest.Start(t, gatedSite(server.URL, "[timeouts]\nclient = \"300ms\"\n")), t}
	t.Run("COOK-08_a_cookie_bomb_is_told", func(t *testing.T) {
		bomb := strings.Repeat("a=1; ", 8000)
		m := h.DialTLS(t, "app.example").Send("GET / HTTP/1.1⏎Host: app.example⏎Cookie: " + bomb + "⏎⏎").Answer()
		if m.Status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("answer %d, want 431", m.Status)
		}
	})
	t.Run("SLOW-10_a_form_that_does_not_come", func(t *testing.T) {
		began := time.Now()
		c := h.DialTLS(t, "login.example").Send("POST /sign_in HTTP/1.1⏎Host: login.example⏎" +
			"Origin: https://login.example⏎Content-Type: application/x-www-form-urlencoded⏎Content-Length: 50⏎⏎login=")
		if m, err := c.TryAnswer("POST"); err == nil && m.Status < 400 {
			t.Errorf("answer %d", m.Status)
		}
		if took := time.Since(began); took > edgetest.Patience/2 {
			t.Errorf("the form was waited for %v", took)
		}
	})
}

// A reload that takes a right away does so at once; one that takes sign-in away leaves nothing.
func TestGateAcrossReloads(t *testing.T) {
	h := newGatedHouse(t)
	b := h.administrator()
	b.open("https://app.example/")
	b.open("https://admin.example/")
	socket := b.socket("admin.example")
	site := gatedSite("http://127.0.0.1:1", "")
	site.Text = strings.Replace(site.Text, `access = { groups = ["admins"] }`, `access = { groups = ["chiefs"] }`, 1)
	if err := h.Reload(site); err != nil {
		t.Fatal(err)
	}
	if !comesBack(time.Second, func() { _, _, _ = socket.Read(t.Context()) }) {
		t.Error("a WebSocket is open that the new rule forbids")
	}
	if p := b.open("https://admin.example/"); p.status != http.StatusForbidden {
		t.Errorf("admin: %d, want 403", p.status)
	}
	if p := b.open("https://app.example/"); p.status != http.StatusServiceUnavailable && p.status != http.StatusBadGateway {
		t.Errorf("app: %d: the session should still open it, and there is no server", p.status)
	}
	if err := h.Reload(edgetest.Config{Text: `
		[[route]]
		hosts = ["app.example"]
		respond = { body = "open" }
	`}); err != nil {
		t.Fatal(err)
	}
	if p := b.open("https://app.example/"); p.status != 200 || p.body != "open" {
		t.Errorf("without sign-in: %d", p.status)
	}
}
