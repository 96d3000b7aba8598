package auth_test

import (
	"strings"
	"testing"

	"doorward/auth/policy"
)

func prefixSpoofs(t *testing.T) {
	h := newHouse(t)
	_, ticket := h.begin(wiki)
	for _, line := range []string{
		"\u2000__Host-doorward=" + ticket, "__host-doorward=" + ticket, "__HOST-DOORWARD=" + ticket,
		"=__Host-doorward=" + ticket, "__Host-doorward", "__Host-doorward =" + ticket,
		`"__Host-doorward"=` + ticket, `__Host-doorward="` + ticket + `"`,
		"__Host-doorward==" + ticket,
		"x__Host-doorward=" + ticket, "__Host-doorward-browser=" + ticket,
		"__Host-doorward2=" + ticket,
		"__Secure-doorward=" + ticket, "doorward=" + ticket, "__Host-doorward:" + ticket,
		"a=b, __Host-doorward=" + ticket, "\u00a0__Host-doorward=" + ticket,
		"%5F_Host-doorward=" + ticket,
		"__Host-doorward=" + ticket + ",x", "__Host-doorward\x00=" + ticket,
	} {
		if a := h.do(h.gate(anyUser), get("Cookie: "+line)); a.passed("bob") {
			t.Errorf("%q passes", line)
		}
	}
}

func plainHTTP(t *testing.T) {
	h := newHouse(t)
	_, ticket := h.begin(wiki)
	h.token()
	for _, method := range []string{"GET", "HEAD", "POST"} {
		a := request(method, "/page?a=1", cookie(ticket), bearer(secret))
		a.plain = true
		got := h.do(h.gate(anyUser, withTokens), browse(a))
		switch {
		case got.Response == nil, len(got.Cookies()) > 0:
			t.Errorf("%s: %+v", method, got.verdict)
		case method == "POST" && got.StatusCode != 403,
			method != "POST" && (got.StatusCode != 307 ||
				got.Header.Get("Location") != "https://"+wiki+"/page?a=1"):
			t.Errorf("%s: %d %v", method, got.StatusCode, got.Header)
		}
	}
	refused := browse(request("GET", "/page", cookie(ticket)))
	refused.plain, refused.client = true, "192.0.2.1"
	rule := policy.Options{AnyUser: true, Methods: []string{"PUT"}}
	if a := h.do(h.gate(rule), refused); a.StatusCode != 403 || len(a.Cookies()) > 0 {
		t.Errorf("a refusal: %d %v", a.StatusCode, a.Cookies())
	}
	for _, target := range []string{"/.doorward/whoami", "/.doorward/sign_out",
		"/.doorward/handoff?code=x"} {
		a := request("GET", target, cookie(ticket))
		a.plain = true
		if got := h.do(h.gate(anyUser), a); got.StatusCode != 307 || len(got.Cookies()) > 0 {
			t.Errorf("%s: %d %v", target, got.StatusCode, got.Cookies())
		}
	}
	open := get()
	open.plain = true
	if a := h.do(h.gate(policy.Options{Public: true}), open); !a.passed("") {
		t.Errorf("a public route: %+v", a.verdict)
	}
}

func changedTickets(t *testing.T) {
	h := newHouse(t)
	_, ticket := h.begin(wiki)
	g := h.gate(anyUser)
	for i := range ticket {
		for bit := range 8 {
			b := []byte(ticket)
			if b[i] ^= 1 << bit; h.do(g, get(cookie(string(b)))).passed("bob") {
				t.Fatalf("bit %d of byte %d does not matter", bit, i)
			}
		}
	}
	for i := range ticket {
		if h.do(g, get(cookie(ticket[:i]))).passed("bob") ||
			h.do(g, get(cookie(ticket[i+1:]))).passed("bob") {
			t.Fatalf("%d bytes are enough", i)
		}
	}
	for _, tail := range []string{"=", "A", "\t.", " x", "%"} {
		if h.do(g, get(cookie(ticket+tail))).passed("bob") {
			t.Errorf("with %q behind it passes", tail)
		}
	}
	if !h.do(g, get(cookie(ticket))).passed("bob") {
		t.Error("the ticket itself does not pass")
	}
}

