package portal_test

import (
	"context"
	"net/url"
	"slices"
	"testing"
	"time"

	"doorward/auth/oidc"
	"doorward/auth/portal"
	"doorward/internal/entratest"
)

// entraID puts the imitation of Entra ID in the place of the first provider.
func entraID(h *house) *entratest.Server {
	h.Helper()
	const secret = "a secret of the app registration"
	there := entratest.Start(h.T, entratest.Options{
		Apps: []entratest.App{{
			ClientID: "doorward", Secrets: []string{secret},
			RedirectURIs:   []string{home + "source/oauth/callback/azure-ad"},
			Groups:         entratest.SecurityGroups,
			OptionalClaims: []string{"email", "sid", "login_hint", "auth_time"},
		}},
		Users: []entratest.User{{
			Username: "ann@contoso.example", Name: "Ann", Mail: "ann@contoso.example",
			Groups: []string{"968b4844-d5e7-4e18-a834-59927959369f"}, Roles: []string{"Admin"},
		}},
	})
	p := must(oidc.New(oidc.Options{
		Name: "azure-ad", Type: oidc.Entra, Tenant: entratest.TenantID, ClientID: "doorward",
		Secret:  func() (string, error) { return secret, nil },
		Recheck: time.Hour, HTTP: there.Client(h.T), AuthorityHost: there.URL, GraphURL: there.URL,
	}))(h.T)
	p.Start(h.Context())
	h.Cleanup(p.Close)
	h.until("the provider is ready", func() bool { return p.Status().Ready })
	h.rebuild(func(o *portal.Options) {
		pr := &o.Providers[0]
		pr.Client, pr.Channel, pr.Status, pr.LogoutThere = p, p, p.Status, true
		pr.Recheck = time.Millisecond
	})
	return there
}

// until waits for a condition.
func (h *house) until(what string, is func() bool) {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), entratest.Patience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			h.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}

func TestEntraSignsInAndOut(t *testing.T) {
	h := newHouse(t)
	there := entraID(h)
	b, visitor := h.browser(), there.Browser(t)
	enter := func() {
		t.Helper()
		a := b.get("/sign_in/with/azure-ad?return=/account")
		b.get(visitor.SignIn(a.location, "ann@contoso.example").String()).
			want(t, 303, home+"account")
	}
	enter()
	s := b.session()
	if u := s.User(); u.Name != "ann@contoso.example" || u.Title != "Ann" ||
		!slices.Equal(u.Identities[0].Groups, []string{"968b4844-d5e7-4e18-a834-59927959369f"}) ||
		!slices.Equal(u.Identities[0].Roles, []string{"Admin"}) {
		t.Errorf("signed in as %+v", u)
	}
	b.get("/source/oauth/frontchannel/azure-ad/?sid="+s.UpstreamSID()).want(t, 200, "")
	if s.Valid() {
		t.Error("signed out at Entra ID, and still here")
	}
	enter()
	back := visitor.Open(onward(t, b.post("/sign_out"))).Left
	if back == nil || back.String() != home+"source/oauth/callback/azure-ad" {
		t.Fatalf("signing out leads to %v", back)
	}
	b.get(back.String()).want(t, 303, "/sign_out")
}

func TestEntraDisablesAnAccount(t *testing.T) {
	h := newHouse(t)
	there := entraID(h)
	b := h.browser()
	a := b.get("/sign_in/with/azure-ad")
	b.get(there.Browser(t).SignIn(a.location, "ann@contoso.example").String())
	there.ChangeUser(t, "ann@contoso.example", func(u *entratest.User) { u.Disabled = true })
	if b.session() == nil {
		t.Fatal("not signed in")
	}
	h.until("the session ends", func() bool {
		h.rechecks.Look(t.Context())
		return b.session() == nil
	})
	u := must(url.Parse(b.get("/account").location))(t)
	if u.Path != "/sign_in" {
		t.Errorf("sent to %s", u)
	}
}
