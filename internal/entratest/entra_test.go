package entratest_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"doorward/internal/entratest"
)

const (
	callback = "https://login.example.com/source/oauth/callback/azure-ad"
	ann      = "ann@contoso.example"
	verifier = "0123456789012345678901234567890123456789012"
)

// party is an app that signs people in with libraries that are not ours.
type party struct {
	*entratest.Server
	t        *testing.T
	ctx      context.Context
	config   oauth2.Config
	verifier *oidc.IDTokenVerifier
}

// join starts a provider with the usual app and Ann, after the options.
func join(t *testing.T, options ...func(*entratest.Options)) *party {
	t.Helper()
	o := entratest.Options{
		Apps: []entratest.App{{
			ClientID: "gate", Secrets: []string{"secret"}, RedirectURIs: []string{callback},
			Groups: entratest.SecurityGroups,
		}},
		Users: []entratest.User{{
			Username: ann, Name: "Ann", Mail: "ann@example.com",
			Groups: []string{"g1", "g2"}, Roles: []string{"Gateway.Admin"},
		}},
	}
	for _, change := range options {
		change(&o)
	}
	p := &party{Server: entratest.Start(t, o), t: t}
	p.at(p.Authority(entratest.TenantID))
	return p
}

func users(all ...entratest.User) func(*entratest.Options) {
	return func(o *entratest.Options) { o.Users = append(o.Users, all...) }
}

func app(change func(*entratest.App)) func(*entratest.Options) {
	return func(o *entratest.Options) { change(&o.Apps[0]) }
}

// at makes the party ask an authority, which has to be its own issuer.
func (p *party) at(authority string) {
	p.t.Helper()
	p.ctx = oidc.ClientContext(p.t.Context(), p.Client(p.t))
	provider, err := oidc.NewProvider(p.ctx, authority)
	if err != nil {
		p.t.Fatal(err)
	}
	p.config = oauth2.Config{
		ClientID: "gate", ClientSecret: "secret", Endpoint: provider.Endpoint(),
		RedirectURL: callback, Scopes: []string{"openid", "profile", "email", "User.Read"},
	}
	p.config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	p.verifier = provider.Verifier(&oidc.Config{ClientID: "gate", Now: p.Now})
}

// address is where a browser begins.
func (p *party) address(more ...oauth2.AuthCodeOption) string {
	more = append(more, oauth2.S256ChallengeOption(verifier), oidc.Nonce("n1"))
	return p.config.AuthCodeURL("s1", more...)
}

func set(name, value string) oauth2.AuthCodeOption { return oauth2.SetAuthURLParam(name, value) }

// exchange redeems the code that a browser came back with.
func (p *party) exchange(back *url.URL, more ...oauth2.AuthCodeOption) (*oauth2.Token, error) {
	more = append(more, oauth2.VerifierOption(verifier))
	return p.config.Exchange(p.ctx, back.Query().Get("code"), more...)
}

// token signs a user in.
func (p *party) token(user string) *oauth2.Token {
	p.t.Helper()
	token, err := p.exchange(p.Browser(p.t).SignIn(p.address(), user))
	if err != nil {
		p.t.Fatal(err)
	}
	return token
}

// claims are what a good ID token says.
func (p *party) claims(token *oauth2.Token) map[string]any {
	p.t.Helper()
	raw, _ := token.Extra("id_token").(string)
	good, err := p.verifier.Verify(p.ctx, raw)
	if err != nil {
		p.t.Fatal(err)
	}
	var claims map[string]any
	if err := good.Claims(&claims); err != nil {
		p.t.Fatal(err)
	}
	return claims
}

// refused tells whether the token endpoint said no with an error and a number.
func (p *party) refused(err error, kind string, number int) {
	p.t.Helper()
	var no *oauth2.RetrieveError
	if !errors.As(err, &no) {
		p.t.Errorf("error %v, want %s", err, kind)
		return
	}
	var body struct {
		ErrorCodes []int  `json:"error_codes"`
		Trace      string `json:"trace_id"`
	}
	if err := json.Unmarshal(no.Body, &body); err != nil {
		p.t.Fatal(err)
	}
	if no.ErrorCode != kind || len(body.ErrorCodes) != 1 || body.ErrorCodes[0] != number ||
		body.Trace == "" {
		p.t.Errorf("%s, want %s and %d", no.Body, kind, number)
	}
}

