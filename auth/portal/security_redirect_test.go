package portal_test

import (
	"net/url"
	"strings"
	"time"

	"doorward/auth/portal"
)

// lands is where somebody with a session lands who asks for a return address.
func lands(b *browser, address string) string {
	b.h.Helper()
	a := b.get("/sign_in?" + url.Values{"return": {address}}.Encode())
	if a.status != 303 {
		b.h.Fatalf("return %q: answered %d", address, a.status)
	}
	for i := range len(a.location) {
		if c := a.location[i]; c <= ' ' || c == 0x7f || c == '\\' {
			b.h.Errorf("return %q: the Location %q has the byte %q", address, a.location, c)
		}
	}
	return a.location
}

func leadsHome(addresses ...string) func(h *house) {
	return func(h *house) {
		b := h.browser().signIn()
		for _, address := range addresses {
			if got := lands(b, address); got != home {
				h.Errorf("return %q leads to %q, want home", address, got)
			}
			// The same signed: even what our own gate asks for is looked at.
			if a := b.get(h.visiting(address)); a.location != home {
				h.Errorf("signed return %q leads to %q, want home", address, a.location)
			}
		}
	}
}

func leadsTo(pairs map[string]string) func(h *house) {
	return func(h *house) {
		b := h.browser().signIn()
		for address, want := range pairs {
			if got := lands(b, address); got != want {
				h.Errorf("return %q leads to %q, want %q", address, got, want)
			}
		}
	}
}

func redirectAttacks() []attack {
	const app = "https://app.example.com/"
	return []attack{
		{"RED-01_absolute_foreign", leadsHome("https://evil.example/", "HTTPS://EVIL.EXAMPLE")},
		{"RED-02_scheme_relative", leadsHome("//evil.example", "///evil.example",
			"////evil.example/%2e%2e", "//app.example.com/", "/./", "/../")},
		{"RED-04_whitespace_and_control", leadsHome("/%09/evil.example", "/\t/evil", " //evil",
			"/%0a/evil", "\x00//evil", "/%0d%0aLocation:%20//evil",
			"https://app.example.com/\r\nX: y",
			"https://app.example.com/ x", "\u2028https://app.example.com/")},
		{"RED-05_encoded_slash", leadsHome("/%2f%2fevil.example", "/%2F/evil", "/.%2f/evil")},
		{"RED-06_userinfo", leadsHome("https://app.example.com@evil.example",
			"//www.app.example.com@evil", "https://app.example.com%40evil",
			`https://evil\@app.example.com`,
			"https://user@app.example.com/", "https://:@app.example.com/",
			`https://evil\.app.example.com`,
			`https:\\evil`, `/\evil`)},
		{"RED-08_no_patterns", leadsHome("https://fooaexample/", "https://foo.example.evil/",
			"https://xfoo.example/", "https://x.foo.example/", "https://foo%2eexample/")},
		{"RED-09_scheme", leadsHome("javascript:alert(1)", "Jav%09asc%09ript:", "data:text/html,x",
			"vbscript:x", "http:app.example.com", "https:/evil", "https:evil.example",
			"http://app.example.com/", "https:app.example.com", "app.example.com")},
		{"RED-10_port", leadsHome("https://app.example.com:8443/",
			"https://app.example.com:80@evil",
			"https://app.example.com:/", "https://app.example.com:0443/")},
		{"RED-10_port_that_we_have", leadsTo(map[string]string{
			"https://app.example.com:444/":  "https://app.example.com:444/",
			"https://APP.example.com:443/x": "https://app.example.com/x",
		})},
		{"RED-12_fragments_and_queries", leadsTo(map[string]string{
			"/#//evil":                       home + "#//evil",
			"/?x=//evil":                     home + "?x=//evil",
			"/?rd=" + nested(20):             home + "?rd=" + nested(20),
			app + "?u=https://evil.example/": app + "?u=https://evil.example/",
			"https://app.example.com":        app,
			app + strings.Repeat("x", 2048):  home,
		})},
		{"RED-13_duplicates", duplicates},
		{"RED-14_own_endpoints", leadsHome("/sign_out", "/sign_in", "/sign_in?return=/sign_in",
			"/source/oauth/callback/azure-ad?code=x", "/setup?code=x", "/sign_in/with/azure-ad",
			"https://login.example.com/sign_out", "https://app.example.com/.doorward/sign_out",
			"https://app.example.com/x/../.doorward/sign_out",
			"https://app.example.com/%2edoorward/sign_out",
			"https://app.example.com//.doorward/handoff?code=x",
			"https://app.example.com/x/%2e%2e/.doorward/x",
			"https://app.example.com/.Doorward/x", "https://app.example.com/x%5c..%5c.doorward/x")},
		{"RED-15_forged_hosts", forgedHosts},
		{"RED-16_after_signing_out", afterSignOut},
		{"RED-17_state_that_was_changed", changedState},
		{"RED-18_odd_hosts", leadsHome("https://[::1]", "https://127.1", "https://2130706433",
			"https://app.example.com.", "https://[::1%25eth0]/", "https://xn--pp-8ia.example.com/",
			"https://äpp.example.com/", "https://login.example.com./")},
		{"RED-19_links_of_error_pages", errorLinks},
	}
}

