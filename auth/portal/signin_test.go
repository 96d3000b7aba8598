package portal_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"doorward/auth/oidc"
	"doorward/auth/portal"
	"doorward/auth/user"
)

func TestAPasswordSignsIn(t *testing.T) {
	in(t, func(h *house) {
		b := h.browser()
		b.get("/").want(t, 303, "/sign_in")
		b.get("/sign_in").want(t, 200, "").says(t, `name="password"`)
		b.signIn()
		s := b.session()
		if s == nil || s.User().Name != "alice" || s.Provider() != "local" {
			t.Fatalf("session = %+v", s)
		}
		b.get("/").want(t, 200, "").says(t, "alice")
		b.get("/sign_in").want(t, 303, home)
	})
}

func TestTheFormIsShownAgain(t *testing.T) {
	for _, test := range []struct {
		name, login, password string
		status                int
	}{
		{"a wrong password", "alice", "not this one, surely", 403},
		{"nobody", "mallory", "not this one, surely", 403},
		{"no password", "alice", "", 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			in(t, func(h *house) {
				b := h.browser()
				a := b.post("/sign_in", "login", test.login, "password", test.password)
				a.want(t, test.status, "").says(t, `name="password"`)
				if b.session() != nil || strings.Contains(a.body, test.password+`"`) &&
					test.password != "" {
					t.Error("signed in, or the password is in the page")
				}
			})
		})
	}
}

func TestOneWhoGuessesIsSlowedDown(t *testing.T) {
	in(t, func(h *house) {
		b := h.browser()
		for range 200 {
			a := b.post("/sign_in", "login", "mallory", "password", "guess")
			if a.status == 429 {
				if a.header.Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
				return
			}
		}
		t.Error("200 guesses from one address")
	})
}

func TestAVisitorComesBackToTheAddress(t *testing.T) {
	in(t, func(h *house) {
		const address = "https://app.example.com/a%20b?c=d&e=%2F"
		b := h.browser()
		page := b.get(h.visiting(address)).want(t, 200, "").says(t, "The App")
		_ = page
		a := b.enter(h.visiting(address), "fragment",
			"/deep%20er")
		s, handoff := h.redeem(b.goOn(a).
			want(t, 303, "https://app.example.com/.doorward/handoff?code=…"))
		if s.ID() != b.session().ID() || handoff.Bind != "bind-of-the-app-host" ||
			handoff.Return != address+"#/deep%20er" {
			t.Errorf("handed over %+v", handoff)
		}
		// And again, for another host, without being asked.
		_, handoff = h.redeem(b.get(h.visiting("https://foo.example/")))
		if handoff.Host != "foo.example" {
			t.Errorf("handed over %+v", handoff)
		}
	})
}

func TestAnAddressThatNoGateSignedGetsNoCode(t *testing.T) {
	in(t, func(h *house) {
		b := h.browser().signIn()
		b.get("/sign_in?return=https://app.example.com/x").want(t, 303, "https://app.example.com/x")
		forged := strings.Replace(h.visiting("https://app.example.com/x"), "sig=", "sig=A", 1)
		b.get(forged).want(t, 303, "https://app.example.com/x")
	})
}

func TestHostsOfOneDomainNeedNoCode(t *testing.T) {
	in(t, func(h *house) {
		h.rebuild(func(o *portal.Options) { o.CookieDomain = "example.com" })
		b := h.browser()
		a := b.enter("/sign_in").
			want(t, 303, home)
		c := a.cookies[len(a.cookies)-1]
		if c.Name != "__Secure-doorward" || c.Domain != "example.com" || !c.Secure || !c.HttpOnly {
			t.Errorf("the cookie is %v", c)
		}
		b.get(h.visiting("https://app.example.com/x")).want(t, 303, "https://app.example.com/x")
		b.get(h.visiting("https://foo.example/x")).
			want(t, 303, "https://foo.example/.doorward/handoff?code=…")
	})
}

func TestTheOnlyProviderIsGoneToStraightAway(t *testing.T) {
	in(t, func(h *house) {
		h.rebuild(func(o *portal.Options) { o.LocalUsers, o.Providers = false, o.Providers[:1] })
		b := h.browser()
		const address = "https://app.example.com/"
		callback := h.idp.away(b, h.visiting(address), bob())
		_, handoff := h.redeem(b.get(callback))
		if handoff.Return != address {
			t.Errorf("handed over %+v", handoff)
		}
		b.enter("/sign_in").want(t, 400, "")
		b.get("/account/password").want(t, 404, "")
		b.get("/setup?code=x").want(t, 404, "")
	})
}

