package auth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"doorward/auth"
	"doorward/auth/assert"
	"doorward/auth/page"
	"doorward/auth/policy"
	"doorward/auth/seal"
	"doorward/auth/session"
	"doorward/auth/user"
	"doorward/internal/gate"
	"doorward/state"
)

const (
	signIn = "https://login.example.com"
	wiki   = "wiki.example.com"
)

// house is one user, bob, with everything that a gate needs.
type house struct {
	t        testing.TB
	shared   auth.Shared
	doors    *auth.Doors
	sessions *session.Manager
	box      *seal.Box
	bob      *user.Person
	tokens   *tokens
	mu       sync.Mutex
	now      time.Time
	told     []auth.Refusal
}

func newHouse(t testing.TB, change ...func(*auth.Shared)) *house {
	t.Helper()
	store, err := state.Open("memory:", state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	box, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, box: box, bob: user.NewPerson(view()), now: time.Now(),
		tokens: &tokens{all: map[string]*user.Token{}}}
	h.tokens.person = h.bob
	h.sessions, err = session.Open(context.Background(), session.Options{
		Store: store, Box: box, Now: h.clock,
		Limits: session.Limits{Idle: time.Hour, Lifetime: 8 * time.Hour},
		People: func(id string) *user.Person {
			if id == "u1" {
				return h.bob
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.sessions.Close(context.Background()) })
	pages, err := page.New(page.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h.shared = auth.Shared{
		Host: "login.example.com", Sessions: h.sessions, Box: box, Tokens: h.tokens,
		Pages: pages.Under("/.doorward/assets/"), Assets: pages.Assets(), Now: h.clock,
		Told:  func(r auth.Refusal) { h.told = append(h.told, r) },
		Title: func(g string) string { return "The " + g },
	}
	for _, c := range change {
		c(&h.shared)
	}
	h.doors = auth.New(h.shared)
	return h
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func view(change ...func(*user.User)) *user.View {
	u := &user.User{ID: "u1", Name: "bob", Title: "Bob Bauer", State: user.Active}
	for _, c := range change {
		c(u)
	}
	return user.NewView(u, []string{"staff"}, nil, nil)
}

// tokens are those of the test.
type tokens struct {
	person *user.Person
	all    map[string]*user.Token // by secret
}

func (t *tokens) FindToken(secret []byte) (*user.Person, *user.Token) {
	if found := t.all[string(secret)]; found != nil {
		return t.person, found
	}
	return nil, nil
}

func (t *tokens) Token(id string) (user.Token, bool) {
	for _, token := range t.all {
		if token.ID == id {
			return *token, true
		}
	}
	return user.Token{}, false
}

// begin signs bob in, and returns the session and its ticket for a host.
func (h *house) begin(host string, change ...func(*session.Start)) (*session.Session, string) {
	h.t.Helper()
	start := session.Start{UserID: "u1", Provider: "local", Host: host}
	for _, c := range change {
		c(&start)
	}
	s, ticket, err := h.sessions.Begin(context.Background(), start)
	if err != nil {
		h.t.Fatal(err)
	}
	return s, ticket
}

// gate makes the gate of the wiki; without a rule every user may come.
func (h *house) gate(rule policy.Options, change ...func(*auth.RouteOptions)) *auth.Gate {
	h.t.Helper()
	rule.Name = "wiki"
	r, err := policy.Compile(rule)
	if err != nil {
		h.t.Fatal(err)
	}
	head, err := assert.CompileTemplate(assert.Options{Preset: "remote-user"})
	if err != nil {
		h.t.Fatal(err)
	}
	o := auth.RouteOptions{Name: "wiki", App: page.App{Title: "The wiki"}, Rule: r, Head: head}
	for _, c := range change {
		c(&o)
	}
	return h.doors.Gate(o)
}

var anyUser = policy.Options{AnyUser: true}

// ask is a request to the wiki. Lines are "Name: value"; a first one without ": " is
// "METHOD target".
type ask struct {
	method, host, target string
	header               http.Header
	plain, grpc          bool
	upgrade              string
	client               string
	body                 string
}

func get(lines ...string) *ask { return request("GET", "/page?a=1", lines...) }

func request(method, target string, lines ...string) *ask {
	a := &ask{method: method, host: wiki, target: target, header: http.Header{}, client: "10.0.0.1"}
	return a.with(lines...)
}

func (a *ask) with(lines ...string) *ask {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		a.header.Add(name, value)
	}
	return a
}

// browse are the fields of a browser that goes to a page.
func browse(a *ask) *ask {
	return a.with("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document",
		"Accept: text/html,application/xhtml+xml,*/*;q=0.8")
}

// embedded is a page that a browser loads for a part of another one.
func embedded(dest string) *ask {
	return get("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: "+dest,
		"Accept: text/html,application/xhtml+xml,*/*;q=0.8")
}

func cookie(ticket string) string { return "Cookie: __Host-doorward=" + ticket }

// fields gives access to a header as the proxy does.
type fields http.Header

func (f fields) Field(name string, n int) ([]byte, bool) {
	for key, values := range f {
		if strings.EqualFold(key, name) && n < len(values) {
			return []byte(values[n]), true
		}
	}
	return nil, false
}

func (a *ask) question() *gate.Question {
	path, query, _ := strings.Cut(a.target, "?")
	host, _, _ := strings.Cut(a.host, ":")
	q := &gate.Question{
		Host: []byte(strings.ToLower(host)), Authority: []byte(a.host), Path: []byte(path),
		Query: []byte(query), Method: []byte(a.method), Secure: !a.plain, GRPC: a.grpc,
		Client: netip.MustParseAddr(a.client), Fields: fields(a.header),
	}
	if a.upgrade != "" {
		q.Upgrade = []byte(a.upgrade)
	}
	return q
}

func (a *ask) request() *http.Request {
	scheme := "https://"
	if a.plain {
		scheme = "http://"
	}
	r := httptest.NewRequest(a.method, scheme+a.host+a.target, strings.NewReader(a.body))
	r.RequestURI = a.target
	r.Header = a.header
	return r
}

// answer is what came: a verdict that lets pass, or an answer in place of the route.
type answer struct {
	*http.Response
	verdict gate.Verdict
	body    string
}

// passed tells whether the request went on, for that user ("" is nobody).
func (a *answer) passed(name string) bool {
	if a.verdict.Answer != nil || a.verdict.Status != 0 {
		return false
	}
	if a.verdict.Pass == nil {
		return name == "" && len(a.verdict.Head) == 0
	}
	return a.verdict.Pass.UserName() == name
}

func (h *house) do(g gate.Gate, a *ask) *answer {
	h.t.Helper()
	q := a.question()
	v := g.Check(q)
	for _, b := range [][]byte{q.Host, q.Authority, q.Path, q.Query, q.Method} {
		for i := range b {
			b[i] = 'X' // nothing of the question may be kept
		}
	}
	out := &answer{verdict: v}
	if v.Answer == nil {
		return out
	}
	w := httptest.NewRecorder()
	v.Answer.ServeHTTP(w, a.request())
	out.Response = w.Result()
	b, err := io.ReadAll(out.Response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	out.body = string(b)
	if v.Status != 0 && v.Status != out.StatusCode {
		h.t.Errorf("the verdict says %d, the answer %d", v.Status, out.StatusCode)
	}
	h.checkCookies(out)
	return out
}

// checkCookies holds every cookie that we set against what all of them must be
// (security case COOK-04).
func (h *house) checkCookies(a *answer) {
	h.t.Helper()
	for _, c := range a.Cookies() {
		if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" ||
			strings.HasPrefix(c.Name, "__Host-") && c.Domain != "" {
			h.t.Errorf("the cookie %s", c.Raw)
		}
	}
}

func (a *answer) cookie(name string) *http.Cookie {
	for _, c := range a.Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// start checks an address of the sign-in host that begins a sign-in, and returns its
// parameters.
func (h *house) start(address, browser string) url.Values {
	h.t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Scheme+"://"+u.Host != signIn || u.Path != "/sign_in" {
		h.t.Fatalf("%q is no beginning of a sign-in", address)
	}
	q := u.Query()
	if !h.box.Check("start", q.Get("sig"), q.Get("return")+"\n"+q.Get("bind")) {
		h.t.Error("the sign-in host would not believe the signature")
	}
	if q.Get("bind") != bindOf(browser) {
		h.t.Errorf("bound to %q, want what belongs to the browser %q", q.Get("bind"), browser)
	}
	return q
}

func (a *answer) json(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return v
}
