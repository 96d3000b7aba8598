package auth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"doorward/auth"
	"doorward/auth/assert"
	"doorward/auth/policy"
	"doorward/auth/user"
)

const secret = "dw_0123456789012345678901234567890123456789012abcdef"

func (h *house) token(change ...func(*user.Token)) *user.Token {
	t := &user.Token{ID: "t1", UserID: "u1"}
	for _, c := range change {
		c(t)
	}
	h.tokens.all[secret] = t
	return t
}

func withTokens(o *auth.RouteOptions) { o.Tokens = true }

func withBasic(o *auth.RouteOptions) { o.Basic = true }

func bearer(token string) string { return "Authorization: Bearer " + token }

func basic(name, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

func TestTokensOfUsers(t *testing.T) {
	for name, c := range map[string]struct {
		token func(*user.Token)
		route func(*auth.RouteOptions)
		line  string
		want  int // 0 passes
	}{
		"a token":             {nil, withTokens, bearer(secret), 0},
		"the scheme in small": {nil, withTokens, "Authorization: bearer   " + secret, 0},
		"as a password":       {nil, withBasic, basic("bob", secret), 0},
		"under any name":      {nil, withBasic, basic("", secret), 0},
		"no tokens here":      {nil, withBasic, bearer(secret), 401},
		"no passwords here":   {nil, withTokens, basic("bob", secret), 401},
		"another secret":      {nil, withTokens, bearer(secret + "x"), 401},
		"another password":    {nil, withBasic, basic("bob", "hunter2"), 401},
		"no base64":           {nil, withBasic, "Authorization: Basic !!!", 401},
		"no colon": {nil, withBasic,
			"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(secret)), 401},
		"too long":          {nil, withBasic, basic("bob", strings.Repeat("x", 4000)), 401},
		"a token of others": {nil, withTokens, bearer("eyJhbGciOi"), 401},
		"for the route": {func(t *user.Token) { t.Routes = []string{"wiki"} }, withTokens,
			bearer(secret), 0},
		"for another route": {func(t *user.Token) { t.Routes = []string{"mail"} }, withTokens,
			bearer(secret), 401},
		"over": {func(t *user.Token) { t.Expires = time.Now().Add(-time.Hour) },
			withTokens, bearer(secret), 401},
		"another scheme":       {nil, withTokens, "Authorization: Digest " + secret, 401},
		"nothing but a scheme": {nil, withTokens, "Authorization: Bearer", 401},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.token()
			if c.token != nil {
				h.token(c.token)
			}
			a := h.do(h.gate(anyUser, c.route), browse(get(c.line)))
			if c.want == 0 {
				if !a.passed("bob") || !a.verdict.HideAuthorization {
					t.Errorf("the verdict is %+v", a.verdict)
				}
				return
			}
			if a.passed("bob") {
				t.Fatal("it passes")
			}
			// What is nothing to this route may be a page's own matter.
			if strings.HasPrefix(name, "no ") && strings.HasSuffix(name, "here") ||
				name == "a token of others" || strings.Contains(name, "scheme") {
				if a.StatusCode != 302 {
					t.Errorf("%d, want a sign-in", a.StatusCode)
				}
				return
			}
			if a.StatusCode != c.want || a.Header.Get("WWW-Authenticate") == "" ||
				a.Header.Get("Location") != "" {
				t.Errorf("%d %v", a.StatusCode, a.Header)
			}
		})
	}
}

func TestTokenHolds(t *testing.T) {
	h := newHouse(t)
	token := h.token()
	g := h.gate(policy.Options{Groups: []string{"staff"}}, withTokens)
	pass := h.do(g, get(bearer(secret))).verdict.Pass
	if !g.Holds(pass, here()) {
		t.Fatal("a good token does not hold")
	}
	if h.gate(policy.Options{Groups: []string{"staff"}}).Holds(pass, here()) {
		t.Error("it holds though the route takes no tokens any more")
	}
	h.bob.Set(user.NewView(h.bob.View().User, nil, nil, nil))
	if g.Holds(pass, here()) {
		t.Error("it holds without the group")
	}
	h.bob.Set(view())
	token.Expires = h.clock().Add(time.Minute)
	if h.pass(time.Minute); g.Holds(pass, here()) {
		t.Error("it holds after its end")
	}
	token.Expires = time.Time{}
	delete(h.tokens.all, secret)
	if g.Holds(pass, here()) {
		t.Error("it holds after it was deleted")
	}
	if a := h.do(g, get(bearer(secret))); a.StatusCode != 401 {
		t.Errorf("a deleted token gets %d", a.StatusCode)
	}
}

