package oidc_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"doorward/auth/oidc"
	"doorward/internal/entratest"
)

const (
	ourTenant   = entratest.TenantID
	otherTenant = "11111111-2222-4333-8444-555555555555"
	thirdTenant = "66666666-7777-4888-9999-aaaaaaaaaaaa"
	annID       = "aaaaaaaa-0000-4000-8000-000000000001"
	groupA      = "968b4844-d5e7-4e18-a834-59927959369f"
	groupB      = "968b4844-d5e7-4e18-a834-59927959369e"
)

// directory is Entra ID as it is imitated, with a provider of ours in front.
type directory struct {
	*testing.T
	*entratest.Server
	*oidc.Provider
}

// entraID starts both. Changes, which may be nil, are for what is there.
func entraID(t *testing.T, change func(*entratest.Options, *oidc.Options)) *directory {
	t.Helper()
	there := entratest.Options{
		Tenants: []entratest.Tenant{
			{ID: ourTenant, Domain: entratest.Domain}, {ID: otherTenant, Domain: "other.example"},
			{ID: thirdTenant, Domain: "third.example"},
		},
		Apps: []entratest.App{{
			ClientID: client, Secrets: []string{secret}, RedirectURIs: []string{back}, Multi: true,
			Groups: entratest.SecurityGroups,
			OptionalClaims: []string{"email", "xms_edov", "acct", "sid", "login_hint", "auth_time",
				"acrs"},
		}},
		Users: []entratest.User{{
			Username: "ann@contoso.example", ID: annID, Name: "Ann", Mail: "ann@contoso.example",
			MailVerified: true, Groups: []string{groupA, groupB}, Roles: []string{"Doorward.Admin"},
		}},
	}
	o := oidc.Options{
		Name: "azure-ad", Type: oidc.Entra, Tenant: ourTenant, ClientID: client,
		Secret:  func() (string, error) { return secret, nil },
		Recheck: time.Hour, Log: zaptest.NewLogger(t),
	}
	if change != nil {
		change(&there, &o)
	}
	d := &directory{T: t, Server: entratest.Start(t, there)}
	o.HTTP = d.Client(t)
	if o.Cloud == "" {
		o.AuthorityHost, o.GraphURL = d.URL, d.URL
	}
	d.Provider = mustNew(t, o)
	d.Provider.Start(t.Context())
	t.Cleanup(d.Provider.Close)
	d.until("the provider is ready", func() bool { return d.Status().Ready })
	return d
}

// until waits for a condition.
func (d *directory) until(what string, is func() bool) {
	d.Helper()
	ctx, cancel := context.WithTimeout(d.Context(), entratest.Patience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			d.Fatalf("%s: not in time; the status is %+v", what, d.Status())
		case <-tick.C:
		}
	}
}

// come signs in with a browser of its own and returns what comes back.
func (d *directory) come(user string) oidc.Callback {
	d.Helper()
	to, err := d.AuthURL(d.Context(), request())
	if err != nil {
		d.Fatal(err)
	}
	left := d.Browser(d.T).SignIn(to, user)
	return oidc.Callback{Query: left.Query(), Nonce: nonce, Verifier: verifier, RedirectURL: back}
}

func (d *directory) signIn(user string) (*oidc.Claims, error) {
	d.Helper()
	return d.Exchange(d.Context(), d.come(user))
}

func (d *directory) mustSignIn(user string) *oidc.Claims {
	d.Helper()
	c, err := d.signIn(user)
	if err != nil {
		d.Fatalf("sign-in of %s: %v", user, err)
	}
	return c
}

// ann changes the only user, and her tokens.
func (d *directory) ann(change func(*entratest.User)) {
	d.Helper()
	d.ChangeUser(d.T, annID, change)
}

func (d *directory) tokens(claims map[string]any) {
	d.Helper()
	d.ann(func(u *entratest.User) { u.Token.Claims = claims })
}

