package auth_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"doorward/auth"
	"doorward/auth/assert"
	"doorward/auth/policy"
	"doorward/auth/session"
	"doorward/auth/user"
)

// The attack cases that the gate has to stand, by their id.
func TestSecurity(t *testing.T) {
	t.Run("ID-01_a_name_that_was_sent_is_not_looked_at", sentNames)
	t.Run("ID-02_open_routes_know_nobody", openRoutes)
	t.Run("ID-14_forwarded_paths_open_nothing", forwardedPaths)
	t.Run("ID-16_redirects_are_of_the_configuration", spoofedRedirects)
	t.Run("ID-17_no_program_is_special", specialAgents)
	t.Run("ID-19_our_secrets_reach_no_server", ourSecrets)
	t.Run("PATH-15_public_paths_by_the_forwarded_path", publicPaths)
	t.Run("PATH-25_methods_open_nothing", openingMethods)
	t.Run("PATH-29_reserved_paths", reservedPaths)
	t.Run("COOK-03_names_that_look_like_ours", prefixSpoofs)
	t.Run("COOK-05_plain_http", plainHTTP)
	t.Run("COOK-06_changed_tickets", changedTickets)
	t.Run("COOK-07_size_and_parts", sizeAndParts)
	t.Run("COOK-15_tickets_of_other_hosts", otherHosts)
	t.Run("COOK-16_tickets_beside_the_cookie", besideTheCookie)
	t.Run("COOK-20_parsers_that_differ", differingParsers)
	t.Run("COOK-22_broken_cookies_are_taken_away", brokenCookies)
	t.Run("RED-01_where_a_referer_leads", referers)
	t.Run("CSRF-04_signing_out_of_somebody", forcedSignOut)
	t.Run("CSRF-06_no_other_origin_reads_us", noCORS)
	t.Run("OIDC-35_secrets_stay_out_of_logs_and_pages", quietLogs)
	t.Run("DOS-25_a_user_with_too_many_groups", tooManyGroups)
	t.Run("WS-12_a_session_that_ends_while_a_tunnel_is_open", endedTunnels)
}

func sentNames(t *testing.T) {
	h := newHouse(t)
	_, ticket := h.begin(wiki)
	names := []string{"Remote-User: admin", "X-Forwarded-User: admin",
		"X-Authentik-Username: admin"}
	if a := h.do(h.gate(anyUser), get(names...)); a.StatusCode != 401 {
		t.Errorf("by name alone: %+v", a.verdict)
	}
	a := h.do(h.gate(anyUser), get(names...).with(cookie(ticket)))
	if strings.Contains(string(a.verdict.Head), "admin") || !a.passed("bob") {
		t.Errorf("the server is told %q", a.verdict.Head)
	}
}

func openRoutes(t *testing.T) {
	h := newHouse(t)
	_, ticket := h.begin(wiki)
	all := func([]byte) bool { return true }
	for name, rule := range map[string]policy.Options{
		"public": {Public: true}, "a public path": {AnyUser: true, Paths: all},
	} {
		a := h.do(h.gate(rule), get(cookie(ticket), "Remote-User: root"))
		if !a.passed("") || len(a.verdict.Head) > 0 {
			t.Errorf("%s: the verdict is %+v", name, a.verdict)
		}
	}
}

func forwardedPaths(t *testing.T) {
	h := newHouse(t)
	open := func(p []byte) bool { return string(p) == "/healthz" }
	g := h.gate(policy.Options{AnyUser: true, Paths: open})
	for _, name := range []string{"X-Forwarded-Uri", "X-Original-Url", "X-Rewrite-Url",
		"X-Forwarded-Path"} {
		if a := h.do(g, get(name+": /healthz")); a.passed("") {
			t.Errorf("%s opens the route", name)
		}
	}
	for _, method := range []string{"X-Forwarded-Method", "X-Http-Method-Override"} {
		get := h.gate(policy.Options{Public: true, Methods: []string{"GET"}})
		if a := h.do(get, request("DELETE", "/", method+": GET")); a.passed("") {
			t.Errorf("%s makes another method", method)
		}
	}
}

