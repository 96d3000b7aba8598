package auth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"doorward/auth"
	"doorward/auth/session"
)

// handoff makes a code for a host and a browser.
func (h *house) handoff(host, browser, to string) string {
	h.t.Helper()
	s, _ := h.begin("login.example.com")
	code, err := h.sessions.Handoff(h.t.Context(), s,
		session.Handoff{Host: host, Bind: bindOf(browser), Return: to})
	if err != nil {
		h.t.Fatal(err)
	}
	return code
}

func redeem(code, browser string) *ask {
	a := browse(request("GET", "/.doorward/handoff?code="+code))
	if browser != "" {
		a.with("Cookie: __Host-doorward-browser=" + browser)
	}
	return a
}

// From nobody to the page: the way of a browser.
func TestHandoff(t *testing.T) {
	h := newHouse(t)
	g := h.gate(anyUser)
	first := h.do(g, browse(get()))
	browser := first.cookie("__Host-doorward-browser")
	if browser == nil || browser.MaxAge < 300*24*3600 {
		t.Fatalf("the browser gets %v", first.Cookies())
	}
	q := h.start(first.Header.Get("Location"), browser.Value)
	code := h.handoff(wiki, browser.Value, q.Get("return")+"#part")
	a := h.do(g, redeem(code, browser.Value))
	if a.StatusCode != 303 || a.Header.Get("Location") != "https://"+wiki+"/page?a=1#part" ||
		a.Header.Get("Cache-Control") != "no-store" ||
		a.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Fatalf("%d %v", a.StatusCode, a.Header)
	}
	c := a.cookie("__Host-doorward")
	if c == nil || c.MaxAge != 0 || len(c.Value) != session.TicketSize {
		t.Fatalf("the ticket is %v", c)
	}
	if a := h.do(g, get(cookie(c.Value))); !a.passed("bob") {
		t.Error("the ticket opens nothing")
	}
	again := h.do(g, redeem(code, browser.Value).with(cookie(c.Value)))
	if again.StatusCode != 303 || again.Header.Get("Location") != "https://"+wiki+"/" ||
		again.cookie("__Host-doorward") != nil {
		t.Errorf("the way back leads to %d %v", again.StatusCode, again.Header)
	}
	if again := h.do(g, redeem(code, browser.Value)); again.StatusCode != 400 ||
		again.cookie("__Host-doorward") != nil {
		t.Errorf("a used code gets %d %v", again.StatusCode, again.Header)
	}
}

func TestHandoffsThatGiveNothing(t *testing.T) {
	const other = "BBBBBBBBBBBBBBBBBBBBBB"
	for name, c := range map[string]struct {
		host, to, browser string
		change            func(*ask)
		want              int
		location          string
	}{
		"another browser":     {browser: other, want: 303, location: "https://" + wiki + "/x"},
		"no browser":          {browser: "-", want: 303, location: "https://" + wiki + "/x"},
		"a code of elsewhere": {host: "mail.example.com", want: 400},
		"to another host":     {to: "https://evil.test/", want: 400},
		"with user and host":  {to: "https://" + wiki + "@evil.test/", want: 400},
		"to a backslash":      {to: "https://" + wiki + `/\evil.test`, want: 400},
		"without TLS":         {to: "http://" + wiki + "/", want: 400},
		"to a port":           {to: "https://" + wiki + ":8443/", want: 400},
		"to sign out":         {to: "https://" + wiki + "/.doorward/sign_out", want: 400},
		"by HEAD":             {change: func(a *ask) { a.method = "HEAD" }, want: 405},
		"by POST":             {change: func(a *ask) { a.method = "POST" }, want: 405},
		"over plain HTTP":     {change: func(a *ask) { a.plain = true }, want: 307},
		"two codes":           {change: func(a *ask) { a.target += "&code=x" }, want: 400},
		"no code": {change: func(a *ask) { a.target = "/.doorward/handoff" },
			want: 400},
		"a code of no meaning": {change: func(a *ask) { a.target = "/.doorward/handoff?code=x" },
			want: 400},
		"a bad escape": {change: func(a *ask) { a.target += "%zz" }, want: 400},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			if c.host == "" {
				c.host = wiki
			}
			if c.to == "" {
				c.to = "https://" + wiki + "/x"
			}
			browser := map[string]string{"": browserID, "-": ""}[c.browser]
			if c.browser == other {
				browser = other
			}
			ask := redeem(h.handoff(c.host, browserID, c.to), browser)
			if c.change != nil {
				c.change(ask)
			}
			a := h.do(h.gate(anyUser), ask)
			if a.StatusCode != c.want || c.location != "" &&
				a.Header.Get("Location") != c.location {
				t.Errorf("%d %v, want %d %s", a.StatusCode, a.Header, c.want, c.location)
			}
			if a.cookie("__Host-doorward") != nil {
				t.Error("it gave a ticket")
			}
		})
	}
}

func TestHandoffOfASessionThatHasEnded(t *testing.T) {
	h := newHouse(t)
	g := h.gate(anyUser)
	code := h.handoff(wiki, browserID, "https://"+wiki+"/x")
	for _, one := range h.sessions.Of("u1") {
		h.sessions.End(t.Context(), one, "test")
	}
	// It may be that another tab began the next one: the gate asks again.
	if a := h.do(g, redeem(code, browserID)); a.StatusCode != 303 ||
		a.Header.Get("Location") != "https://"+wiki+"/x" || a.cookie("__Host-doorward") != nil {
		t.Errorf("the session has ended: %d %v", a.StatusCode, a.Header)
	}
}