func TestEntraSignsIn(t *testing.T) {
	d := entraID(t, nil)
	c := d.mustSignIn("ann@contoso.example")
	if c.SID == "" || c.LoginHint == "" || c.Refresh == "" || c.IDToken == "" ||
		time.Since(c.AuthTime) > time.Hour || time.Until(c.Expires) < time.Minute {
		t.Errorf("claims are %+v", c)
	}
	want := &oidc.Claims{
		Subject: ourTenant + "/" + annID, Issuer: d.Authority(ourTenant), Tenant: ourTenant,
		Name: "ann@contoso.example", Title: "Ann", Email: "ann@contoso.example",
		EmailVerified: true, Groups: []string{groupB, groupA}, Roles: []string{"Doorward.Admin"},
		AuthTime: c.AuthTime, SID: c.SID, LoginHint: c.LoginHint, Refresh: c.Refresh,
		IDToken: c.IDToken, Expires: c.Expires,
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("claims are\n%+v, want\n%+v", c, want)
	}
	if n := d.Count(entratest.TokenPart); n != 1 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
	asked := d.Requests(entratest.Authorize)[0].Query
	if got := asked.Get("scope"); got != "openid profile email offline_access User.Read" {
		t.Errorf("the scopes are %q", got)
	}
	if asked.Get("code_challenge_method") != "S256" {
		t.Error("PKCE is off, since the discovery document does not name it")
	}
}

func TestEntraTenants(t *testing.T) {
	users := func(o *entratest.Options) {
		o.Users = append(o.Users,
			entratest.User{Username: "bob@other.example", Tenant: otherTenant, Name: "Bob"},
			entratest.User{Username: "eve@third.example", Tenant: thirdTenant, Name: "Eve"})
	}
	t.Run("by domain", func(t *testing.T) {
		d := entraID(t, func(_ *entratest.Options, o *oidc.Options) { o.Tenant = "Contoso.example" })
		if c := d.mustSignIn("ann@contoso.example"); c.Tenant != ourTenant {
			t.Errorf("the tenant is %s", c.Tenant)
		}
		if path := d.Requests(entratest.Authorize)[0].Path; !strings.Contains(path, ourTenant) {
			t.Errorf("the browser goes to %s", path)
		}
		lookUps := 0
		for _, r := range d.Requests(entratest.Discovery) {
			if strings.Contains(r.Path, "contoso") {
				lookUps++
			}
		}
		if lookUps != 1 {
			t.Errorf("the domain was looked up %d times", lookUps)
		}
	})
	t.Run("several, by a list", func(t *testing.T) {
		d := entraID(t, func(there *entratest.Options, o *oidc.Options) {
			users(there)
			o.Tenant, o.Tenants = "organizations", []string{ourTenant, "other.example"}
		})
		for _, user := range []string{"ann@contoso.example", "bob@other.example"} {
			c := d.mustSignIn(user)
			if c.Issuer != d.Authority(c.Tenant) {
				t.Errorf("%s is of issuer %s", user, c.Issuer)
			}
		}
		if path := d.Requests(entratest.Authorize)[0].Path; !strings.Contains(path, "/organizations/") {
			t.Errorf("the browser goes to %s", path)
		}
		_, err := d.signIn("eve@third.example")
		checkError(t, err, oidc.ErrTenant, thirdTenant)
		checkError(t, err, oidc.ErrInvalid, "")
	})
	t.Run("one of several is unknown", func(t *testing.T) {
		d := entraID(t, func(there *entratest.Options, o *oidc.Options) {
			users(there)
			o.Tenant, o.Tenants = "", []string{"gone.example", ourTenant}
		})
		d.until("the status says it", func() bool {
			return strings.Contains(d.Status().Error, "gone.example")
		})
		d.mustSignIn("ann@contoso.example")
	})
}

func TestEntraClouds(t *testing.T) {
	for cloud, hosts := range map[string][2]string{
		"usgov":     {"login.microsoftonline.us", "graph.microsoft.us"},
		"usgov-dod": {"login.microsoftonline.us", "dod-graph.microsoft.us"},
		"china":     {"login.partner.microsoftonline.cn", "microsoftgraph.chinacloudapi.cn"},
		"global":    {"login.microsoftonline.com", "graph.microsoft.com"},
	} {
		t.Run(cloud, func(t *testing.T) {
			d := entraID(t, func(_ *entratest.Options, o *oidc.Options) { o.Cloud = cloud })
			d.ann(func(u *entratest.User) { u.Overage = true })
			c := d.mustSignIn("ann@contoso.example")
			if want := "https://" + hosts[0] + "/" + ourTenant + "/v2.0"; c.Issuer != want {
				t.Errorf("the issuer is %s", c.Issuer)
			}
			if r := d.Requests(entratest.MemberObjects); len(r) != 1 || r[0].Host != hosts[1] {
				t.Errorf("Graph was asked at %+v", r)
			}
		})
	}
}

