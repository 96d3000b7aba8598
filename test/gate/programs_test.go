package gate_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"doorward/app"
	"doorward/internal/edgetest"
)

// programHouse is an edge with routes that programs may pass with tokens, and one that
// none may.
type programHouse struct {
	*gatedHouse
	app.Client
}

func newProgramHouse(t *testing.T) *programHouse {
	server := httptest.NewServer(http.HandlerFunc(tellHead))
	t.Cleanup(server.Close)
	folder, err := os.MkdirTemp("", "gate") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	route := func(name, more string) string {
		return "[[route]]\nname = \"" + name + "\"\nhosts = [\"" + name + ".example\"]\n" +
			"backend = \"app\"\nidentity_headers = \"remote-user\"\n" + more + "\n"
	}
	socket := filepath.Join(folder, "sock")
	h := &programHouse{&gatedHouse{edgetest.Start(t, edgetest.Config{
		Listen: "control = \"" + socket + "\"",
		Text: "[sign_in]\nhost = \"login.example\"\n[groups.staff]\n" +
			route("api", "access = \"any-user\"\ntokens = true\nbasic_auth = true") +
			route("other", "access = \"any-user\"\ntokens = true") +
			route("staff", "access = { groups = [\"staff\"] }\ntokens = true") +
			route("people", "access = \"any-user\"") +
			route("spa", "access = \"any-user\"\npreflight = \"answer\"\norigins = [\"spa.example\"]") +
			"[backends.app]\nservers = [\"" + server.URL + "\"]\n",
	}), t}, app.Client{Socket: socket}}
	for _, u := range []app.NewUser{{Name: "bob", Password: gatePassword}, {Name: "ci", Service: true}} {
		if _, err := h.AddUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// token is the secret of a new token.
func (h *programHouse) token(user string, o app.NewToken) app.MadeToken {
	h.t.Helper()
	o.Title = "test"
	made, err := h.AddToken(h.t.Context(), user, o)
	if err != nil {
		h.t.Fatal(err)
	}
	return made
}

// ask sends a request with further fields, and follows nothing.
func (h *programHouse) ask(method, host string, fields ...string) (*http.Response, string) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, "https://"+host+"/x", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Set(name, value)
	}
	return h.send(r)
}

func (h *programHouse) send(r *http.Request) (*http.Response, string) {
	h.t.Helper()
	b := h.browser()
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	a, err := b.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return a, string(text)
}

func TestProgramsPassWithTokens(t *testing.T) {
	h := newProgramHouse(t)
	all := h.token("bob", app.NewToken{})
	scoped := h.token("bob", app.NewToken{Routes: []string{"api"}})
	service := h.token("ci", app.NewToken{})
	deleted := h.token("bob", app.NewToken{})
	if err := h.DeleteToken(t.Context(), deleted.ID); err != nil {
		t.Fatal(err)
	}
	over := h.token("bob", app.NewToken{Expires: time.Now().Add(time.Second)})
	wait(t, "the end of a token", func() bool { return !time.Now().Before(over.Expires) })
	for name, c := range map[string]struct {
		host, secret string
		basic        string // the name, where the secret is a password
		status       int
		user         string
	}{
		"bearer":                               {"api", all.Secret, "", 200, "bob"},
		"basic":                                {"api", all.Secret, "bob", 200, "bob"},
		"basic with the name of somebody":      {"api", all.Secret, "alice", 200, "bob"},
		"basic where only bearer is":           {"other", all.Secret, "bob", 401, ""},
		"a service":                            {"api", service.Secret, "", 200, "ci"},
		"the scope":                            {"api", scoped.Secret, "", 200, "bob"},
		"out of scope":                         {"other", scoped.Secret, "", 401, ""},
		"no member of the group":               {"staff", all.Secret, "", 403, ""},
		"a route without tokens":               {"people", all.Secret, "", 401, ""},
		"over":                                 {"api", over.Secret, "", 401, ""},
		"deleted":                              {"api", deleted.Secret, "", 401, ""},
		"nobody's":                             {"api", "dw_" + strings.Repeat("x", 43), "", 401, ""},
		"the password, which is no token":      {"api", gatePassword, "bob", 401, ""},
		"the password as a bearer, no more so": {"api", gatePassword, "", 401, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+c.host+".example/", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+c.secret)
			if c.basic != "" {
				r.SetBasicAuth(c.basic, c.secret)
			}
			a, body := h.send(r)
			if a.StatusCode != c.status || a.Header.Get("Location") != "" {
				t.Errorf("%d, to %q\n%s", a.StatusCode, a.Header.Get("Location"), body)
			}
			if c.status == 401 && a.Header.Get("WWW-Authenticate") == "" {
				t.Error("nothing says how to come in")
			}
			if got := strings.Contains(body, "Remote-User: "+c.user+"\r\n"); got != (c.status == 200) {
				t.Errorf("the server is told\n%s", body)
			}
			if strings.Contains(body, c.secret) {
				t.Errorf("the secret is in the answer\n%s", body)
			}
		})
	}
}

