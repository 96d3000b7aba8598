package gate_test

import (
	"net/http"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

const preflightRoute = `
	[[route]]
	hosts = ["NAME.example"]
	backend = "app"
	identity_headers = "authentik"
`

// newPreflightHouse has a route for each way to treat preflights, and for the rules that
// hold for them as well.
func newPreflightHouse(t *testing.T) (*gatedHouse, *protocolsServer) {
	server := newProtocolsServer(t)
	site := edgetest.Config{Listen: "http3 = true", Text: `
		[sign_in]
		host = "login.example"
		[networks.elsewhere]
		addresses = ["192.0.2.0/24"]
		[backends.app]
		servers = ["` + server.URL + `"]
	`}
	for name, keys := range map[string]string{
		"pass":   `access = "any-user"`,
		"deny":   "access = \"any-user\"\npreflight = \"deny\"",
		"answer": "access = \"any-user\"\npreflight = \"answer\"\norigins = [\"spa.example\"]",
		"reads":  `access = { any_user = true, methods = ["GET"] }`,
		"afar":   `access = { any_user = true, networks = ["elsewhere"] }`,
	} {
		site.Text += strings.Replace(preflightRoute, "NAME", name, 1) + keys + "\n"
	}
	return &gatedHouse{edgetest.Start(t, site), t}, server
}

// preflightFields are what makes a request with OPTIONS a preflight, and what somebody
// adds who wants to be root.
var preflightFields = []string{
	"Origin: https://spa.example", "Access-Control-Request-Method: PUT",
	"Access-Control-Request-Headers: x-a", "X-Authentik-Username: root",
	"X_Authentik_Username: root",
}

// A preflight has no session. What becomes of it the route says, over every protocol; a
// server is never told that it is somebody's.
func TestPreflightsOfNobody(t *testing.T) {
	h, server := newPreflightHouse(t)
	alice := h.administrator()
	alice.open("https://pass.example/")
	server.seen()
	for name, over := range h.protocolsOver(t, true) {
		t.Run(name, func(t *testing.T) {
			passes := protocolsAsk(t, over, "OPTIONS https://pass.example/x", preflightFields...)
			preflightNobodys(t, passes, server.seen())
			cookies := append([]string{"Cookie: " + alice.cookies("pass.example")}, preflightFields...)
			passes = protocolsAsk(t, over, "OPTIONS https://pass.example/x", cookies...)
			preflightNobodys(t, passes, server.seen())
			a := protocolsAsk(t, over, "OPTIONS https://deny.example/x", preflightFields...)
			preflightRefused(t, "deny", a, 401)
			if a.Header.Get("WWW-Authenticate") == "" {
				t.Error("deny: nothing says how to come in")
			}
			a = protocolsAsk(t, over, "OPTIONS https://answer.example/x", preflightFields...)
			if a.StatusCode != 204 || a.body != "" || a.Header.Get("X-Server") != "" ||
				a.Header.Get("Access-Control-Allow-Origin") != "https://spa.example" ||
				a.Header.Get("Access-Control-Allow-Methods") != "PUT" ||
				a.Header.Get("Access-Control-Allow-Headers") != "x-a" ||
				a.Header.Get("Access-Control-Allow-Credentials") != "true" ||
				!strings.Contains(a.Header.Get("Vary"), "Origin") {
				t.Errorf("answer: %d %v", a.StatusCode, a.Header)
			}
			foreign := append([]string{"Origin: https://evil.example"}, preflightFields[1:]...)
			a = protocolsAsk(t, over, "OPTIONS https://answer.example/x", foreign...)
			preflightAllowsNone(t, "another origin", a)
			a = protocolsAsk(t, over, "OPTIONS https://reads.example/x", preflightFields...)
			preflightRefused(t, "for a method that nobody may use", a, 403)
			a = protocolsAsk(t, over, "OPTIONS https://afar.example/x", preflightFields...)
			preflightRefused(t, "from a network that may not", a, 403)
			if saw := server.seen(); saw != nil {
				t.Errorf("the server was asked %q", saw)
			}
		})
	}
}

// preflightNobodys fails the test unless the server got a preflight that is nobody's.
func preflightNobodys(t *testing.T, a protocolsAnswer, saw []string) {
	t.Helper()
	if a.StatusCode != 200 || len(saw) != 1 || saw[0] != "OPTIONS pass.example /x" {
		t.Fatalf("%d, and the server was asked %q", a.StatusCode, saw)
	}
	for _, secret := range []string{"root", "alice", "Authentik", "Cookie", "doorward"} {
		if strings.Contains(a.body, secret) {
			t.Errorf("the server is told %q:\n%s", secret, a.body)
		}
	}
	if !strings.Contains(a.body, "Origin: https://spa.example\r\n") ||
		!strings.Contains(a.body, "Access-Control-Request-Method: PUT\r\n") {
		t.Errorf("the server gets another request\n%s", a.body)
	}
}

// preflightRefused fails the test unless a request is refused, and no page may read why.
func preflightRefused(t *testing.T, what string, a protocolsAnswer, status int) {
	t.Helper()
	if a.StatusCode != status || a.Header.Get("Location") != "" {
		t.Errorf("%s: %d to %q, want %d", what, a.StatusCode, a.Header.Get("Location"), status)
	}
	preflightAllowsNone(t, what, a)
}

func preflightAllowsNone(t *testing.T, what string, a protocolsAnswer) {
	t.Helper()
	for name := range a.Header {
		if strings.HasPrefix(name, "Access-Control-Allow") {
			t.Errorf("%s: %s: %s", what, name, a.Header.Get(name))
		}
	}
}

// What merely looks like a preflight needs a session as everything else does.
func TestWhatIsNoPreflight(t *testing.T) {
	h, server := newPreflightHouse(t)
	asks := map[string][]string{
		"PATH-25_OPTIONS without a method to ask for": {"OPTIONS", preflightFields[0]},
		"PATH-25_OPTIONS with an empty one": {"OPTIONS", preflightFields[0],
			"Access-Control-Request-Method: "},
		"PATH-25_OPTIONS without an origin": {"OPTIONS", preflightFields[1]},
		"PATH-25_another method":            {"PUT", preflightFields[0], preflightFields[1]},
		"PATH-25_a method in small letters": {"options", preflightFields[0], preflightFields[1]},
	}
	for name, over := range h.protocolsOver(t, true) {
		for what, ask := range asks {
			t.Run(what+" over "+name, func(t *testing.T) {
				for _, host := range []string{"pass", "answer", "deny"} {
					a := protocolsAsk(t, over, ask[0]+" https://"+host+".example/x", ask[1:]...)
					preflightRefused(t, host, a, 401)
				}
			})
		}
	}
	t.Run("PATH-25_one with Upgrade over HTTP/1.1", func(t *testing.T) {
		for _, more := range []string{
			"Upgrade: websocket⏎Sec-WebSocket-Version: 13⏎Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==⏎",
			"Upgrade: h2c⏎HTTP2-Settings: AAMAAABkAAQAAP__⏎", "Upgrade: x⏎",
		} {
			for _, host := range []string{"pass", "answer", "deny"} {
				m := h.DialTLS(t, host+".example").Send("OPTIONS /ws HTTP/1.1⏎Host: " + host +
					".example⏎Connection: upgrade⏎Origin: https://" + host +
					".example⏎Access-Control-Request-Method: GET⏎" + more + "⏎").Answer()
				if m.Status < 400 || m.Status >= 500 {
					t.Errorf("%s with %q: %d", host, more, m.Status)
				}
			}
		}
	})
	t.Run("PATH-25_a tunnel over HTTP/2", func(t *testing.T) {
		f := h.DialHTTP2(t, "pass.example")
		f.Headers(1, false, ":method: CONNECT", ":protocol: websocket", ":scheme: https",
			":authority: pass.example", ":path: /ws", "sec-websocket-version: 13",
			"origin: https://pass.example", "access-control-request-method: GET")
		if r := f.Wait(1); r.Status != "401" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("over plain HTTP", func(t *testing.T) {
		m := h.Dial(t).Send("OPTIONS /x HTTP/1.1⏎Host: pass.example⏎" +
			strings.Join(preflightFields, "⏎") + "⏎⏎").Answer()
		if m.Status != http.StatusForbidden {
			t.Errorf("%d", m.Status)
		}
	})
	if saw := server.seen(); saw != nil {
		t.Errorf("the server was asked %q", saw)
	}
}