func TestTheRouteChoosesItsProvider(t *testing.T) {
	in(t, func(h *house) {
		b := h.browser()
		h.redeem(b.get(h.second.away(b, h.visiting("https://partner.example.com/"), bob())))
	})
}

func TestTheMailAddressChoosesTheProvider(t *testing.T) {
	in(t, func(h *house) {
		h.rebuild(func(o *portal.Options) {
			o.Providers[1].EmailDomains = []string{"partner.example"}
		})
		b := h.browser()
		a := b.goOn(b.post("/sign_in", "login", "Eve@PARTNER.example", "password", ""))
		h.second.back(b, a.want(t, 303, "https://other.example/authorize?…").location, bob())
		for _, asked := range h.second.asked {
			if asked.LoginHint != "Eve@PARTNER.example" {
				t.Errorf("the hint is %q", asked.LoginHint)
			}
		}
		// A password that is none of ours: the address says whose it may be.
		a = b.post("/sign_in", "login", "eve@partner.example", "password",
			"some password of theirs")
		b.goOn(a).want(t, 303, "https://other.example/authorize?…")
	})
}

func TestAProviderThatIsDownIsSaidToBe(t *testing.T) {
	in(t, func(h *house) {
		h.idp.down = "login.example: no such host"
		b := h.browser()
		b.get("/sign_in").want(t, 200, "").says(t, "no such host")
		b.get("/sign_in?provider=azure-ad").want(t, 503, "").says(t, "no such host")
		h.idp.err = oidc.ErrUnavailable
		b.get(h.idp.with()).want(t, 503, "")
		b.signIn() // the others still can
	})
}