func TestEntraGroupsBeyondTheToken(t *testing.T) {
	many := make([]string, 201)
	for i := range many {
		many[i] = fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
	}
	d := entraID(t, nil)
	d.ann(func(u *entratest.User) { u.Groups = many[:200] })
	if c := d.mustSignIn("ann@contoso.example"); len(c.Groups) != 200 || c.GroupsUnknown ||
		d.Count(entratest.MemberObjects) != 0 {
		t.Errorf("200 groups: %d of them, unknown %v", len(c.Groups), c.GroupsUnknown)
	}
	d.ann(func(u *entratest.User) { u.Groups = many })
	if c := d.mustSignIn("ann@contoso.example"); !slices.Equal(c.Groups, many) || c.GroupsUnknown {
		t.Errorf("201 groups: %d of them, unknown %v", len(c.Groups), c.GroupsUnknown)
	}
	if n := d.Count(entratest.Unknown); n != 0 {
		t.Errorf("the address in the token was called %d times", n)
	}
	d.tokens(map[string]any{"hasgroups": true, "_claim_names": nil, "_claim_sources": nil})
	if c := d.mustSignIn("ann@contoso.example"); !slices.Equal(c.Groups, many) {
		t.Errorf("with hasgroups: %d groups", len(c.Groups))
	}
	for name, fault := range map[string]entratest.Fault{
		"403": {Status: 403}, "500": {Status: 500}, "no JSON": {Status: 200, Body: "x"},
		"no ids": {Status: 200, Body: `{}`}, "broken": {Break: true},
		"later": {Status: 429, Header: http.Header{"Retry-After": {"3600"}}},
	} {
		d.Fail(entratest.MemberObjects, fault)
		c := d.mustSignIn("ann@contoso.example")
		if !c.GroupsUnknown || c.Groups != nil || len(c.Roles) != 1 {
			t.Errorf("Graph answers %s: %d groups, unknown %v", name, len(c.Groups), c.GroupsUnknown)
		}
	}
	d.Fail(entratest.MemberObjects, entratest.Fault{
		Status: 503, Header: http.Header{"Retry-After": {"1"}}, Times: 1,
	})
	if c := d.mustSignIn("ann@contoso.example"); c.GroupsUnknown {
		t.Error("a second try did not help")
	}
}

func TestEntraGuests(t *testing.T) {
	d := entraID(t, nil)
	home := "https://sts.windows.net/" + otherTenant + "/"
	for name, c := range map[string]struct {
		claims map[string]any
		guest  bool
	}{
		"acct 1":           {map[string]any{"acct": 1}, true},
		"acct 0":           {map[string]any{"acct": 0, "idp": home}, false},
		"only a home":      {map[string]any{"acct": nil, "idp": home}, true},
		"a personal home":  {map[string]any{"acct": nil, "idp": "live.com"}, true},
		"at home here":     {map[string]any{"acct": nil, "idp": d.Authority(ourTenant)}, false},
		"nothing is said":  {map[string]any{"acct": nil}, false},
		"acct is nonsense": {map[string]any{"acct": "x", "idp": home}, true},
	} {
		d.tokens(c.claims)
		if got := d.mustSignIn("ann@contoso.example"); got.Guest != c.guest {
			t.Errorf("%s: guest is %v", name, got.Guest)
		}
	}
}