func spoofedRedirects(t *testing.T) {
	h := newHouse(t)
	a := h.do(h.gate(anyUser), browse(get("X-Forwarded-Host: evil.test",
		"X-Forwarded-Proto: javascript",
		"X-Forwarded-Prefix: /evil", "Forwarded: host=evil.test", "Origin: https://evil.test")))
	if to := a.Header.Get("Location"); !strings.HasPrefix(to, signIn+"/sign_in?") ||
		strings.Contains(to, "evil") {
		t.Errorf("it leads to %q", to)
	}
	for _, authority := range []string{wiki + ":443", wiki + ":x", wiki + ":", wiki + ":123456"} {
		ask := browse(get())
		ask.host = authority
		q := ask.question()
		v := h.gate(anyUser).Check(q)
		w := &recorder{header: http.Header{}}
		v.Answer.ServeHTTP(w, browse(get()).request())
		if to := w.header.Get("Location"); !strings.Contains(to,
			"return=https%3A%2F%2F"+wiki+"%2Fpage") {
			t.Errorf("of the authority %q comes %q", authority, to)
		}
	}
	long := browse(get())
	long.target = "/p?" + strings.Repeat("a", 9000)
	if to := h.do(h.gate(anyUser), long).Header.Get("Location"); len(to) > 4096 ||
		!strings.Contains(to, "%2Fp&") {
		t.Errorf("an address of %d bytes", len(to))
	}
}

// recorder keeps the header of an answer.
type recorder struct{ header http.Header }

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(int)             {}
func (r *recorder) Write(b []byte) (int, error) { return len(b), nil }

func specialAgents(t *testing.T) {
	h := newHouse(t)
	for _, agent := range []string{"GoogleHC/1.0", "kube-probe/1.30", "ELB-HealthChecker/2.0",
		"doorward"} {
		if a := h.do(h.gate(anyUser), get("User-Agent: "+agent)); a.StatusCode != 401 {
			t.Errorf("%s gets %+v", agent, a.verdict)
		}
	}
}

func ourSecrets(t *testing.T) {
	h := newHouse(t)
	h.token()
	_, ticket := h.begin(wiki)
	for name, c := range map[string]struct {
		rule policy.Options
		ask  *ask
		hide bool
	}{
		"beside a session":        {anyUser, get(cookie(ticket), bearer(secret)), true},
		"as a password beside it": {anyUser, get(cookie(ticket), basic("x", secret)), true},
		"on a public route":       {policy.Options{Public: true}, get(bearer(secret)), true},
		"a wrong one of ours":     {policy.Options{Public: true}, get(bearer("dw_wrong")), true},
		"behind another field": {policy.Options{Public: true},
			get("Authorization: x", bearer(secret)), true},
		"with a preflight": {anyUser, request("OPTIONS", "/", "Origin: https://a.test",
			"Access-Control-Request-Method: GET", bearer(secret)), true},
		"somebody else's": {policy.Options{Public: true}, get(bearer("eyJ")), false},
	} {
		a := h.do(h.gate(c.rule), c.ask)
		if a.Response != nil || a.verdict.HideAuthorization != c.hide {
			t.Errorf("%s: the verdict is %+v", name, a.verdict)
		}
	}
}

func publicPaths(t *testing.T) {
	h := newHouse(t)
	prefix := func(p []byte) bool {
		return string(p) == "/pub" ||
			strings.HasPrefix(string(p), "/pub/")
	}
	g := h.gate(policy.Options{AnyUser: true, Paths: prefix})
	for target, want := range map[string]bool{
		"/pub": true, "/pub/x": true, "/pub/x?y=/admin": true,
		"/public": false, "/admin": false, "/admin?x=/pub": false, "/admin?/pub/": false,
		"/x/pub": false,
	} {
		a := request("GET", target)
		if got := h.do(g, a).passed(""); got != want {
			t.Errorf("%s is open: %v, want %v", target, got, want)
		}
	}
}

