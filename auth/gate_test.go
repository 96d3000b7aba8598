package auth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"doorward/auth"
	"doorward/auth/policy"
	"doorward/auth/session"
	"doorward/auth/user"
	"doorward/internal/gate"
	"doorward/internal/netset"
)

func bindOf(browser string) string {
	sum := sha256.Sum256([]byte(browser))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// here is a request from somewhere.
func here() *gate.Question { return &gate.Question{Client: netip.MustParseAddr("192.0.2.1")} }

const browserID = "AAAAAAAAAAAAAAAAAAAAAA"

func TestSessionPasses(t *testing.T) {
	h := newHouse(t)
	_, ticket := h.begin(wiki)
	a := h.do(h.gate(anyUser), get(cookie(ticket)))
	if !a.passed("bob") || a.verdict.HideAuthorization ||
		!strings.Contains(string(a.verdict.Head), "Remote-User: bob\r\n") {
		t.Errorf("the verdict is %+v", a.verdict)
	}
}

// What those get who are not signed in.
func TestNobodyIsAnsweredInTheirWay(t *testing.T) {
	h := newHouse(t)
	for name, c := range map[string]struct {
		ask  *ask
		want string // "302", "page 401", "json 401"
	}{
		"a page":           {browse(get()), "302"},
		"HEAD of a page":   {browse(request("HEAD", "/page?a=1")), "302"},
		"an old browser":   {get("Accept: text/html"), "302"},
		"in a frame":       {embedded("iframe"), "page 401"},
		"an embedded page": {embedded("embed"), "page 401"},
		"a form":           {browse(request("POST", "/page?a=1")), "page 401"},
		"an old form":      {request("POST", "/page", "Accept: text/html"), "page 401"},
		"fetch": {get("Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", "Accept: text/html"),
			"json 401"},
		"XMLHttpRequest": {get("X-Requested-With: XMLHttpRequest", "Accept: text/html"),
			"json 401"},
		"a program": {get("Accept: */*"), "json 401"},
		"no Accept": {get(), "json 401"},
		"HEAD":      {request("HEAD", "/page"), "json 401"},
		"PUT":       {request("PUT", "/page", "Accept: application/json"), "json 401"},
		"events":    {get("Accept: text/event-stream, text/html"), "json 401"},
		"an image":  {get("Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"), "json 401"},
		"a WebSocket": {&ask{method: "GET", host: wiki, target: "/", upgrade: "websocket",
			header: http.Header{"Accept": {"text/html"}}, client: "10.0.0.1"}, "json 401"},
		"gRPC": {&ask{method: "POST", host: wiki, target: "/s/m", grpc: true,
			header: http.Header{}, client: "10.0.0.1"}, "json 401"},
		"health check": {get("User-Agent: GoogleHC/1.0", "Accept: */*"), "json 401"},
	} {
		t.Run(name, func(t *testing.T) {
			c.ask.with("Cookie: __Host-doorward-browser=" + browserID)
			a := h.do(h.gate(anyUser), c.ask)
			if a.Response == nil {
				t.Fatalf("it passed: %+v", a.verdict)
			}
			if got := a.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control: %s", got)
			}
			kind := strings.Fields(c.want)
			if kind[0] == "302" {
				if a.StatusCode != http.StatusFound || a.verdict.Status != 0 {
					t.Fatalf("%d, and the verdict says %d", a.StatusCode, a.verdict.Status)
				}
				q := h.start(a.Header.Get("Location"), browserID)
				if got := q.Get("return"); got != "https://"+wiki+"/page?a=1" &&
					got != "https://"+wiki+"/page" {
					t.Errorf("return is %q", got)
				}
				return
			}
			if a.StatusCode != 401 || a.verdict.Status != 401 ||
				a.Header.Get("WWW-Authenticate") == "" || a.Header.Get("Location") != "" {
				t.Errorf("%d %v", a.StatusCode, a.Header)
			}
			html := strings.HasPrefix(a.Header.Get("Content-Type"), "text/html")
			if html != (kind[0] == "page") {
				t.Errorf("%s, want %s", a.Header.Get("Content-Type"), c.want)
			}
			if kind[0] == "json" && c.ask.method != "HEAD" {
				v := a.json(t)
				if v["error"] != "unauthenticated" {
					t.Errorf("says %v", v)
				}
				if q := h.start(v["login_url"].(string),
					browserID); q.Get("return") != "https://"+wiki+"/" {
					t.Errorf("return is %q", q.Get("return"))
				}
			}
			if c.ask.method == "HEAD" && a.body != "" {
				t.Errorf("HEAD has the body %q", a.body)
			}
		})
	}
}