func nested(n int) string { return strings.Repeat("%2F%3Frd%3D", n) }

func duplicates(h *house) {
	b := h.browser().signIn()
	b.get("/sign_in?return=/account&return=//evil").want(h, 400, "")
	b.get("/sign_in?return=/account&RETURN=//evil").want(h, 303, home+"account")
	b.cookies["return"] = "//evil"
	b.get("/sign_in").want(h, 303, home)
	fresh := h.browser()
	fresh.enter("/sign_in?return=/account", "return", "//evil").
		want(h, 303, home+"account")
}

func forgedHosts(h *house) {
	b := h.browser().signIn()
	b.header = map[string]string{
		"X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "//evil.example",
		"Forwarded": "host=evil.example",
	}
	if got := lands(b, "/account"); got != home+"account" {
		h.Errorf("leads to %q", got)
	}
	b.host = "evil.example"
	b.get("/sign_in").want(h, 404, "")
}

func afterSignOut(h *house) {
	for address, shown := range map[string]string{
		"https://evil.example/":    "",
		"//evil.example/":          "",
		"https://app.example.com/": "https://app.example.com/",
	} {
		b := h.browser().signIn()
		a := b.post("/sign_out", "return", address, "post_logout_redirect_uri",
			"https://evil.example/")
		if a.status != 200 || strings.Contains(a.body, "evil") || !strings.Contains(a.body, shown) {
			h.Errorf("return %q: %d %s", address, a.status, a.body)
		}
	}
	// At the provider it is our own address, which is registered there.
	h.rebuild(func(o *portal.Options) { o.Providers[0].LogoutThere = true })
	b := h.idp.signIn(h.browser(), bob())
	a := b.post("/sign_out", "return", "https://evil.example/", "post_logout_redirect_uri",
		"https://evil")
	there := must(url.Parse(onward(h, a)))(h.T).Query()
	if there.Get("post_logout_redirect_uri") != home+"source/oauth/callback/azure-ad" ||
		there.Get("id_token_hint") != "id-token-of-bob" ||
		there.Get("logout_hint") != "hint-of-bob" {
		h.Errorf("signed out at %v", there)
	}
	b.get("/source/oauth/callback/azure-ad").want(h, 303, "/sign_out")
	b.get("/sign_out").want(h, 200, "")
}

func changedState(h *house) {
	b := h.browser()
	callback := h.idp.away(b, h.idp.with()+"?return=https://app.example.com/x", bob())
	u := must(url.Parse(callback))(h.T)
	q := u.Query()
	state := []byte(q.Get("state"))
	for i := 0; i < len(state); i += 7 {
		changed := append([]byte(nil), state...)
		changed[i] ^= 1
		q.Set("state", string(changed))
		b.get(u.Path+"?"+q.Encode()).want(h, 400, "")
	}
	// A host that was ours when the visitor left is looked at once more.
	h.rebuild(func(o *portal.Options) { o.Destinations = nowhere{} })
	b.get(callback).want(h, 303, home)
}

type nowhere struct{}

func (nowhere) Destination(string, string) (portal.Destination, bool) {
	return portal.Destination{}, false
}

func errorLinks(h *house) {
	b := h.browser()
	const address = `https://app.example.com/"><script>alert(1)</script>`
	callback := h.idp.away(b, h.idp.with()+"?"+url.Values{"return": {address}}.Encode(), bob())
	pass(20 * time.Minute)
	a := b.get(callback).want(h, 400, "").says(h, "/sign_in?return=")
	if strings.Contains(a.body, "<script>alert") {
		h.Errorf("a script got into %s", a.body)
	}
	callback = h.idp.away(b, h.idp.with()+"?return=https://evil.example/", bob())
	pass(20 * time.Minute)
	if a := b.get(callback); strings.Contains(a.body, "evil") {
		h.Errorf("a foreign address in %s", a.body)
	}
}