func TestEntraSecondFactor(t *testing.T) {
	d := entraID(t, func(_ *entratest.Options, o *oidc.Options) { o.MFAContext = "c1" })
	if c := d.mustSignIn("ann@contoso.example"); c.MFA {
		t.Error("a password counts as two factors")
	}
	d.ann(func(u *entratest.User) { u.MFA = true })
	if c := d.mustSignIn("ann@contoso.example"); !c.MFA {
		t.Error("the authentication context is not believed")
	}
	r := request()
	r.MFA = true
	to, err := d.AuthURL(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id_token":{"acrs":{"essential":true,"value":"c1"}}}`
	if got := u.Query().Get("claims"); got != want {
		t.Errorf("it asks for %s", got)
	}
}

func TestEntraRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*entratest.User)
		hint   string
	}{
		"blocked":  {func(u *entratest.User) { u.Blocked = true }, "conditional access"},
		"disabled": {func(u *entratest.User) { u.Disabled = true }, "disabled"},
		"unasked":  {func(u *entratest.User) { u.NotAssigned = true }, "not assigned"},
	} {
		t.Run(name, func(t *testing.T) {
			d := entraID(t, nil)
			d.ann(c.change)
			to, err := d.AuthURL(t.Context(), request())
			if err != nil {
				t.Fatal(err)
			}
			browser := d.Browser(t)
			page := browser.Open(to)
			page.Form.Values.Set("loginfmt", "ann@contoso.example")
			if page = browser.Submit(page.Form); page.Left == nil {
				t.Skip("the provider shows a page of its own")
			}
			_, err = d.Exchange(t.Context(), oidc.Callback{Query: page.Left.Query(), Nonce: nonce,
				Verifier: verifier, RedirectURL: back})
			var refused *oidc.CallbackError
			if !errors.As(err, &refused) || !strings.Contains(refused.Hint, c.hint) {
				t.Errorf("the error is %#v", err)
			}
		})
	}
}

func TestEntraCodeIsForThisSignInOnly(t *testing.T) {
	d := entraID(t, nil)
	back := d.come("ann@contoso.example")
	other := back
	other.Verifier = strings.Repeat("x", 50)
	_, err := d.Exchange(t.Context(), other)
	var refused *oidc.CallbackError
	if !errors.As(err, &refused) || refused.Code != "invalid_grant" {
		t.Errorf("with another verifier: %v", err)
	}
	back = d.come("ann@contoso.example")
	if _, err = d.Exchange(t.Context(), back); err != nil {
		t.Fatal(err)
	}
	if _, err = d.Exchange(t.Context(), back); !errors.As(err, &refused) {
		t.Errorf("the second time: %v", err)
	}
}

func TestEntraRefresh(t *testing.T) {
	d := entraID(t, nil)
	c := d.mustSignIn("ann@contoso.example")
	d.ann(func(u *entratest.User) { u.Groups = []string{groupB} })
	next, err := d.Refresh(t.Context(), c.Refresh, c.Subject)
	if err != nil || !slices.Equal(next.Groups, []string{groupB}) || next.Refresh == "" {
		t.Fatalf("claims are %+v, %v", next, err)
	}
	d.Fail(entratest.TokenPart, entratest.Fault{Status: 503})
	_, err = d.Refresh(t.Context(), next.Refresh, c.Subject)
	checkError(t, err, oidc.ErrUnavailable, "503")
	d.Heal()
	_, err = d.Refresh(t.Context(), next.Refresh, otherTenant+"/"+annID)
	checkError(t, err, oidc.ErrRevoked, "another account")
	d.Revoke(t, annID)
	_, err = d.Refresh(t.Context(), next.Refresh, c.Subject)
	checkError(t, err, oidc.ErrRevoked, "")
}

func TestEntraLogoutURL(t *testing.T) {
	d := entraID(t, nil)
	c := d.mustSignIn("ann@contoso.example")
	u, err := url.Parse(d.LogoutURL(c.IDToken, c.LoginHint, back))
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"logout_hint": {c.LoginHint}, "post_logout_redirect_uri": {back}}
	if !reflect.DeepEqual(u.Query(), want) {
		t.Errorf("the browser takes along %v", u.Query())
	}
	if page := d.Browser(t).Open(u.String()); page.Left == nil && page.Status != http.StatusOK {
		t.Errorf("the provider answers %d: %s", page.Status, page.Text)
	}
}