func TestOnboarding(t *testing.T) {
	for _, test := range []struct {
		onboarding portal.Onboarding
		status     int
		state      user.State
	}{
		{portal.Auto, 303, user.Active},
		{portal.Approve, 403, user.Pending},
		{portal.Off, 403, ""},
		{"", 403, ""},
	} {
		t.Run("onboarding "+string(test.onboarding), func(t *testing.T) {
			in(t, func(h *house) {
				h.rebuild(func(o *portal.Options) { o.Providers[0].Onboarding = test.onboarding })
				b := h.browser()
				a := b.get(h.idp.away(b, h.idp.with(), bob()))
				if a.status != test.status || (b.session() != nil) != (test.status == 303) {
					t.Fatalf("answered %d, session %v", a.status, b.session())
				}
				person := h.directory.ByIdentity("azure-ad", "tenant/bob")
				if test.state == "" {
					if person != nil {
						t.Error("an account was made")
					}
					return
				}
				u := person.View().User
				if u.State != test.state || u.Name != "bob@example.com" || u.Title != "Bob" ||
					strings.Join(u.Identities[0].Groups, " ") != "g1 g2" {
					t.Errorf("the account is %+v", u)
				}
				if test.state != user.Pending {
					return
				}
				// Approved by somebody, the next sign-in gets through.
				_, err := h.directory.Update(t.Context(), u.ID, func(u *user.User) error {
					u.State = user.Active
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				h.idp.signIn(b, bob())
			})
		})
	}
}

func TestGroupsFollowEachSignIn(t *testing.T) {
	in(t, func(h *house) {
		b := h.idp.signIn(h.browser(), bob())
		id := b.session().User().ID
		claims := bob()
		claims.Groups, claims.Roles, claims.GroupsUnknown = nil, []string{"r2"}, true
		claims.Title = "Robert"
		h.idp.signIn(h.browser(), claims)
		got := h.account(id)
		if one := got.Identities[0]; len(one.Groups) > 0 || one.Roles[0] != "r2" ||
			!one.GroupsUnknown {
			t.Errorf("the identity is %+v", one)
		}
		if got.Title != "Robert" {
			t.Errorf("the title is %q", got.Title)
		}
	})
}

func TestGuestsAndOthersWhoMayNotComeIn(t *testing.T) {
	in(t, func(h *house) {
		b := h.browser()
		guest := bob()
		guest.Guest = true
		b.get(h.idp.away(b, h.idp.with(), guest)).want(t, 403, "")
		h.rebuild(func(o *portal.Options) { o.Providers[0].Guests = true })
		h.idp.signIn(b, guest)
		id := b.session().User().ID
		_, err := h.directory.Update(t.Context(), id, func(u *user.User) error {
			u.State = user.Disabled
			return nil
		})
		if err != nil || b.session() != nil {
			t.Fatalf("the session lives on, %v", err)
		}
		b.get(h.idp.away(b, h.idp.with(), guest)).want(t, 403, "")
		h.idp.err = errors.Join(oidc.ErrInvalid, oidc.ErrTenant)
		callback := "/source/oauth/callback/azure-ad/?code=x"
		b.get(callback).want(t, 400, "")
	})
}

func TestAProviderMayBeAskedForAnotherAccount(t *testing.T) {
	in(t, func(h *house) {
		b := h.idp.signIn(h.browser(), bob())
		b.get("/sign_in?another=1").want(t, 200, "").says(t, "continue")
		a := b.get(h.idp.with()+"?another=1").
			want(t, 303, "https://azure-ad.example/authorize?prompt=select_account…")
		carol := bob()
		carol.Subject, carol.Name = "tenant/carol", "carol"
		before := b.session()
		b.get(h.idp.back(b, a.location, carol)).want(t, 303, home)
		if b.session().User().Name != "carol" || before.Valid() {
			t.Error("bob is still here")
		}
		b.post("/sign_in?another=1", "continue", "yes").want(t, 303, home)
	})
}

func TestACircleEndsWithAPageThatSaysWhy(t *testing.T) {
	in(t, func(h *house) {
		b := h.browser().signIn()
		start := h.visiting("https://app.example.com/")
		for range 3 {
			b.get(start).want(t, 303, "https://app.example.com/.doorward/handoff?code=…")
		}
		b.get(start).want(t, 403, "").says(t, "https://app.example.com/")
		// Who reads it and tries again gets another chance, as does who comes later.
		b.get(start).want(t, 303, "https://app.example.com/.doorward/handoff?code=…")
		pass(time.Minute)
		for range 3 {
			b.get(start).want(t, 303, "https://app.example.com/.doorward/handoff?code=…")
		}
	})
}

func TestWhoMustChangeThePasswordHasNoSessionBefore(t *testing.T) {
	in(t, func(h *house) {
		_, err := h.directory.Update(t.Context(), h.alice, func(u *user.User) error {
			u.MustChange = true
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		b := h.browser()
		a := b.enter("/sign_in").want(t, 200, "")
		if b.session() != nil {
			t.Fatal("a session before the change")
		}
		action := formAction(t, a)
		const next = "an entirely other phrase"
		stranger := h.browser()
		stranger.get("/sign_in")
		stranger.post(action, "current", password, "new", next, "again", next).want(t, 400, "")
		b.post(action, "current", "wrong", "new", next, "again", next).want(t, 403, "")
		b.post(action, "current", password, "new", "short", "again", "short").want(t, 400, "")
		b.post(action, "current", password, "new", next, "again", next).
			want(t, 303, home)
		if b.session() == nil || h.account(h.alice).MustChange {
			t.Error("the change was not enough")
		}
		b.post(action, "current", next, "new", password, "again", password).want(t, 400, "")
	})
}

// formAction is where the form of a page that stands alone leads.
func formAction(t *testing.T, a *answer) string {
	t.Helper()
	_, rest, ok := strings.Cut(a.body, `<form method="post" action="`)
	if !ok {
		t.Fatalf("no form in %s", a.body)
	}
	action, _, _ := strings.Cut(rest, `"`)
	return strings.ReplaceAll(action, "&amp;", "&")
}

func TestOtherTabsLearnThatThisOneSignedIn(t *testing.T) {
	in(t, func(h *house) {
		b := h.browser()
		b.get("/whoami").want(t, 204, "")
		b.signIn().get("/whoami").want(t, 200, "").says(t, `"alice"`)
	})
}

// A browser that keeps no cookies is told so, and not shown the form again and again.
func TestABrowserThatKeepsNoCookiesIsTold(t *testing.T) {
	in(t, func(h *house) {
		b := h.browser()
		b.send("POST", "/sign_in?return=/account", strings.NewReader(
			url.Values{"login": {"alice"}, "password": {password}}.Encode()),
			"application/x-www-form-urlencoded").want(h, 400, "").says(h, "ookie").
			says(h, "/sign_in?return=%2Faccount")
		if b.session() != nil {
			h.Error("signed in all the same")
		}
	})
}