// A page in a frame leads out of it; a form keeps its page.
func TestNotesLeadToSignIn(t *testing.T) {
	h := newHouse(t)
	a := h.do(h.gate(anyUser), embedded("iframe"))
	if !strings.Contains(a.body, `target="_top"`) || a.Header.Get("X-Frame-Options") != "" ||
		strings.Contains(a.Header.Get("Content-Security-Policy"), "frame-ancestors") {
		t.Errorf("a frame gets %v\n%s", a.Header, a.body)
	}
	a = h.do(h.gate(anyUser), browse(request("POST", "/save",
		"Referer: https://"+wiki+"/edit?id=1")))
	if !strings.Contains(a.body, `target="_blank"`) ||
		!strings.Contains(a.body, "%2Fedit%3Fid%3D1") {
		t.Errorf("a form gets\n%s", a.body)
	}
}

func TestPreflights(t *testing.T) {
	preflight := func() *ask {
		return request("OPTIONS", "/api", "Origin: https://spa.example.com",
			"Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-a")
	}
	h := newHouse(t)
	_, ticket := h.begin(wiki)
	with := func(p auth.Preflight) *auth.Gate {
		return h.gate(anyUser, func(o *auth.RouteOptions) {
			o.Preflight = p
			o.Origin = func(host, origin string) bool {
				return host == wiki && origin == "https://spa.example.com"
			}
		})
	}
	if a := h.do(with(auth.PreflightPass), preflight().with(cookie(ticket))); !a.passed("") {
		t.Errorf("pass: %+v", a.verdict)
	}
	if a := h.do(with(auth.PreflightDeny), preflight()); a.StatusCode != 401 {
		t.Errorf("deny: %d", a.StatusCode)
	}
	a := h.do(with(auth.PreflightAnswer), preflight())
	if a.StatusCode != 204 || a.verdict.Status != 0 ||
		a.Header.Get("Access-Control-Allow-Origin") != "https://spa.example.com" ||
		a.Header.Get("Access-Control-Allow-Methods") != "PUT" ||
		a.Header.Get("Access-Control-Allow-Headers") != "x-a" {
		t.Errorf("answer: %d %v", a.StatusCode, a.Header)
	}
	foreign := preflight()
	foreign.header.Set("Origin", "https://evil.test")
	a = h.do(with(auth.PreflightAnswer), foreign)
	if a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("an origin of somebody else gets %v", a.Header)
	}
	if a := h.do(with(auth.PreflightPass), request("OPTIONS", "/api",
		"Origin: https://a.test")); a.passed("") {
		t.Error("OPTIONS without a method to ask for passes")
	}
	posts := h.gate(policy.Options{AnyUser: true, Methods: []string{"GET", "PUT"}})
	if a := h.do(posts, preflight()); !a.passed("") {
		t.Errorf("a preflight for a method that may be used: %+v", a.verdict)
	}
	if a := h.do(h.gate(policy.Options{AnyUser: true, Methods: []string{"GET"}}),
		preflight()); a.StatusCode != 403 {
		t.Errorf("a preflight for another method: %+v", a.verdict)
	}
	// Nobody gets a method by calling the request a preflight.
	deny := h.gate(policy.Options{AnyUser: true, Methods: []string{"PUT"}},
		func(o *auth.RouteOptions) { o.Preflight = auth.PreflightDeny })
	if a := h.do(deny, preflight().with(cookie(ticket))); a.passed("bob") {
		t.Error("OPTIONS passes where only PUT may")
	}
}