func openingMethods(t *testing.T) {
	h := newHouse(t)
	for _, method := range []string{"HEAD", "OPTIONS", "TRACE", "get", "CONNECT", "PROPFIND", "X"} {
		if a := h.do(h.gate(anyUser), request(method, "/admin")); a.StatusCode != 401 &&
			a.StatusCode != 302 {
			t.Errorf("%s: %+v", method, a.verdict)
		}
	}
	halves := [][]string{{"Origin: https://a.test"}, {"Access-Control-Request-Method: GET"}, {
		"Origin: https://a.test", "Access-Control-Request-Method: "}}
	for _, half := range halves {
		if a := h.do(h.gate(anyUser), request("OPTIONS", "/admin", half...)); a.Response == nil {
			t.Errorf("OPTIONS with %q passes", half)
		}
	}
	get := request("GET", "/admin", "Origin: https://a.test", "Access-Control-Request-Method: GET")
	if a := h.do(h.gate(anyUser), get); a.Response == nil {
		t.Error("a GET that looks like a preflight passes")
	}
	// What asks for another protocol besides is no preflight: it would open a tunnel.
	tunnel := request("OPTIONS", "/", "Origin: https://spa.example.com",
		"Access-Control-Request-Method: GET")
	tunnel.upgrade = "spdy/3.1"
	if a := h.do(h.gate(anyUser), tunnel); a.passed("") {
		t.Errorf("a tunnel by a preflight: %+v", a.verdict)
	}
}

func reservedPaths(t *testing.T) {
	for path, want := range map[string]bool{
		"/.doorward": true, "/.doorward/": true, "/.doorward/x": true, "/.DoorWard/x": true,
		"/.doorwardx": false, "/x/.doorward/": false, "/doorward/": false, "/": false, "": false,
	} {
		if got := auth.Reserved([]byte(path)); got != want {
			t.Errorf("Reserved(%q) = %v", path, got)
		}
	}
	h := newHouse(t)
	all := func([]byte) bool { return true }
	for _, rule := range []policy.Options{{Public: true}, {AnyUser: true, Paths: all}} {
		if a := h.do(h.gate(rule), request("GET", "/.doorward/anything")); a.Response == nil ||
			a.StatusCode != 404 {
			t.Errorf("a server gets a path of ours: %+v", a.verdict)
		}
	}
}

func referers(t *testing.T) {
	h := newHouse(t)
	for referer, want := range map[string]string{
		"https://" + wiki + "/app?x=1#y":         "/app?x=1",
		"https://" + wiki + ":443/app":           "/app",
		"":                                       "/",
		"https://evil.test/":                     "/",
		"http://" + wiki + "/app":                "/",
		"https://" + wiki + "@evil.test/":        "/",
		"https://" + wiki + ".evil.test/":        "/",
		"https://" + wiki + `\@evil.test/`:       "/",
		"https://" + wiki + `/\evil.test`:        "/",
		"//evil.test/":                           "/",
		"javascript:alert(1)":                    "/",
		"https:evil.test":                        "/",
		"https://" + wiki + "/.doorward/handoff": "/",
		"https://" + wiki + ":8443/":             "/",
	} {
		a := h.do(h.gate(anyUser), get("Referer: "+referer, "Sec-Fetch-Mode: cors",
			"Cookie: __Host-doorward-browser="+browserID))
		q := h.start(a.json(t)["login_url"].(string), browserID)
		if got := q.Get("return"); got != "https://"+wiki+want {
			t.Errorf("of %q comes %q", referer, got)
		}
	}
}

func forcedSignOut(t *testing.T) {
	h := newHouse(t)
	s, ticket := h.begin(wiki)
	for name, lines := range map[string][]string{
		"another site":      {"Sec-Fetch-Site: cross-site", "Origin: https://evil.test"},
		"CSRF-07 same site": {"Sec-Fetch-Site: same-site", "Origin: https://mail.example.com"},
		"no word of it":     {},
		"a null origin":     {"Origin: null"},
		"another origin":    {"Origin: https://evil.test"},
		"as JSON":           {"Origin: https://evil.test", "Content-Type: text/plain"},
	} {
		ask := request("POST", "/.doorward/sign_out", cookie(ticket),
			"Accept: text/html").with(lines...)
		if a := h.do(h.gate(anyUser), ask); a.StatusCode != 403 || !s.Valid() ||
			len(a.Cookies()) > 0 {
			t.Errorf("%s: %d, still in: %v", name, a.StatusCode, s.Valid())
		}
	}
	image := request("GET", "/.doorward/sign_out", cookie(ticket), "Sec-Fetch-Dest: image")
	if a := h.do(h.gate(anyUser), image); !s.Valid() || len(a.Cookies()) > 0 {
		t.Error("an image signs out")
	}
	override := image.with("X-Http-Method-Override: POST")
	if h.do(h.gate(anyUser), override); !s.Valid() {
		t.Error("an image that says POST signs out")
	}
}

