package entratest_test

import (
	"net/url"
	"strings"
	"testing"

	"doorward/internal/entratest"
)

func TestLogout_tells_the_apps_and_leads_back(t *testing.T) {
	p := join(t, app(func(a *entratest.App) {
		a.OptionalClaims = []string{"sid", "login_hint"}
		a.LogoutURL = "https://login.example.com/source/oauth/frontchannel/azure-ad?x=1"
	}))
	b := p.Browser(t)
	token, err := p.exchange(b.SignIn(p.address(), ann))
	if err != nil {
		t.Fatal(err)
	}
	claims := p.claims(token)
	end := p.URL + "/" + entratest.TenantID + "/oauth2/v2.0/logout?" + url.Values{
		"post_logout_redirect_uri": {callback},
		"logout_hint":              {claims["login_hint"].(string)}}.Encode()
	page := b.Open(end)
	frame := "frontchannel/azure-ad?sid=" + claims["sid"].(string) + "&amp;x=1"
	if !strings.Contains(page.Text, frame) || strings.Contains(page.Text, "iss=") ||
		!strings.Contains(page.Text, `href="`+callback+`"`) {
		t.Errorf("%s", page.Text)
	}
	if page := b.Open(p.address()); page.Form == nil || page.Form.Kind != "sign-in" {
		t.Error("the session goes on")
	}
}

func TestLogout_asks_without_a_hint(t *testing.T) {
	p := join(t)
	b := p.Browser(t)
	b.SignIn(p.address(), ann)
	end := p.URL + "/common/oauth2/v2.0/logout?post_logout_redirect_uri="
	page := b.Open(end + url.QueryEscape(callback))
	if page.Form == nil || page.Form.Kind != "pick" {
		t.Fatalf("%d %s", page.Status, page.Text)
	}
	if page = b.Submit(page.Form); page.Left == nil || page.Left.String() != callback {
		t.Errorf("leads to %v", page.Left)
	}
	evil := b.Open(end + "https://evil.example/")
	if evil.Left != nil || strings.Contains(evil.Text, "evil.example") {
		t.Errorf("leads to an address of nobody: %s", evil.Text)
	}
}

func TestEndSessions_names_the_frames_of_a_browser(t *testing.T) {
	p := join(t, app(func(a *entratest.App) { a.LogoutURL = "https://login.example.com/out" }))
	b := p.Browser(t)
	back := b.SignIn(p.address(), ann)
	want := "https://login.example.com/out?sid=" + back.Query().Get("session_state")
	if got := p.EndSessions(t, ann); len(got) != 1 || got[0] != want {
		t.Errorf("%q, want %s", got, want)
	}
	if page := b.Open(p.address()); page.Form == nil {
		t.Error("the session goes on")
	}
}