func TestRefusals(t *testing.T) {
	h := newHouse(t)
	_, ticket := h.begin(wiki)
	g := h.gate(policy.Options{Groups: []string{"admins"}, Roles: []string{"Root"}})
	a := h.do(g, browse(get(cookie(ticket))))
	if a.StatusCode != 403 || a.Header.Get("Location") != "" {
		t.Fatalf("%d %v", a.StatusCode, a.Header)
	}
	for _, want := range []string{"wiki", "The admins", "Root", "another=1", "Bob Bauer"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the page says nothing of %q", want)
		}
	}
	a = h.do(g, get(cookie(ticket)))
	if v := a.json(t); a.StatusCode != 403 || v["error"] != "forbidden" || v["rule"] != "wiki" ||
		v["reason"] != "not-member" || v["missing_groups"].([]any)[0] != "admins" {
		t.Errorf("programs get %d %s", a.StatusCode, a.body)
	}
	a = h.do(g, embedded("iframe").with(cookie(ticket)))
	if a.StatusCode != 403 || !strings.Contains(a.body, `_top`) || strings.Contains(a.body, "Bob") {
		t.Errorf("a frame gets %d %s", a.StatusCode, a.body)
	}
	for want, rule := range map[string]policy.Options{
		"fresh=1":        {AnyUser: true, MFA: true},
		"provider=azure": {AnyUser: true, Providers: []string{"azure"}},
		"The wiki":       {AnyUser: true, Methods: []string{"PUT"}},
	} {
		if a := h.do(h.gate(rule), browse(get(cookie(ticket)))); a.StatusCode != 403 ||
			!strings.Contains(a.body, want) {
			t.Errorf("%d, no %q in\n%s", a.StatusCode, want, a.body)
		}
	}
	if len(h.told) != 3 || h.told[0].User.Name != "bob" || h.told[0].Route != "wiki" ||
		h.told[0].Decision != policy.NotMember {
		t.Errorf("told %+v", h.told)
	}
}

// Who keeps asking is told of once a minute.
func TestRefusalsAreToldOnce(t *testing.T) {
	h := newHouse(t)
	_, ticket := h.begin(wiki)
	g := h.gate(policy.Options{Groups: []string{"admins"}})
	for range 3 {
		h.do(g, get(cookie(ticket)))
	}
	h.pass(time.Minute)
	h.do(g, get(cookie(ticket)))
	if len(h.told) != 2 {
		t.Errorf("told %d times, want 2", len(h.told))
	}
}

