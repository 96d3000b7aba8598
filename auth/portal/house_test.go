package portal_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"doorward/auth/audit"
	"doorward/auth/cookie"
	"doorward/auth/directory"
	"doorward/auth/local"
	"doorward/auth/page"
	"doorward/auth/portal"
	"doorward/auth/seal"
	"doorward/auth/session"
	"doorward/auth/user"
	"doorward/state"
)

const (
	signInHost = "login.example.com"
	appHost    = "app.example.com"
	home       = "https://login.example.com/"
	password   = "correct horse battery staple"
)

// house is a sign-in host with all that it needs, two providers that are not real,
// and one local user, alice.
type house struct {
	*testing.T
	store     *state.Store
	box       *seal.Box
	directory *directory.Directory
	sessions  *session.Manager
	options   portal.Options
	portal    *portal.Portal
	rechecks  *portal.Rechecks
	idp       *provider
	second    *provider
	logs      *observer.ObservedLogs
	alice     string
}

// in runs a test in a house whose time is its own.
func in(t *testing.T, test func(h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(newHouse(t))
	})
}

func newHouse(t *testing.T) *house {
	h := &house{T: t, idp: newProvider("azure-ad"), second: newProvider("other")}
	core, logs := observer.New(zap.DebugLevel)
	h.logs = logs
	log := zap.New(core)
	h.store = must(state.Open("memory:", state.Options{}))(t)
	t.Cleanup(func() { _ = h.store.Close() })
	h.box = must(seal.New(bytes.Repeat([]byte{7}, seal.RootSize)))(t)
	h.directory = must(directory.Open(t.Context(), directory.Options{Store: h.store, Log: log}))(t)
	t.Cleanup(func() { _ = h.directory.Close() })
	h.sessions = must(session.Open(t.Context(), session.Options{
		Store: h.store, Box: h.box, People: h.directory.Person, Log: log,
		Limits: session.Limits{Idle: 8 * time.Hour, Lifetime: 24 * time.Hour},
	}))(t)
	t.Cleanup(func() { _ = h.sessions.Close(context.Background()) })
	events := audit.New(audit.Options{Store: h.store, Log: log})
	t.Cleanup(func() { events.Close() })
	hasher := local.NewHasher(local.HashOptions{})
	h.options = portal.Options{
		Host: signInHost, LocalUsers: true, MinLength: 15,
		Providers:    []portal.Provider{h.idp.options(), h.second.options()},
		Destinations: destinations{}, Box: h.box, Sessions: h.sessions, Directory: h.directory,
		Pages: must(page.New(page.Options{}))(t), Audit: events,
		Loops: portal.NewLoops(nil), Floods: portal.NewFloods(nil), Hasher: hasher,
		Local: local.New(local.Options{
			Users: h.directory, Hasher: hasher, Canonical: directory.Canonical, Signer: h.box,
			Settings: local.Settings{Policy: local.Policy{RejectCommon: true}},
		}),
		Consents: h.directory, Log: log,
	}
	h.rechecks = portal.NewRechecks(portal.RecheckOptions{
		Sessions: h.sessions, Directory: h.directory, Log: log,
	})
	t.Cleanup(h.rechecks.Close)
	h.options.Rechecks = h.rechecks
	h.rebuild(func(*portal.Options) {})
	h.alice = h.user(user.User{Name: "alice", Email: "alice@example.com"}, password)
	return h
}

// rebuild is a reload.
func (h *house) rebuild(change func(*portal.Options)) {
	change(&h.options)
	h.portal = portal.New(h.options)
	h.rechecks.Configure(h.Context(), h.options.LocalUsers, h.options.Providers)
}

// user makes a user, with a password unless that is empty.
func (h *house) user(u user.User, password string) (id string) {
	h.Helper()
	p := must(h.directory.Create(h.Context(), u))(h.T)
	id = p.View().User.ID
	if password != "" {
		phc := must(h.options.Hasher.Hash(h.Context(), password))(h.T)
		if err := h.directory.SetPassword(h.Context(), id, phc); err != nil {
			h.Fatal(err)
		}
	}
	return id
}

// account is a user as it is now.
func (h *house) account(id string) *user.User { return h.directory.Person(id).View().User }

func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// destinations routes two hosts, of which one has a provider of its own.
type destinations struct{}

func (destinations) Destination(host, _ string) (portal.Destination, bool) {
	d, ok := map[string]portal.Destination{
		appHost:               {Route: "app", Title: "The App"},
		"foo.example":         {Route: "foo"},
		"app.example.com:444": {Route: "port"},
		"partner.example.com": {Route: "partner", Provider: "other"},
		"terms.example.com":   {Route: "terms", Consent: "Mind the gap."},
	}[host]
	return d, ok
}