func TestSignOut(t *testing.T) {
	left := 0
	h := newHouse(t, func(s *auth.Shared) {
		s.Leave = func(_ *http.Request, s *session.Session) string {
			if left++; s.Provider() == "azure" {
				return "https://azure.test/logout"
			}
			return ""
		}
	})
	g := h.gate(anyUser)
	post := func(ticket string, lines ...string) *ask {
		return browse(request("POST", "/.doorward/sign_out", cookie(ticket))).with(lines...)
	}
	const own = "Sec-Fetch-Site: same-origin"
	here := signIn + "/sign_out?return=https%3A%2F%2Fwiki.example.com%2F"
	s, ticket := h.begin(wiki)
	if a := h.do(g, browse(request("GET", "/.doorward/sign_out",
		cookie(ticket)))); a.StatusCode != 303 ||
		a.Header.Get("Location") != here || !s.Valid() {
		t.Errorf("GET: %d %v", a.StatusCode, a.Header)
	}
	a := h.do(g, post(ticket, own))
	if c := a.cookie("__Host-doorward"); a.StatusCode != 303 || a.Header.Get("Location") != here ||
		s.Valid() || c == nil || c.MaxAge >= 0 {
		t.Errorf("POST: %d %v", a.StatusCode, a.Header)
	}
	s, ticket = h.begin(wiki, func(s *session.Start) { s.Provider = "azure" })
	if a := h.do(g, post(ticket, own)); a.Header.Get("Location") != "https://azure.test/logout" ||
		s.Valid() {
		t.Errorf("with a provider: %v", a.Header)
	}
	if a := h.do(g, post(ticket, own)); a.StatusCode != 303 || left != 2 {
		t.Errorf("twice: %d, left %d times", a.StatusCode, left)
	}
	if a := h.do(g, request("PUT", "/.doorward/sign_out")); a.StatusCode != 405 ||
		a.Header.Get("Allow") != "GET, POST" {
		t.Errorf("PUT: %d", a.StatusCode)
	}
}

func TestWhoami(t *testing.T) {
	h := newHouse(t)
	_, ticket := h.begin(wiki)
	ask := func(lines ...string) *answer {
		return h.do(h.gate(anyUser), request("GET", "/.doorward/whoami", lines...))
	}
	if v := ask(cookie(ticket)).json(t); v["user"] != "bob" || v["name"] != "Bob Bauer" ||
		fmt.Sprint(v["groups"], v["roles"], v["provider"]) != "[staff] []local" {
		t.Errorf("whoami says %v", v)
	}
	a := ask()
	if v := a.json(t); a.StatusCode != 401 || v["error"] != "unauthenticated" ||
		a.Header.Get("WWW-Authenticate") == "" ||
		a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("nobody gets %d %v", a.StatusCode, v)
	}
}

// The paths are ours whether or not there is a gate.
func TestPathsOfEveryHost(t *testing.T) {
	h := newHouse(t, func(s *auth.Shared) {
		s.Keys = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_,
				_ = w.Write([]byte("keys"))
		})
	})
	_, ticket := h.begin(wiki)
	for target, want := range map[string]int{
		"/.doorward/jwks.json": 200, "/.doorward/whoami": 200, "/.doorward": 404,
		"/.doorward/":      404,
		"/.doorward/other": 404, "/.doorward/assets/none.css": 404, "/.doorward/whoami/x": 404,
		"/.DOORWARD/whoami": 404,
	} {
		ask := request("GET", target, cookie(ticket))
		if a := h.do(h.gate(anyUser), ask); a.Response == nil || a.StatusCode != want ||
			a.verdict.Status != 0 {
			t.Errorf("%s behind a gate: %+v", target, a.verdict)
		}
		w := httptest.NewRecorder()
		h.doors.ServeHTTP(w, ask.request())
		if w.Code != want {
			t.Errorf("%s without a gate: %d, want %d", target, w.Code, want)
		}
	}
	page := h.do(h.gate(anyUser), browse(request("GET", "/.doorward/handoff")))
	rest, _, _ := strings.Cut(page.body, ".css\"")
	name := rest[strings.LastIndexByte(rest, '/')+1:] + ".css"
	if a := h.do(h.gate(anyUser), request("GET", "/.doorward/assets/"+name)); a.StatusCode != 200 ||
		!strings.HasPrefix(a.Header.Get("Content-Type"), "text/css") {
		t.Errorf("the style %q of our pages: %d", name, a.StatusCode)
	}
}

func TestHostsWithoutGateKnowTheirSession(t *testing.T) {
	h := newHouse(t)
	_, ticket := h.begin(wiki)
	a := request("GET", "/.doorward/whoami", cookie(ticket))
	a.host = "WIKI.example.com.:8443"
	w := httptest.NewRecorder()
	h.doors.ServeHTTP(w, a.request())
	if w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	h.pass(2 * time.Hour)
	w = httptest.NewRecorder()
	h.doors.ServeHTTP(w, a.request())
	if w.Code != 401 {
		t.Errorf("after the end: %d %s", w.Code, w.Body)
	}
}