// When a token ends is told when somebody comes in with it, and again by who looks
// whether that still holds: one that ends earlier may have been known meanwhile.
func TestEndsOfTokensAreTold(t *testing.T) {
	var ends []time.Time
	h := newHouse(t, func(s *auth.Shared) {
		s.Until = func(end time.Time) { ends = append(ends, end) }
	})
	told := func(what string, want ...time.Time) {
		t.Helper()
		if !slices.EqualFunc(ends, want, time.Time.Equal) {
			t.Errorf("%s: told of %v, want %v", what, ends, want)
		}
		ends = nil
	}
	soon, late := h.clock().Add(time.Minute), h.clock().Add(time.Hour)
	p := &provider{person: h.bob, until: late}
	g := h.gate(anyUser, withTokens, func(o *auth.RouteOptions) {
		o.Bearer = []auth.Bearer{{Audiences: []string{"api://wiki"}, Verify: p.verify}}
	})
	token := h.token()
	ours := h.do(g, get(bearer(secret))).verdict.Pass
	g.Holds(ours, here())
	told("a token without an end")
	token.Expires = soon
	h.do(g, get(bearer(secret)))
	told("a token", soon)
	theirs := h.do(g, get(bearer("good"))).verdict.Pass
	told("one of a provider", late)
	g.Holds(ours, here())
	g.Holds(theirs, here())
	told("looking", soon, late)
	h.pass(2 * time.Minute)
	g.Holds(ours, here())
	told("looking after its end")
}

// Programs are told how to come in; browsers never of a password, or they would ask
// for one in a window of their own.
func TestDemands(t *testing.T) {
	h := newHouse(t)
	both := func(o *auth.RouteOptions) { o.Tokens, o.Basic = true, true }
	a := h.do(h.gate(anyUser, both), get())
	if got := a.Header.Values("WWW-Authenticate"); !slices.Equal(got, []string{
		`Bearer realm="wiki.example.com"`, `Basic realm="wiki.example.com", charset="UTF-8"`,
	}) {
		t.Errorf("a program is told %q", got)
	}
	a = h.do(h.gate(anyUser, both), get("Sec-Fetch-Mode: cors"))
	if got := a.Header.Values("WWW-Authenticate"); len(got) != 1 {
		t.Errorf("a browser is told %q", got)
	}
	a = h.do(h.gate(anyUser, withTokens), get(bearer("dw_wrong")))
	if got := a.Header.Get("WWW-Authenticate"); got != `Bearer realm="wiki.example.com", error="invalid_token"` {
		t.Errorf("with a wrong token: %q", got)
	}
}

// provider is one whose tokens are words.
type provider struct {
	person *user.Person
	asked  int
	down   bool
	until  time.Time
}

var errForged = errors.New("a forged token")

func (p *provider) verify(_ context.Context, token string, audiences []string) (auth.Caller,
	error) {
	p.asked++
	switch {
	case p.down:
		return auth.Caller{}, fmt.Errorf("azure: %w", auth.ErrUnavailable)
	case !slices.Equal(audiences, []string{"api://wiki"}) || !strings.HasPrefix(token, "good"):
		return auth.Caller{}, errForged
	case token == "good stranger":
		return auth.Caller{Expires: p.until}, nil
	}
	return auth.Caller{Person: p.person, Provider: "azure", Scopes: strings.Fields(token)[1:],
		Expires: p.until}, nil
}

func TestTokensOfProviders(t *testing.T) {
	h := newHouse(t)
	p := &provider{person: h.bob, until: h.clock().Add(10 * time.Minute)}
	g := h.gate(policy.Options{AnyUser: true, Providers: []string{"azure"}},
		func(o *auth.RouteOptions) {
			o.Bearer = []auth.Bearer{{Audiences: []string{"api://wiki"},
				Scopes: []string{"read", "all"}, Verify: p.verify}}
		})
	for range 3 {
		if a := h.do(g, get(bearer("good read"))); !a.passed("bob") || a.verdict.HideAuthorization {
			t.Fatalf("the verdict is %+v", a.verdict)
		}
	}
	if p.asked != 1 {
		t.Errorf("verified %d times", p.asked)
	}
	pass := h.do(g, get(bearer("good read"))).verdict.Pass
	for token, want := range map[string]int{"forged": 401, "good stranger": 401,
		"good write": 403, "dw_good": 302} {
		a := h.do(g, browse(get(bearer(token))))
		if a.StatusCode != want || want == 403 &&
			!strings.Contains(a.Header.Get("WWW-Authenticate"), "insufficient_scope") {
			t.Errorf("%s: %d %v", token, a.StatusCode, a.Header)
		}
	}
	if a := h.do(g, get(bearer("good read"), bearer("good all"))); a.StatusCode != 400 {
		t.Errorf("two fields: %d", a.StatusCode)
	}
	if !g.Holds(pass, here()) {
		t.Error("a good token does not hold")
	}
	if h.gate(anyUser).Holds(pass, here()) {
		t.Error("it holds though the route takes no tokens of providers any more")
	}
	p.down = true
	if a := h.do(g, get(bearer("good all"))); a.StatusCode != 503 ||
		a.Header.Get("Retry-After") == "" {
		t.Errorf("down: %d %v", a.StatusCode, a.Header)
	}
	if a := h.do(g, get(bearer("good read"))); !a.passed("bob") {
		t.Error("down: a token that was verified does not pass")
	}
	h.pass(10 * time.Minute)
	p.down = false
	if a := h.do(g, get(bearer("good read"))); a.StatusCode != 401 || g.Holds(pass, here()) {
		t.Errorf("after its end: %+v", a.verdict)
	}
}