func noCORS(t *testing.T) {
	h := newHouse(t)
	_, ticket := h.begin(wiki)
	for _, target := range []string{"/.doorward/whoami", "/.doorward/other", "/page"} {
		for _, origin := range []string{"https://evil.test", "null",
			"https://" + wiki + ".evil.test"} {
			for _, ask := range []*ask{
				request("GET", target, "Origin: "+origin),
				request("GET", target, "Origin: "+origin, cookie(ticket)),
			} {
				a := h.do(h.gate(policy.Options{Groups: []string{"x"}}), ask)
				for name := range a.Header {
					if strings.HasPrefix(name, "Access-Control-") {
						t.Errorf("%s from %s: %s", target, origin, name)
					}
				}
			}
		}
	}
}

func quietLogs(t *testing.T) {
	core, logged := observer.New(zapcore.DebugLevel)
	h := newHouse(t, func(s *auth.Shared) { s.Log = zap.New(core) })
	h.token()
	_, ticket := h.begin(wiki)
	code := h.handoff(wiki, browserID, "https://"+wiki+"/x")
	g := h.gate(policy.Options{Groups: []string{"x"}}, withTokens, func(o *auth.RouteOptions) {
		o.Bearer = []auth.Bearer{{Verify: (&provider{}).verify}}
	})
	var out strings.Builder
	for _, ask := range []*ask{
		browse(get(cookie(ticket))), get(bearer(secret)), get(bearer("forged-token")),
		redeem(code, browserID),
		redeem(code, browserID), redeem("an-unknown-code", browserID),
		browse(get(cookie(ticket + "x"))),
	} {
		a := h.do(g, ask)
		if a.Header.Get("Referrer-Policy") != "no-referrer" ||
			a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: %v", ask.method, ask.target, a.Header)
		}
		a.Header.Del("Set-Cookie")
		fmt.Fprintln(&out, a.Header, a.body)
	}
	for _, e := range logged.All() {
		fmt.Fprintln(&out, e.Message, e.ContextMap())
	}
	for _, never := range []string{ticket[1:], secret, code, "forged-token", "an-unknown-code",
		browserID} {
		if strings.Contains(out.String(), never) {
			t.Errorf("%q is told", never)
		}
	}
	if logged.Len() == 0 {
		t.Error("nothing was logged: this shows nothing")
	}
}

func tooManyGroups(t *testing.T) {
	h := newHouse(t)
	_, ticket := h.begin(wiki)
	var groups []string
	for i := range 5000 {
		groups = append(groups, fmt.Sprintf("group-%04d", i))
	}
	h.bob.Set(user.NewView(h.bob.View().User, groups, nil, nil))
	if a := h.do(h.gate(anyUser), get(cookie(ticket))); !a.passed("bob") ||
		len(a.verdict.Head) > assert.MaxHead {
		t.Errorf("groups that do not matter here: %+v", a.verdict.Status)
	}
	relevant := h.gate(policy.Options{Groups: groups}, func(o *auth.RouteOptions) {
		o.Head, _ = assert.CompileTemplate(assert.Options{Preset: "remote-user", Relevant: groups})
	})
	if a := h.do(relevant, get(cookie(ticket))); a.StatusCode != 403 {
		t.Errorf("groups that matter: %+v, want 403", a.verdict.Status)
	}
}

func endedTunnels(t *testing.T) {
	h := newHouse(t)
	g := h.gate(policy.Options{Groups: []string{"staff"}})
	ways := map[string]func(s *session.Session){
		"signed out": func(s *session.Session) { h.sessions.End(t.Context(), s, "test") },
		"all ended":  func(*session.Session) { h.sessions.EndUser(t.Context(), "u1", "test") },
		"loss of group": func(*session.Session) {
			h.bob.Set(user.NewView(h.bob.View().User, nil,
				nil, nil))
		},
		"disabled": func(*session.Session) { h.bob.Set(view(func(u *user.User) { u.State = user.Disabled })) },
		"expired":  func(*session.Session) { h.pass(9 * time.Hour) },
	}
	for _, name := range slices.Sorted(maps.Keys(ways)) {
		h.bob.Set(view())
		_, ticket := h.begin(wiki)
		pass := h.do(g, get(cookie(ticket))).verdict.Pass
		s, ok := pass.(*session.Session)
		if !ok || !g.Holds(pass, here()) {
			t.Fatalf("%s: it does not hold before", name)
		}
		if ways[name](s); g.Holds(pass, here()) {
			t.Errorf("%s: it holds", name)
		}
	}
}
