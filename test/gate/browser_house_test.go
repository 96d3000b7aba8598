package gate_test

import (
	"context"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"doorward/app"
	"doorward/internal/browsertest"
	"doorward/internal/edgetest"
	"doorward/internal/oidcpeer"
)

// The gate as people meet it: a whole edge with apps of several hosts, a provider that
// nobody here wrote, and Chromium in front of it. Tabs fail for whatever their console
// says, refusals of the Content-Security-Policy above all.
func TestGateInBrowser(t *testing.T) {
	h := newBrowserHouse(t)
	for _, look := range []struct {
		what string
		do   func(*browserHouse)
	}{
		{"one sign-in opens every host, one click closes them", browserSignsInAndOut},
		{"the wrong password is told, and the keyboard is enough", browserKeyboard},
		{"no script is needed", browserNoScript},
		{"a certified provider signs in, and out", browserProvider},
		{"the portal shows what may be opened", browserPortal},
		{"who may not pass learns why, and an app asks for consent", browserRefused},
		{"the account page ends sessions, makes tokens, changes what is there", browserAccount},
		{"every page fits a phone, in German and in the dark", browserFits},
	} {
		t.Run(look.what, func(t *testing.T) {
			here := *h
			here.t = t
			look.do(&here)
		})
	}
}

// browserHouse is an edge, and the Chromium that goes there.
type browserHouse struct {
	*edgetest.Edge
	t       *testing.T
	browser *browsertest.Browser
}

// browserPage is a page of an app: it says who it was told is there, and holds a
// WebSocket open.
var browserPage = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><title>{{.Host}}</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width">
<h1 id="host">{{.Host}}</h1><p id="who">{{.Who}}</p><p id="section">Here</p>
<script>
const socket = new WebSocket("wss://" + location.host + "/ws");
window.heard = [];
socket.onopen = () => socket.send("hello");
socket.onmessage = (event) => window.heard.push(event.data);
socket.onclose = () => { window.closed_at = performance.timeOrigin + performance.now(); };
</script>`))

func browserApp(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/ws" {
		echo(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	_ = browserPage.Execute(w, map[string]string{
		"Host": r.Host, "Who": r.Header.Get("X-Authentik-Username"),
	})
}

// browserRoutes are the apps: two for everybody, two for members of groups, and one that
// asks for consent.
const browserRoutes = `
	[[route]]
	name = "wiki"
	hosts = ["wiki.example"]
	backend = "app"
	access = "any-user"
	identity_headers = "authentik"
	tokens = true
	basic_auth = true
	app = { title = "Wiki", description = "What everybody knows", group = "Work" }
	[[route]]
	name = "desk"
	hosts = ["desk.example"]
	backend = "app"
	access = "any-user"
	identity_headers = "authentik"
	app = { title = "Help Desk", description = "Questions and answers", group = "Work" }
	[[route]]
	name = "console"
	hosts = ["console.example"]
	backend = "app"
	access = { groups = ["admins"] }
	app = { title = "Console", group = "Machines" }
	[[route]]
	name = "books"
	hosts = ["books.example"]
	backend = "app"
	access = { groups = ["finance"] }
	app = { title = "Books" }
	[[route]]
	name = "survey"
	hosts = ["survey.example"]
	backend = "app"
	access = "any-user"
	identity_headers = "authentik"
	consent = "What you answer is kept for a year."
	app = { title = "Survey" }
	[groups.admins]
	title = "Administrators"
	[groups.finance]
	title = "Finance department"
	provider_groups = ["finance"]
	[brand]
	title = "Example Works"