func TestHolds(t *testing.T) {
	h := newHouse(t)
	s, _ := h.begin(wiki)
	g := h.gate(policy.Options{Groups: []string{"staff"}})
	if !g.Holds(s, here()) {
		t.Fatal("a session that is in does not hold")
	}
	h.bob.Set(user.NewView(h.bob.View().User, []string{"others"}, nil, nil))
	if g.Holds(s, here()) {
		t.Error("it holds without the group")
	}
	h.bob.Set(view())
	if h.gate(policy.Options{Groups: []string{"staff"}, MFA: true}).Holds(s, here()) {
		t.Error("it holds though the route asks for a second factor now")
	}
	inside := netset.New([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	if h.gate(policy.Options{Groups: []string{"staff"}, Networks: inside}).Holds(s, here()) {
		t.Error("it holds though others come from elsewhere now")
	}
	h.bob.Set(view(func(u *user.User) { u.State = user.Disabled }))
	if g.Holds(s, here()) {
		t.Error("it holds for a disabled user")
	}
	h.bob.Set(view())
	h.sessions.End(t.Context(), s, "test")
	if g.Holds(s, here()) || g.Holds(nil, here()) {
		t.Error("it holds after the end")
	}
}

func TestConsentIsAskedOnce(t *testing.T) {
	agreed := consents{}
	h := newHouse(t, func(s *auth.Shared) { s.Consents = agreed })
	_, ticket := h.begin(wiki)
	g := h.gate(anyUser, func(o *auth.RouteOptions) { o.Consent = "May we?" })
	a := h.do(g, browse(get(cookie(ticket))))
	want := signIn + "/consent?return=https%3A%2F%2Fwiki.example.com%2Fpage%3Fa%3D1"
	if a.StatusCode != 302 || a.Header.Get("Location") != want {
		t.Errorf("%d %q, want %q", a.StatusCode, a.Header.Get("Location"), want)
	}
	if a := h.do(g, get(cookie(ticket))); a.StatusCode != 403 ||
		a.json(t)["error"] != "consent_required" {
		t.Errorf("programs get %d %s", a.StatusCode, a.body)
	}
	agreed["u1 wiki May we?"] = true
	if a := h.do(g, browse(get(cookie(ticket)))); !a.passed("bob") {
		t.Errorf("after agreeing: %+v", a.verdict)
	}
}

type consents map[string]bool

func (c consents) Given(userID, route, text string) bool { return c[userID+" "+route+" "+text] }

func TestOneCookieForADomain(t *testing.T) {
	h := newHouse(t, func(s *auth.Shared) { s.CookieDomain = "example.com" })
	_, ticket := h.begin("example.com")
	g := h.gate(anyUser)
	in := func(host, line string) bool {
		a := get(line)
		a.host = host
		return h.do(g, a).passed("bob")
	}
	if !in(wiki, "Cookie: __Secure-doorward="+ticket) ||
		!in("example.com", "Cookie: __Secure-doorward="+ticket) {
		t.Error("a host of the domain does not know the ticket")
	}
	if in("badexample.com", "Cookie: __Secure-doorward="+ticket) || in(wiki, cookie(ticket)) {
		t.Error("the ticket is good where it must not be")
	}
	_, other := h.begin("wiki.example.org")
	if !in("wiki.example.org", cookie(other)) {
		t.Error("a host outside of the domain does not know its own ticket")
	}
	a := h.do(g, browse(get("Cookie: __Secure-doorward=broken")))
	if c := a.cookie("__Secure-doorward"); c == nil || c.MaxAge >= 0 || c.Domain != "example.com" {
		t.Errorf("the broken cookie stays: %v", a.Cookies())
	}
}

var _ gate.Pass = (*session.Session)(nil)

// What was opened by a stranger stays open where strangers may come, whatever else
// changes.
func TestHoldsOfStrangers(t *testing.T) {
	h := newHouse(t)
	inside := netset.New([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	with := func(o policy.Options) policy.Options {
		o.Paths = func(path []byte) bool { return string(path) == "/open" }
		return o
	}
	for name, c := range map[string]struct {
		rule policy.Options
		path string
		want bool
	}{
		"public":                 {policy.Options{Public: true}, "", true},
		"public for a network":   {policy.Options{Public: true, Networks: inside}, "", false},
		"public, a wrong method": {policy.Options{Public: true, Methods: []string{"POST"}}, "", false},
		"a public path":          {with(policy.Options{AnyUser: true}), "/open", true},
		"another path":           {with(policy.Options{AnyUser: true}), "/", false},
		"for any user":           {policy.Options{AnyUser: true}, "/open", false},
	} {
		q := &gate.Question{
			Method: []byte("GET"), Path: []byte(c.path), Client: netip.MustParseAddr("192.0.2.1"),
		}
		if got := h.gate(c.rule).Holds(nil, q); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