func sizeAndParts(t *testing.T) {
	h := newHouse(t)
	_, ticket := h.begin(wiki)
	g := h.gate(anyUser)
	split := get("Cookie: __Host-doorward_0=" + ticket[:20] + "; __Host-doorward_1=" + ticket[20:])
	if a := h.do(g, split); a.StatusCode != 401 {
		t.Errorf("in parts: %+v", a.verdict)
	}
	if a := h.do(g, get(cookie(strings.Repeat("A", 1<<20)))); a.StatusCode != 401 {
		t.Errorf("a megabyte: %+v", a.verdict)
	}
	many := "Cookie: " + strings.Repeat("a=b; ", 3500) + "__Host-doorward=" + ticket
	if a := h.do(g, get(many)); !a.passed("bob") {
		t.Error("behind 3500 others it is not found")
	}
}

func otherHosts(t *testing.T) {
	h := newHouse(t)
	_, ticket := h.begin("mail.example.com")
	if a := h.do(h.gate(anyUser), get(cookie(ticket))); a.passed("bob") {
		t.Error("the ticket of another host passes")
	}
	_, ticket = h.begin("login.example.com")
	if a := h.do(h.gate(anyUser), get(cookie(ticket))); a.passed("bob") {
		t.Error("the ticket of the sign-in host passes")
	}
}

func besideTheCookie(t *testing.T) {
	h := newHouse(t)
	_, ticket := h.begin(wiki)
	ask := get("X-Session: "+ticket, bearer(ticket), "Cookie2: __Host-doorward="+ticket,
		"Set-Cookie: __Host-doorward="+ticket)
	ask.target = "/?__Host-doorward=" + ticket + "&doorward=" + ticket
	if a := h.do(h.gate(anyUser, withTokens), ask); a.passed("bob") {
		t.Error("a ticket beside the cookie passes")
	}
}

func differingParsers(t *testing.T) {
	h := newHouse(t)
	_, ticket := h.begin(wiki)
	ours := "__Host-doorward=" + ticket
	for want, lines := range map[bool][][]string{
		true: {
			{"a=b; " + ours}, {"a=b;" + ours}, {"a=b;\t" + ours + "\t;c=d"}, {"a=b", ours},
			{ours, "c=d"}, {ours + "; " + ours}, {ours, ours}, {"; ;" + ours},
			{`a="x; ` + ours + `; y"`},
			{"$Version=1; " + ours}, {"\xff=\xfe; " + ours},
		},
		false: {
			{ours + "; __Host-doorward=x"}, {"__Host-doorward=x", ours},
			{"__Host-doorward=; " + ours},
			{"a=b, " + ours}, {"a=" + ours},
		},
	} {
		for _, some := range lines {
			ask := get()
			for _, line := range some {
				ask.with("Cookie: " + line)
			}
			if got := h.do(h.gate(anyUser), ask).passed("bob"); got != want {
				t.Errorf("%q passes: %v, want %v", some, got, want)
			}
		}
	}
}

func brokenCookies(t *testing.T) {
	h := newHouse(t)
	s, ticket := h.begin(wiki)
	h.sessions.End(t.Context(), s, "test")
	for name, c := range map[string]struct {
		ask     *ask
		removed bool
	}{
		"a page with garbage":     {browse(get(cookie("garbage"))), true},
		"a script with garbage":   {get(cookie("garbage")), true},
		"a page with an old one":  {browse(get(cookie(ticket))), true},
		"two that differ":         {get(cookie(ticket) + "; __Host-doorward=x"), true},
		"no cookie":               {browse(get()), false},
		"a script, perhaps early": {get(cookie(ticket)), false},
	} {
		got := h.do(h.gate(anyUser), c.ask).cookie("__Host-doorward")
		if (got != nil) != c.removed || got != nil && (got.MaxAge >= 0 || got.Value != "") {
			t.Errorf("%s: %v", name, got)
		}
	}
}