`

func browserSite(server, socket string, peer *oidcpeer.Peer) edgetest.Config {
	return edgetest.Config{
		Listen: fmt.Sprintf("control = %q", socket),
		Text: fmt.Sprintf(`
			[sign_in]
			host = "login.example"
			throttle = { per_minute = 1000, per_hour = 10000 }
			[[sign_in.provider]]
			name = "peer"
			type = "oidc"
			title = "Company account"
			issuer = %q
			ca_file = %q
			client_id = "doorward"
			client_secret = "a secret of the two"
			scopes = ["openid", "profile", "email", "groups"]
			[backends.app]
			servers = [%q]
		`, peer.Issuer, peer.CAFile, server) + browserRoutes,
	}
}

func newBrowserHouse(t *testing.T) *browserHouse {
	t.Helper()
	const callback = "https://login.example/source/oauth/callback/peer"
	peer := oidcpeer.Start(t, oidcpeer.Options{
		Clients: []oidcpeer.Client{{
			ID: "doorward", Secret: "a secret of the two", RedirectURIs: []string{callback},
			LogoutURIs: []string{callback},
		}},
		Accounts: map[string]map[string]any{"ann": {
			"name": "Ann Company", "preferred_username": "ann", "email": "ann@corp.example",
			"email_verified": true, "groups": []string{"finance"},
		}},
	})
	server := httptest.NewServer(http.HandlerFunc(browserApp))
	t.Cleanup(server.Close)
	socket := filepath.Join(t.TempDir(), "s")
	h := &browserHouse{Edge: edgetest.Start(t, browserSite(server.URL, socket, peer)), t: t}
	_, port, err := net.SplitHostPort(h.HTTPS)
	if err != nil {
		t.Fatal(err)
	}
	h.browser = browsertest.StartAt(t, "127.0.0.1:"+port)
	h.setUp()
	for _, name := range []string{"bob", "dora"} {
		_, err := app.Client{Socket: socket}.AddUser(t.Context(), app.NewUser{
			Name: name, Title: strings.ToUpper(name[:1]) + name[1:] + " Builder",
			Email: name + "@corp.example", Password: gatePassword,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// setUp makes the first administrator, alice, with the link in the log.
func (h *browserHouse) setUp() {
	h.t.Helper()
	var link []string
	wait(h.t, "the link for the first administrator", func() bool {
		link = regexp.MustCompile(`/setup\?code=[A-Za-z0-9_-]+`).FindStringSubmatch(h.Log())
		return link != nil
	})
	p := h.person()
	p.goes("https://login.example" + link[0])
	p.sends("#name", "alice", "#title", "Alice Ä", "#email", "alice@corp.example",
		"#password", gatePassword, "#again", gatePassword)
	p.at("https://login.example/")
}

// browserPerson is somebody with a browser of their own, in which nobody has signed in.
type browserPerson struct {
	*browsertest.Tab
	t *testing.T
}

func (h *browserHouse) person() *browserPerson {
	h.t.Helper()
	return &browserPerson{h.browser.Apart(h.t), h.t}
}

// tab is another tab of the same browser.
func (p *browserPerson) tab() *browserPerson {
	p.t.Helper()
	return &browserPerson{p.Beside(p.t), p.t}
}

// goes opens an address as if it was typed.
func (p *browserPerson) goes(address string) {
	p.t.Helper()
	p.Do(chromedp.Navigate(address))
}

// at waits until the page of that address is there.
func (p *browserPerson) at(address string) {
	p.t.Helper()
	p.Until(fmt.Sprintf(`location.href === %q && document.readyState === "complete"`, address))
}

// asked waits for the sign-in page.
func (p *browserPerson) asked() {
	p.t.Helper()
	p.Until(`location.host === "login.example" && location.pathname === "/sign_in" &&` +
		`document.readyState === "complete" && document.getElementById("password") !== null`)
}

// reads waits until an element has that text in it.
func (p *browserPerson) reads(selector, text string) {
	p.t.Helper()
	p.Until(fmt.Sprintf(`document.readyState === "complete" &&`+
		`(document.querySelector(%q)?.textContent ?? "").includes(%q)`, selector, text))
}

// fill puts texts into fields at once, as password managers do: selector, text,
// selector, text.
func (p *browserPerson) fill(pairs ...string) {
	p.t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		p.Do(chromedp.Focus(chromedp.CSS(pairs[i])), browserInsert(pairs[i+1]))
	}
}

func browserInsert(text string) browsertest.Step {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: text})
		return err
	})
}

// sends is fill, and the key that sends a form.
func (p *browserPerson) sends(pairs ...string) {
	p.t.Helper()
	p.fill(pairs...)
	p.Do(chromedp.KeyEvent(kb.Enter))
}

// signsIn opens an address, and signs in where it leads.
func (p *browserPerson) signsIn(address, login, password string) {
	p.t.Helper()
	p.goes(address)
	p.asked()
	p.sends("#login", login, "#password", password)
	p.at(address)
}

// connected waits until the app's WebSocket has answered.
func (p *browserPerson) connected() {
	p.t.Helper()
	p.Until(`window.heard?.includes("hello")`)
}
