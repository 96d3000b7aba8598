package gate_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"doorward/app"
	"doorward/internal/edgetest"
)

// restartHouse is an edge that keeps its state in a folder, and can be started again.
type restartHouse struct {
	*gatedHouse
	control app.Client
	site    edgetest.Config
}

func newRestartHouse(t *testing.T, state string) *restartHouse {
	server := httptest.NewServer(http.HandlerFunc(tellHead))
	t.Cleanup(server.Close)
	folder, err := os.MkdirTemp("", "gate") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	site := gatedSite(server.URL, state)
	site.Text = strings.Replace(site.Text, `hosts = ["app.example"]`,
		"hosts = [\"app.example\"]\ntokens = true", 1)
	socket := filepath.Join(folder, "sock")
	site.Listen = fmt.Sprintf("control = %q", socket)
	h := &restartHouse{&gatedHouse{edgetest.Start(t, site), t}, app.Client{Socket: socket}, site}
	for _, name := range []string{"bob", "eve", "tom"} {
		u := app.NewUser{Name: name, Password: gatePassword, Groups: []string{"admins"}}
		if _, err := h.control.AddUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func restartFolder(t *testing.T) string {
	return fmt.Sprintf("[state]\nurl = %q\n", "file:"+filepath.Join(t.TempDir(), "state"))
}

// again stops the edge and starts another one in its place. Browsers find it, as they
// would at the same address.
func (h *restartHouse) again() {
	h.t.Helper()
	h.Stop()
	h.Edge = edgetest.Start(h.t, h.site)
}

// restartIn is a browser in which a user is signed in on both hosts.
func (h *restartHouse) restartIn(user string) *browser {
	h.t.Helper()
	b := h.browser()
	for _, host := range []string{"app.example", "admin.example"} {
		address := "https://" + host + "/"
		p := b.open(address)
		if strings.HasPrefix(p.url, "https://login.example/") {
			p = b.signIn(address, user, gatePassword)
		}
		if p.status != http.StatusOK || p.url != address {
			h.t.Fatalf("%s at %s: %d at %s", user, host, p.status, p.url)
		}
	}
	return b
}

// restartOut fails the test unless the cookies that a browser had open nothing.
func (h *restartHouse) restartOut(who string, before http.CookieJar) {
	h.t.Helper()
	b := h.browser()
	b.Jar = before
	for _, host := range []string{"app.example", "admin.example"} {
		if p := b.open("https://" + host + "/"); !strings.HasPrefix(p.url, "https://login.example/sign_in?") {
			h.t.Errorf("%s at %s: %d at %s", who, host, p.status, p.url)
		}
	}
}

// restartKept are the cookies of a browser as a thief would have them: what becomes of
// the browser changes nothing.
func (h *restartHouse) restartKept(b *browser) http.CookieJar {
	kept := h.browser().Jar
	for _, host := range []string{"login.example", "app.example", "admin.example"} {
		at := &url.URL{Scheme: "https", Host: host, Path: "/"}
		var all []*http.Cookie
		for _, c := range b.Jar.Cookies(at) {
			all = append(all, &http.Cookie{Name: c.Name, Value: c.Value, Path: "/", Secure: true})
		}
		kept.SetCookies(at, all)
	}
	return kept
}

func (h *restartHouse) restartToken(secret string) int {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, "https://app.example/", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	a, err := h.browser().Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = a.Body.Close()
	return a.StatusCode
}

// Who was in is in after a restart, on every host and without another sign-in; who was
// out stays out; and what had begun goes on.
func TestSignInOutlivesARestart(t *testing.T) {
	h := newRestartHouse(t, restartFolder(t))
	bob, left, ended, gone := h.restartIn("bob"), h.restartIn("bob"), h.restartIn("eve"),
		h.restartIn("tom")
	outside := map[string]http.CookieJar{
		"who signed out": h.restartKept(left), "whose sessions were ended": h.restartKept(ended),
		"who was disabled": h.restartKept(gone),
	}
	left.send("/sign_out", url.Values{})
	if n, err := h.control.EndSessions(t.Context(), "eve"); n != 1 || err != nil {
		t.Fatalf("%d sessions of eve ended, %v", n, err)
	}
	if _, err := h.control.SetUserState(t.Context(), "tom", "disabled"); err != nil {
		t.Fatal(err)
	}
	kept, lost := h.restartTokens()
	began := h.browser()
	form, err := url.Parse(began.open("https://app.example/deep?a=b").url)
	if err != nil || form.Host != "login.example" {
		t.Fatalf("the form is at %s, %v", form, err)
	}

	h.again()

	for _, host := range []string{"app.example", "admin.example", "login.example"} {
		p := bob.open("https://" + host + "/")
		if p.status != http.StatusOK || p.hops != 0 {
			t.Errorf("%s: %d at %s after %d redirects", host, p.status, p.url, p.hops)
		}
	}
	for who, before := range outside {
		h.restartOut(who, before)
	}
	if a, b := h.restartToken(kept), h.restartToken(lost); a != 200 || b != 401 {
		t.Errorf("the token gets %d, the deleted one %d", a, b)
	}
	began.send(form.RequestURI(), url.Values{"login": {"eve"}, "password": {gatePassword}})
	if p := began.open("https://app.example/"); p.status != 200 || !strings.Contains(p.body, ": eve\r\n") {
		t.Errorf("a sign-in that began before ends with %d at %s", p.status, p.url)
	}
	if list, err := h.control.Sessions(t.Context(), ""); err != nil || len(list) != 2 {
		t.Errorf("there are the sessions %+v, %v; want bob's and eve's new one", list, err)
	}
	bob.send("/sign_out", url.Values{})
	h.again()
	if p := bob.open("https://app.example/"); !strings.HasPrefix(p.url, "https://login.example/") {
		t.Errorf("after signing out and another restart: %d at %s", p.status, p.url)
	}
}

// restartTokens are the secrets of a token that is kept, and of one that was deleted.
func (h *restartHouse) restartTokens() (kept, lost string) {
	h.t.Helper()
	var made [2]app.MadeToken
	for i := range made {
		var err error
		made[i], err = h.control.AddToken(h.t.Context(), "bob", app.NewToken{Title: "t"})
		if err != nil {
			h.t.Fatal(err)
		}
	}
	if err := h.control.DeleteToken(h.t.Context(), made[1].ID); err != nil {
		h.t.Fatal(err)
	}
	return made[0].Secret, made[1].Secret
}

// An edge without a folder forgets everybody. Browsers that come with what it gave them
// before are asked to sign in, and get in.
func TestCookiesOfAnEdgeThatForgotLeadToSignIn(t *testing.T) {
	h := newRestartHouse(t, "")
	bob := h.restartIn("bob")
	// The edge makes a new authority, which browsers have to trust by hand.
	h.again()
	bob.Transport = h.browser().Transport
	if p := bob.open("https://app.example/"); !strings.HasPrefix(p.url, "https://login.example/sign_in?") {
		t.Fatalf("%d at %s", p.status, p.url)
	}
	u := app.NewUser{Name: "bob", Password: gatePassword}
	if _, err := h.control.AddUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	if p := bob.signIn("https://app.example/x", "bob", gatePassword); p.status != http.StatusOK ||
		p.url != "https://app.example/x" {
		t.Errorf("%d at %s\n%s", p.status, p.url, p.body)
	}
}