// browser is a visitor with cookies. Its zero values are those of a good browser.
type browser struct {
	h       *house
	cookies map[string]string
	// header replaces fields of the next requests; an empty value leaves one out.
	header map[string]string
	host   string
	plain  bool // over plain HTTP
	client string
	// seen is where the browser has been, last.
	seen []string
}

func (h *house) browser() *browser {
	return &browser{
		h: h, cookies: map[string]string{}, header: map[string]string{}, host: signInHost,
		client: "192.0.2.1:1234",
	}
}

// answer is what came back.
type answer struct {
	status   int
	location string
	body     string
	header   http.Header
	cookies  []*http.Cookie
}

func (b *browser) get(target string) *answer { return b.send(http.MethodGet, target, nil, "") }

// post sends a form as our pages do. That of the sign-in page was looked at before.
func (b *browser) post(target string, fields ...string) *answer {
	if strings.HasPrefix(target, "/sign_in") && b.cookies[cookie.Browser] == "" {
		seen, header := b.seen, b.header
		b.header = nil
		b.get(target)
		b.seen, b.header = seen, header
	}
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.send(http.MethodPost, target, strings.NewReader(form.Encode()),
		"application/x-www-form-urlencoded")
}

func (b *browser) send(method, target string, body io.Reader, kind string) *answer {
	b.h.Helper()
	target = strings.TrimPrefix(target, "https://"+signInHost)
	r := httptest.NewRequestWithContext(b.h.Context(), method, target, body)
	r.Host, r.RemoteAddr = b.host, b.client
	if !b.plain {
		r.TLS = &tls.ConnectionState{}
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for name, value := range b.header {
		r.Header.Set(name, value)
		if value == "" {
			r.Header.Del(name)
		}
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.h.portal.ServeHTTP(w, r)
	result := w.Result()
	a := &answer{
		status: result.StatusCode, location: result.Header.Get("Location"),
		body: w.Body.String(), header: result.Header, cookies: result.Cookies(),
	}
	for _, c := range a.cookies {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	b.seen = append(b.seen, target)
	return a
}

// want fails the test unless the answer is as expected; a location that ends with
// "…" is how it begins.
func (a *answer) want(t testing.TB, status int, location string) *answer {
	t.Helper()
	start, open := strings.CutSuffix(location, "…")
	leads := a.location == location || open && strings.HasPrefix(a.location, start)
	if a.status != status || !leads {
		t.Fatalf("answered %d to %q, want %d to %q\n%s",
			a.status, a.location, status, location, a.body)
	}
	return a
}

// says fails the test unless the page has the text.
func (a *answer) says(t testing.TB, text string) *answer {
	t.Helper()
	if !strings.Contains(a.body, text) {
		t.Fatalf("the page (%d) does not say %q:\n%s", a.status, text, a.body)
	}
	return a
}

// enter sends alice's password to a sign-in page.
func (b *browser) enter(page string, more ...string) *answer {
	b.h.Helper()
	return b.post(page, append([]string{"login", "alice", "password", password}, more...)...)
}

// signIn signs alice in with her password.
func (b *browser) signIn() *browser {
	b.h.Helper()
	b.enter("/sign_in").want(b.h, 303, home)
	return b
}

// session is the session of the browser, nil when there is none.
func (b *browser) session() *session.Session {
	return b.h.sessions.Find([]byte(b.cookies["__Host-doorward"]), []byte(signInHost))
}

// goOn follows the page between two redirects, as its script does.
func (b *browser) goOn(a *answer) *answer {
	b.h.Helper()
	return b.get(onward(b.h, a))
}

// onward is where a page between two redirects leads.
func onward(t testing.TB, a *answer) string {
	t.Helper()
	_, rest, ok := strings.Cut(a.body, `class="button" href="`)
	if !ok || a.status != 200 {
		t.Fatalf("no page to go on from: %d %s", a.status, a.body)
	}
	address, _, _ := strings.Cut(rest, `"`)
	return strings.ReplaceAll(address, "&amp;", "&")
}

// visiting is where the gate of a host sends a browser to sign in.
func (h *house) visiting(address string) string {
	const bind = "bind-of-the-app-host"
	return "/sign_in?" + url.Values{
		"return": {address}, "bind": {bind}, "sig": {h.box.MAC("start", address+"\n"+bind)},
	}.Encode()
}

// redeem takes the code of a handoff, as the gate does.
func (h *house) redeem(a *answer) (*session.Session, session.Handoff) {
	h.Helper()
	u := must(url.Parse(a.location))(h.T)
	if u.Path != "/.doorward/handoff" {
		h.Fatalf("no handoff: %d %q", a.status, a.location)
	}
	s, handoff, err := h.sessions.Redeem(h.Context(), u.Query().Get("code"))
	if err != nil || u.Host != handoff.Host {
		h.Fatalf("Redeem at %s = %+v, %v", u.Host, handoff, err)
	}
	return s, handoff
}

// pass lets the time of the bubble go by, and everybody do what was due.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
