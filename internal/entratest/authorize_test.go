package entratest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"doorward/internal/entratest"
)

// replaced is an address with some parameters changed; "" takes one away.
func replaced(address string, changes ...string) string {
	u, _ := url.Parse(address) // the test's own
	q := u.Query()
	for i := 0; i < len(changes); i += 2 {
		if q.Set(changes[i], changes[i+1]); changes[i+1] == "" {
			q.Del(changes[i])
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func TestAuthorize_shows_a_page_where_nobody_may_be_sent(t *testing.T) {
	p := join(t)
	p.Present(ann)
	good := p.address()
	for number, address := range map[string]string{
		"AADSTS90002":  strings.Replace(good, entratest.TenantID, "unknown.example", 1),
		"AADSTS700016": replaced(good, "client_id", "unknown"),
		"AADSTS50011":  replaced(good, "redirect_uri", strings.ToUpper(callback)),
		"AADSTS50194":  strings.Replace(good, entratest.TenantID, "organizations", 1),
		"AADSTS90023":  replaced(good, "prompt", "select_account", "login_hint", ann),
	} {
		page := p.Browser(t).Open(address)
		if page.Left != nil || page.Status != 400 || !strings.Contains(page.Text, number+": ") {
			t.Errorf("%s: %d, sent to %v\n%s", number, page.Status, page.Left, page.Text)
		}
	}
	for _, uri := range []string{callback + "/", callback + "?a=b", "", callback + "#"} {
		if page := p.Browser(t).Open(replaced(good, "redirect_uri", uri)); page.Left != nil {
			t.Errorf("redirect_uri %q leads to %v", uri, page.Left)
		}
	}
}

func TestAuthorize_takes_any_port_of_localhost(t *testing.T) {
	p := join(t, app(func(a *entratest.App) {
		a.RedirectURIs = []string{"http://localhost/back", "http://127.0.0.1:8080/back",
			"https://root.example/", "https://localhost:8443/tls"}
	}))
	p.Present(ann)
	for uri, good := range map[string]bool{
		"http://localhost:1234/back": true, "http://localhost/back": true,
		"http://127.0.0.1:99/back": true, "http://localhost:1234/other": false,
		"https://localhost:9/tls": false, "https://root.example": true,
	} {
		page := p.Browser(t).Open(replaced(p.address(), "redirect_uri", uri))
		if (page.Left != nil) != good {
			t.Errorf("%s: sent to %v, want %v", uri, page.Left, good)
		}
	}
}

func TestAuthorize_tells_the_app_what_is_its_fault(t *testing.T) {
	p := join(t)
	p.Present(ann)
	good := p.address()
	for address, want := range map[string]string{
		replaced(good, "response_type", "id_token"):      "unsupported_response_type",
		replaced(good, "scope", ""):                      "invalid_request",
		replaced(good, "code_challenge", "short"):        "invalid_request",
		replaced(good, "code_challenge_method", "S1"):    "invalid_request",
		good + "&prompt=none&prompt=login":               "invalid_request",
		replaced(good, "prompt", "none") + "&login_hint": "",
	} {
		back := p.Browser(t).Open(address).Left
		if back == nil || back.Query().Get("error") != want || back.Query().Get("state") != "s1" {
			t.Errorf("%s\n leads to %v, want %q", address, back, want)
		}
		if want != "" && !strings.HasPrefix(back.Query().Get("error_description"), "AADSTS") {
			t.Errorf("description %q", back.Query().Get("error_description"))
		}
	}
}

func TestAuthorize_response_modes(t *testing.T) {
	p := join(t)
	p.Present(ann)
	for mode, where := range map[string]string{
		"query": "?code=", "fragment": "#code=", "form_post": "form",
	} {
		page := p.Browser(t).Open(p.address(set("response_mode", mode)))
		switch {
		case page.Left == nil:
			t.Errorf("%s: nobody is sent anywhere\n%s", mode, page.Text)
		case mode == "form_post":
			if page.Form == nil || page.Form.Action != callback ||
				page.Form.Values.Get("state") != "s1" || !page.Left.Query().Has("code") {
				t.Errorf("%s: %+v", mode, page)
			}
		case !strings.Contains(page.Left.String(), where):
			t.Errorf("%s: %s", mode, page.Left)
		}
	}
}

func TestAuthorize_takes_markup_out_of_the_state(t *testing.T) {
	p := join(t)
	p.Present(ann)
	back := p.Browser(t).Open(replaced(p.address(), "state", "a<b>c</b>+/=%d"))
	if got := back.Left.Query().Get("state"); got != "ac+/=%d" {
		t.Errorf("state %q", got)
	}
}

func TestAuthorize_without_a_page(t *testing.T) {
	p := join(t)
	silent := set("prompt", "none")
	got := p.Browser(t).Open(p.address(silent)).Left.Query()
	if got.Get("error") != "login_required" || !strings.Contains(got.Get("error_uri"), "50058") {
		t.Errorf("without a session: %v", got)
	}
	for want, change := range map[string]func(*entratest.User){
		"interaction_required": func(u *entratest.User) { u.MFA = true },
		"consent_required":     func(u *entratest.User) { u.Consent = true },
		"access_denied":        func(u *entratest.User) { u.Disabled = true },
	} {
		p.Present(ann)
		before := p.User(t, ann)
		p.ChangeUser(t, ann, change)
		if got := p.Browser(t).Open(p.address(silent)).Left.Query().Get("error"); got != want {
			t.Errorf("error %q, want %q", got, want)
		}
		p.ChangeUser(t, ann, func(u *entratest.User) { *u = before })
	}
}

func TestAuthorize_turns_people_away(t *testing.T) {
	p := join(t)
	before := p.User(t, ann)
	for number, change := range map[string]func(*entratest.User){
		"AADSTS50057": func(u *entratest.User) { u.Disabled = true },
		"AADSTS50105": func(u *entratest.User) { u.NotAssigned = true },
		"AADSTS53003": func(u *entratest.User) { u.Blocked = true },
	} {
		p.ChangeUser(t, ann, change)
		b := p.Browser(t)
		page := b.Open(p.address())
		page.Form.Values.Set("loginfmt", ann)
		page = b.Submit(page.Form)
		if page.Left != nil || !strings.Contains(page.Text, number) {
			t.Errorf("%s: sent to %v\n%s", number, page.Left, page.Text)
		}
		p.ChangeUser(t, ann, func(u *entratest.User) { *u = before })
	}
	elsewhere := entratest.User{Username: "eve@outlook.example", Tenant: entratest.ConsumersID}
	p.AddUser(t, elsewhere)
	b := p.Browser(t)
	page := b.Open(p.address())
	page.Form.Values.Set("loginfmt", elsewhere.Username)
	if page = b.Submit(page.Form); !strings.Contains(page.Text, "AADSTS50020") {
		t.Errorf("a user of another tenant: %s", page.Text)
	}
}

func TestAuthorize_asks_for_more_once(t *testing.T) {
	p := join(t, func(o *entratest.Options) { o.Users[0].MFA, o.Users[0].Consent = true, true })
	b := p.Browser(t)
	if back := b.SignIn(p.address(), ann); !back.Query().Has("code") {
		t.Fatalf("sent to %s", back)
	}
	var kinds []string
	for range 2 {
		page := b.Open(p.address())
		if page.Form != nil {
			kinds = append(kinds, page.Form.Kind)
		}
	}
	if kinds != nil {
		t.Errorf("asked again: %q", kinds)
	}
	if page := b.Open(p.address(set("prompt", "consent"))); page.Form == nil ||
		page.Form.Kind != "consent" {
		t.Errorf("prompt=consent shows %+v", page.Form)
	}
}

func TestAuthorize_consent_can_be_declined(t *testing.T) {
	p := join(t, func(o *entratest.Options) { o.Users[0].Consent = true })
	p.Present(ann)
	b := p.Browser(t)
	page := b.Open(p.address())
	page.Form.Values.Set("consent", "no")
	page = b.Submit(page.Form)
	if page.Left == nil || page.Left.Query().Get("error") != "access_denied" ||
		page.Left.Query().Get("state") != "s1" {
		t.Errorf("sent to %v", page.Left)
	}
	if page := b.Open(p.address()); page.Form == nil || page.Form.Kind != "consent" {
		t.Errorf("a session without consent: %+v", page)
	}
}

func TestAuthorize_guests_choose_by_tenant(t *testing.T) {
	const home = "7c3f8a52-0000-4000-8000-00000000000b"
	p := join(t, func(o *entratest.Options) {
		o.Tenants = []entratest.Tenant{{ID: entratest.TenantID}, {ID: home}}
		o.Apps[0].Multi = true
		o.Users = []entratest.User{
			{Username: "zoe@fabrikam.example", Guest: true},
			{Username: "zoe@fabrikam.example", Tenant: home},
		}
	})
	for path, want := range map[string]string{
		entratest.TenantID: entratest.TenantID, home: home, "organizations": home, "common": home,
	} {
		p.config.Endpoint = oauth2.Endpoint{
			AuthURL:   p.URL + "/" + path + "/oauth2/v2.0/authorize",
			TokenURL:  p.URL + "/" + path + "/oauth2/v2.0/token",
			AuthStyle: oauth2.AuthStyleInParams,
		}
		raw := p.token("zoe@fabrikam.example").Extra("id_token").(string)
		if got := part(t, raw, 1)["tid"]; got != want {
			t.Errorf("%s: tid %v, want %s", path, got, want)
		}
	}
}

func TestReadForm_is_for_any_client(t *testing.T) {
	p := join(t)
	answer, err := p.Client(t).Get(p.address())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if csp := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK ||
		!strings.HasPrefix(csp, "text/html") {
		t.Errorf("%s %s", answer.Status, csp)
	}
	if f := entratest.ReadForm(answer.Request.URL, "<p>no form</p>"); f != nil {
		t.Errorf("%+v", f)
	}
}