// What those get who are nobody: people are led to sign in, programs are told that they
// have to, and nothing that was sent is lost without a word.
func TestNobodyIsToldInTheirOwnWay(t *testing.T) {
	h := newProgramHouse(t)
	const html = "Accept: text/html,*/*;q=0.8"
	for name, c := range map[string]struct {
		method, host string
		fields       []string
		status       int
		kind         string // of the answer
		says         string
	}{
		"a page": {"GET", "people", []string{html, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"},
			302, "", ""},
		"a page of an old browser": {"GET", "people", []string{html}, 302, "", ""},
		"fetch": {"GET", "people", []string{"Sec-Fetch-Mode: cors", "Accept: */*"},
			401, "application/json", "https://login.example/sign_in?"},
		"XMLHttpRequest": {"GET", "people", []string{"X-Requested-With: XMLHttpRequest", html},
			401, "application/json", "unauthenticated"},
		"curl":   {"GET", "people", []string{"Accept: */*"}, 401, "application/json", "unauthenticated"},
		"events": {"GET", "people", []string{"Accept: text/event-stream"}, 401, "application/json", ""},
		"a form": {"POST", "people", []string{html, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"},
			401, "text/html", "was not taken"},
		"a frame": {"GET", "people", []string{html, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"},
			401, "text/html", "sign in to see"},
		"a frame in German": {"GET", "people", []string{html, "Sec-Fetch-Mode: navigate",
			"Sec-Fetch-Dest: iframe", "Accept-Language: de"}, 401, "text/html", "müssen Sie sich anmelden"},
		"gRPC": {"POST", "people", []string{"Content-Type: application/grpc", "Te: trailers"},
			200, "application/grpc", ""},
		"a preflight that the server answers": {"OPTIONS", "people", []string{"Origin: https://spa.example",
			"Access-Control-Request-Method: PUT"}, 200, "", "Access-Control-Request-Method: PUT"},
		"a preflight that is answered here": {"OPTIONS", "spa", []string{"Origin: https://spa.example",
			"Access-Control-Request-Method: PUT"}, 204, "", ""},
		"OPTIONS that is no preflight": {"OPTIONS", "people", []string{"Accept: */*"},
			401, "application/json", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a, body := h.ask(c.method, c.host+".example", c.fields...)
			if a.StatusCode != c.status || !strings.HasPrefix(a.Header.Get("Content-Type"), c.kind) ||
				!strings.Contains(body, c.says) {
				t.Errorf("%d %v\n%s", a.StatusCode, a.Header, body)
			}
			if to := a.Header.Get("Location"); strings.HasPrefix(to, "https://login.example/sign_in?") !=
				(c.status == 302) {
				t.Errorf("leads to %q", to)
			}
			if c.kind == "application/grpc" && a.Header.Get("Grpc-Status") != "16" &&
				a.Trailer.Get("Grpc-Status") != "16" {
				t.Errorf("gRPC is told %v %v", a.Header, a.Trailer)
			}
			if strings.Contains(body, "Remote-User") {
				t.Errorf("the server is told of somebody\n%s", body)
			}
		})
	}
}

// A browser that keeps no cookies would sign in for ever. It is told why it cannot.
func TestABrowserWithoutCookiesIsToldWhy(t *testing.T) {
	h := newProgramHouse(t)
	b := h.browser()
	b.Jar = nil
	p := b.open("https://people.example/")
	for range 8 {
		if p.status >= 400 {
			break
		}
		p = b.open(p.url)
	}
	at := strings.TrimPrefix(p.url, "https://login.example")
	if p.status < 400 { // a form is shown; what it is sent with cannot be bound to a browser
		p = b.send(at, map[string][]string{"login": {"bob"}, "password": {gatePassword}})
	}
	if p.status < 400 || !strings.Contains(strings.ToLower(p.body), "cookie") {
		t.Errorf("%d at %s\n%s", p.status, p.url, p.body)
	}
}