// What a provider's token opened stays open behind a reload if the token would still do.
func TestTokensOfProvidersAfterAReload(t *testing.T) {
	h := newHouse(t)
	p := &provider{person: h.bob, until: h.clock().Add(10 * time.Minute)}
	taking := func(b ...auth.Bearer) *auth.Gate {
		return h.gate(anyUser, func(o *auth.RouteOptions) { o.Bearer = b })
	}
	wiki := []string{"api://wiki"}
	pass := h.do(taking(auth.Bearer{
		Provider: "azure", Audiences: wiki, Scopes: []string{"read"}, Verify: p.verify,
	}), get(bearer("good read"))).verdict.Pass
	for name, c := range map[string]struct {
		now   []auth.Bearer
		holds bool
	}{
		"as before":        {[]auth.Bearer{{Provider: "azure", Audiences: wiki, Scopes: []string{"read"}}}, true},
		"any scope":        {[]auth.Bearer{{Provider: "azure", Audiences: wiki}}, true},
		"one more scope":   {[]auth.Bearer{{Provider: "azure", Audiences: wiki, Scopes: []string{"write", "read"}}}, true},
		"another scope":    {[]auth.Bearer{{Provider: "azure", Audiences: wiki, Scopes: []string{"write"}}}, false},
		"another audience": {[]auth.Bearer{{Provider: "azure", Audiences: []string{"api://mail"}}}, false},
		"one more audience": {
			[]auth.Bearer{{Provider: "azure", Audiences: []string{"api://mail", "api://wiki"}}}, true},
		"another provider": {[]auth.Bearer{{Provider: "other", Audiences: wiki}}, false},
		"one more provider": {
			[]auth.Bearer{{Provider: "other", Audiences: wiki}, {Provider: "azure", Audiences: wiki}}, true},
		"no tokens": {nil, false},
	} {
		if got := taking(c.now...).Holds(pass, here()); got != c.holds {
			t.Errorf("%s: holds %v, want %v", name, got, c.holds)
		}
	}
}

// Who sends ever new tokens fills no memory, and those who come regularly still pass.
func TestManyTokensOfProviders(t *testing.T) {
	h := newHouse(t)
	p := &provider{person: h.bob, until: h.clock().Add(time.Minute)}
	g := h.gate(anyUser, func(o *auth.RouteOptions) {
		o.Bearer = []auth.Bearer{{Audiences: []string{"api://wiki"}, Verify: p.verify}}
	})
	for i := range 9000 {
		if a := h.do(g, get(bearer(fmt.Sprint("good ", i)))); !a.passed("bob") {
			t.Fatalf("token %d: %+v", i, a.verdict)
		}
	}
	p.asked = 0
	for i := range 9000 {
		h.do(g, get(bearer(fmt.Sprint("good ", i))))
	}
	if p.asked < 9000-8192 {
		t.Errorf("only %d of 9000 tokens were forgotten, at most 8192 are kept", p.asked)
	}
}

// The session says who it is, and what Authorization says is the server's matter.
func TestSessionComesFirst(t *testing.T) {
	h := newHouse(t)
	_, ticket := h.begin(wiki)
	a := h.do(h.gate(anyUser, withTokens), get(cookie(ticket), bearer("of-the-server")))
	if !a.passed("bob") || a.verdict.HideAuthorization {
		t.Errorf("the verdict is %+v", a.verdict)
	}
}

// A field that we write is ours alone.
func TestOwnAuthorization(t *testing.T) {
	h := newHouse(t)
	_, ticket := h.begin(wiki)
	g := h.gate(anyUser, func(o *auth.RouteOptions) {
		o.Head, _ = assert.CompileTemplate(assert.Options{Fields: map[string]string{"Authorization": "User {user}"}})
	})
	open := h.gate(policy.Options{AnyUser: true, Paths: func(path []byte) bool {
		return string(path) == "/page"
	}}, func(o *auth.RouteOptions) {
		o.Head, _ = assert.CompileTemplate(assert.Options{Fields: map[string]string{"Authorization": "User {user}"}})
	})
	forged := "Authorization: User root"
	preflight := request("OPTIONS", "/api", "Origin: https://spa.example.com",
		"Access-Control-Request-Method: PUT", forged)
	for what, a := range map[string]*ask{"a public path": get(forged), "a preflight": preflight} {
		if a := h.do(open, a); !a.passed("") || !a.verdict.HideAuthorization {
			t.Errorf("%s: the server believes %q: %+v", what, forged, a.verdict)
		}
	}
	if a := h.do(g, get(cookie(ticket), bearer("x"))); !a.passed("bob") ||
		!a.verdict.HideAuthorization {
		t.Errorf("the verdict is %+v", a.verdict)
	}
}