func TestSignIn_through_the_form(t *testing.T) {
	p := join(t)
	claims := p.claims(p.token("ANN@contoso.example"))
	for name, want := range map[string]any{
		"iss": p.Authority(entratest.TenantID), "tid": entratest.TenantID, "ver": "2.0",
		"oid": p.User(t, ann).ID, "nonce": "n1", "name": "Ann", "preferred_username": ann,
		"email": "ann@example.com", "amr": nil, "at_hash": nil, "sid": nil,
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if claims["sub"] == claims["oid"] || claims["sub"] == "" {
		t.Errorf("sub %v", claims["sub"])
	}
}

func TestForm_asks_again_after_a_wrong_password(t *testing.T) {
	p := join(t, users(entratest.User{Username: "bob@contoso.example", Password: "right"}))
	b := p.Browser(t)
	page := b.Open(p.address(set("login_hint", "bob@contoso.example")))
	if page.Form == nil || page.Form.Values.Get("loginfmt") != "bob@contoso.example" {
		t.Fatalf("the form does not know the hint: %+v", page.Form)
	}
	for name, number := range map[string]string{
		"bob@contoso.example": "AADSTS50126", "nobody": "AADSTS50034",
	} {
		page.Form.Values = url.Values{"loginfmt": {name}, "passwd": {"wrong"}}
		if page = b.Submit(page.Form); page.Form == nil || !strings.Contains(page.Text, number) {
			t.Fatalf("%s: %d %s", name, page.Status, page.Text)
		}
	}
	if back := b.SignIn(p.address(), "bob@contoso.example", "right"); !back.Query().Has("code") {
		t.Errorf("came back with %s", back)
	}
}

func TestSession_signs_in_without_a_form(t *testing.T) {
	p := join(t, users(entratest.User{Username: "bob@contoso.example"}))
	b := p.Browser(t)
	first := b.SignIn(p.address(), ann)
	again := b.Open(p.address()).Left
	if again == nil || !again.Query().Has("code") ||
		again.Query().Get("session_state") != first.Query().Get("session_state") {
		t.Fatalf("came back with %v, first with %s", again, first)
	}
	for name, option := range map[string]oauth2.AuthCodeOption{
		"prompt=login": set("prompt", "login"), "another account": set("prompt", "select_account"),
		"hint": set("login_hint", "bob@contoso.example"),
	} {
		if page := b.Open(p.address(option)); page.Form == nil || page.Form.Kind != "sign-in" {
			t.Errorf("%s shows no form: %+v", name, page)
		}
	}
}

func TestPresent_stands_for_a_session(t *testing.T) {
	p := join(t)
	p.Present(ann)
	if back := p.Browser(t).Open(p.address(set("prompt", "none"))).Left; back == nil ||
		!back.Query().Has("code") || back.Query().Get("state") != "s1" {
		t.Errorf("came back with %v", back)
	}
	p.Present("")
	if page := p.Browser(t).Open(p.address()); page.Form == nil {
		t.Errorf("no form without anybody: %+v", page)
	}
}

func TestAgain_is_where_it_was_and_knows_what_it_knew(t *testing.T) {
	p := join(t)
	code := p.Browser(t).SignIn(p.address(), ann)
	p.Stop()
	p.Stop()
	if _, err := p.exchange(code); err == nil || errors.As(err, new(*oauth2.RetrieveError)) {
		t.Fatalf("a stopped provider answers: %v", err)
	}
	p.Again(t)
	if _, err := p.exchange(code); err != nil {
		t.Fatal(err)
	}
}

func TestFail_by_part(t *testing.T) {
	p := join(t)
	client := p.Client(t)
	document := p.Authority(entratest.TenantID) + "/.well-known/openid-configuration"
	get := func() (int, http.Header) {
		answer, err := client.Get(document)
		if err != nil {
			return 0, nil
		}
		defer func() { _ = answer.Body.Close() }()
		return answer.StatusCode, answer.Header
	}
	p.Fail(entratest.Discovery, entratest.Fault{Status: 429, Times: 1,
		Header: http.Header{"Retry-After": {"7"}}})
	if status, header := get(); status != 429 || header.Get("Retry-After") != "7" {
		t.Errorf("%d %v, want 429", status, header)
	}
	if status, _ := get(); status != 200 {
		t.Errorf("%d after the one time", status)
	}
	p.Fail(entratest.All, entratest.Fault{Break: true})
	if status, _ := get(); status != 0 {
		t.Errorf("%d over a broken connection", status)
	}
	p.Heal()
	p.Fail(entratest.Keys, entratest.Fault{Status: 500})
	if status, _ := get(); status != 200 {
		t.Errorf("%d although only another part fails", status)
	}
	p.Fail(entratest.Discovery, entratest.Fault{Delay: time.Millisecond})
	if status, _ := get(); status != 200 {
		t.Errorf("%d after a delay", status)
	}
	p.Fail(entratest.Discovery, entratest.Fault{Status: 200, Body: "text", Size: 1 << 20})
	if answer, err := client.Get(document); err != nil {
		t.Error(err)
	} else if _ = answer.Body.Close(); answer.ContentLength > 0 {
		t.Errorf("%d bytes announced", answer.ContentLength)
	}
}

func TestFail_holds_until_it_may_go_on(t *testing.T) {
	p := join(t)
	hold := make(chan struct{})
	p.Fail(entratest.TokenPart, entratest.Fault{Hold: hold, Times: 1})
	code := p.Browser(t).SignIn(p.address(), ann)
	p.Forget()
	done := make(chan error, 1)
	go func() {
		_, err := p.exchange(code)
		done <- err
	}()
	deadline := time.After(entratest.Patience)
	for p.Count(entratest.TokenPart) == 0 {
		select {
		case err := <-done:
			t.Fatalf("answered while it was held: %v", err)
		case <-deadline:
			t.Fatal("nothing was asked")
		case <-time.After(time.Millisecond):
		}
	}
	if r := p.Requests(entratest.TokenPart)[0]; r.Status != 0 {
		t.Errorf("status %d while it is held", r.Status)
	}
	close(hold)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRequests_are_kept_in_order(t *testing.T) {
	p := join(t)
	p.Forget()
	p.token(ann)
	var parts []entratest.Part
	for _, r := range p.Requests(entratest.All) {
		parts = append(parts, r.Part)
	}
	want := []entratest.Part{"authorize", "authorize", "token"}
	if len(parts) != 3 || parts[0] != want[0] || parts[1] != want[1] || parts[2] != want[2] {
		t.Fatalf("%v, want %v", parts, want)
	}
	r := p.Requests(entratest.TokenPart)[0]
	if r.Form.Get("code_verifier") != verifier || r.Status != 200 || r.Method != "POST" ||
		r.Host != strings.TrimPrefix(p.URL, "https://") || r.At.IsZero() {
		t.Errorf("%+v", r)
	}
	p.Forget()
	if n := p.Count(entratest.All); n != 0 {
		t.Errorf("%d after all were forgotten", n)
	}
}
