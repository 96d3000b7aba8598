package portal_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"doorward/auth/directory"
	"doorward/auth/page"
	"doorward/auth/portal"
	"doorward/auth/user"
)

func TestThePortalShowsWhatMayBeOpened(t *testing.T) {
	in(t, func(h *house) {
		h.rebuild(func(o *portal.Options) {
			o.Apps = func(v *user.View) []page.App {
				return []page.App{{Title: "App of " + v.User.Name, URL: "https://app.example.com/"}}
			}
		})
		h.browser().signIn().get("/").want(t, 200, "").says(t, "App of alice")
	})
}

func TestPagesComeBackAfterSignIn(t *testing.T) {
	in(t, func(h *house) {
		b := h.browser()
		a := b.get("/account/tokens").want(t, 303, "/sign_in?return=%2Faccount%2Ftokens")
		b.enter(a.location).
			want(t, 303, home+"account/tokens")
		b.get("/none").want(t, 404, "")
		b.get("/source/oauth/none/azure-ad").want(t, 404, "")
		b.send("PUT", "/account", nil, "").want(t, 405, "")
	})
}

func TestTheAccountNamesGroupsAsTheirTitles(t *testing.T) {
	in(t, func(h *house) {
		b := h.browser().signIn()
		if err := errors.Join(h.directory.CreateGroup(t.Context(), "fin"),
			h.directory.AddMember(t.Context(), "fin", h.alice)); err != nil {
			t.Fatal(err)
		}
		b.get("/account").says(t, "<bdi>fin</bdi>")
		h.rebuild(func(o *portal.Options) {
			o.Title = func(group string) string { return "The group " + group }
		})
		b.get("/account").says(t, "<bdi>The group fin</bdi>")
	})
}

func TestTheLanguageIsKept(t *testing.T) {
	in(t, func(h *house) {
		b := h.browser().signIn()
		b.post("/account", "locale", "de").want(t, 200, "")
		b.get("/account").says(t, `lang="de"`)
		b.post("/account", "locale", "no language at all").want(t, 400, "")
		b.post("/account", "locale", "").want(t, 200, "")
		if got := h.account(h.alice).Locale; got != "" {
			t.Errorf("the language is %q", got)
		}
	})
}

func TestSessionsAreEndedByTheirUser(t *testing.T) {
	in(t, func(h *house) {
		b, second, third := h.browser().signIn(), h.browser().signIn(), h.browser().signIn()
		stranger := h.idp.signIn(h.browser(), bob())
		b.get("/account/sessions").want(t, 200, "").says(t, second.session().ID())
		b.post("/account/sessions", "end", stranger.session().ID()).want(t, 200, "")
		b.post("/account/sessions").want(t, 400, "")
		b.post("/account/sessions", "end", second.session().ID()).want(t, 200, "")
		if stranger.session() == nil || second.session() != nil || third.session() == nil {
			t.Fatal("not the session that was meant")
		}
		b.post("/account/sessions", "end", "others").want(t, 200, "")
		if b.session() == nil || third.session() != nil {
			t.Fatal("not the others")
		}
		b.post("/account/sessions", "end", b.session().ID()).want(t, 303, "/sign_in")
		if b.session() != nil {
			t.Error("the session goes on")
		}
	})
}

func TestTokens(t *testing.T) {
	in(t, func(h *house) {
		h.rebuild(func(o *portal.Options) {
			o.Routes = func(*user.View) []page.Choice {
				return []page.Choice{{Value: "app", Title: "The App"}}
			}
		})
		b := h.browser().signIn()
		a := b.post("/account/tokens", "title", "backup", "days", "30", "route", "app").
			want(t, 200, "")
		_, rest, _ := strings.Cut(a.body, "dw_")
		secret := "dw_" + rest[:49]
		person, token := h.directory.FindToken([]byte(secret))
		if person == nil || person.View().User.ID != h.alice || !token.Opens("app", time.Now()) ||
			token.Opens("other", time.Now()) ||
			token.Opens("app", time.Now().Add(31*24*time.Hour)) {
			t.Fatalf("the token is %+v", token)
		}
		if a := b.get("/account/tokens").says(t, "backup"); strings.Contains(a.body, secret) {
			t.Error("the secret is shown twice")
		}
		for _, form := range [][]string{
			{"title", "x"}, {"title", "x", "days", "-1"}, {"title", "x", "days", "99999"},
			{"title", " ", "days", "1"}, {"title", "x", "days", "1", "route", "other"},
			{"title", "x", "title", "y", "days", "1"},
		} {
			b.post("/account/tokens", form...).want(t, 400, "")
		}
		b.post("/account/tokens", "title", "for ever", "days", "0").want(t, 200, "")
		stranger := h.idp.signIn(h.browser(), bob())
		stranger.post("/account/tokens", "delete", token.ID).want(t, 200, "")
		pass(6 * time.Minute)
		// What outlives the session takes a recent sign-in, to remove it does not.
		b.post("/account/tokens", "title", "late", "days", "0").
			want(t, 303, "/sign_in?fresh=1&return=%2Faccount%2Ftokens")
		if n := len(h.directory.Tokens(h.alice)); n != 2 {
			t.Fatalf("%d tokens", n)
		}
		b.post("/account/tokens", "delete", token.ID).want(t, 200, "")
		if person, _ := h.directory.FindToken([]byte(secret)); person != nil {
			t.Error("the token is still good")
		}
	})
}

func TestTheLastWayInIsKept(t *testing.T) {
	in(t, func(h *house) {
		b := h.browser()
		a := b.get(h.idp.with()+"?fresh=1").
			want(t, 303, "https://azure-ad.example/authorize?prompt=login…")
		b.get(h.idp.back(b, a.location, bob())).want(t, 303, home)
		b.get("/account/identities").want(t, 200, "").says(t, "Provider other")
		b.post("/account/identities", "unlink", "azure-ad").want(t, 409, "")
		b.post("/account/identities", "link", "azure-ad").want(t, 400, "")
		b.post("/account/identities", "link", "none").want(t, 400, "")
		a = b.post("/account/identities", "link", "other")
		b.get(h.second.back(b, onward(t, a), bob())).want(t, 303, "/account/identities?done=linked")
		b.post("/account/identities", "unlink", "azure-ad").want(t, 303, "/sign_in")
		if b.session() != nil {
			t.Error("the session of the identity goes on")
		}
	})
}

func TestAnOldSignInAtAProviderIsNotFresh(t *testing.T) {
	in(t, func(h *house) {
		b := h.idp.signIn(h.browser(), bob())
		b.post("/account/identities", "link", "other").
			want(t, 303, "/sign_in?fresh=1&provider=azure-ad&return=%2Faccount%2Fidentities")
		claims := bob()
		claims.AuthTime = time.Now().Add(-time.Minute)
		h.idp.signIn(func() *browser { b.post("/sign_out"); return b }(), claims)
		b.post("/account/identities", "link", "other").want(t, 200, "")
	})
}

func TestTheFirstAdministrator(t *testing.T) {
	in(t, func(h *house) {
		secret := must(h.directory.CreateLink(t.Context(), directory.Link{
			Purpose: portal.SetupPurpose, Groups: []string{"admins"},
			Expires: time.Now().Add(time.Hour),
		}))(t)
		b := h.browser()
		at := "/setup?" + url.Values{"code": {secret}}.Encode()
		b.get("/setup").want(t, 404, "")
		b.get("/setup?code=guess").want(t, 404, "")
		b.get(at).want(t, 200, "")
		form := func(name, password, again string) []string {
			return []string{"code", secret, "name", name, "title", "The Root", "email",
				"root@example.com",
				"password", password, "again", again}
		}
		const good = "tall trees in the wind"
		b.post("/setup", form("", good, good)...).want(t, 400, "")
		b.post("/setup", form("alice", good, good)...).want(t, 400, "")
		b.post("/setup", form("a:b", good, good)...).want(t, 400, "")
		b.post("/setup", form("root", "short", "short")...).want(t, 400, "")
		b.post("/setup", form("root", good, good+"x")...).want(t, 400, "")
		b.post("/setup", "code", "guess", "name", "root").want(t, 404, "")
		b.get(at).want(t, 200, "") // mistakes cost nothing
		b.post("/setup", form("Root", good, good)...).want(t, 303, "/")
		if s := b.session(); s == nil || s.User().Name != "root" || !s.View().In("admins") {
			t.Errorf("session %+v", s)
		}
		b.get(at).want(t, 404, "")
		b.post("/setup", form("second", good, good)...).want(t, 404, "")
		if h.directory.ByName("second") != nil {
			t.Error("a link made two users")
		}
	})
}

// The link for the first administrator is over as soon as there is one, made in another
// way. A service is none, and neither is who may not sign in.
func TestTheFirstAdministratorMayComeInAnotherWay(t *testing.T) {
	in(t, func(h *house) {
		secret := must(h.directory.CreateLink(t.Context(), directory.Link{
			Purpose: portal.SetupPurpose, Groups: []string{"admins"},
			Expires: time.Now().Add(time.Hour),
		}))(t)
		b, at := h.browser(), "/setup?code="+secret
		id := h.user(user.User{Name: "dora", Groups: []string{"admins"}}, "")
		disable := func(on bool) {
			must(h.directory.Update(t.Context(), id, func(u *user.User) error {
				if u.State = user.Active; on {
					u.State = user.Disabled
				}
				return nil
			}))(t)
		}
		disable(true)
		h.user(user.User{Name: "robot", Service: true, Groups: []string{"admins"}}, "")
		h.user(user.User{Name: "eve", Groups: []string{"staff"}}, "")
		b.get(at).want(t, 200, "")
		disable(false)
		b.get(at).want(t, 404, "")
		const good = "tall trees in the wind"
		b.post("/setup", "code", secret, "name", "root", "password", good, "again", good).
			want(t, 404, "")
		if h.directory.ByName("root") != nil {
			t.Error("a second administrator was made")
		}
	})
}

func TestAnInvitationGivesAPassword(t *testing.T) {
	in(t, func(h *house) {
		id := h.user(user.User{Name: "dora"}, "")
		secret := must(h.directory.CreateLink(t.Context(), directory.Link{
			Purpose: portal.InvitePurpose, UserID: id, Expires: time.Now().Add(time.Hour),
		}))(t)
		other := must(h.directory.CreateLink(t.Context(), directory.Link{
			Purpose: "something else", Expires: time.Now().Add(time.Hour),
		}))(t)
		b := h.browser()
		b.get("/setup?code="+other).want(t, 404, "")
		b.get("/setup?code="+secret).want(t, 200, "").says(t, "dora")
		const good = "tall trees in the wind"
		b.post("/setup", "code", secret, "name", "alice", "password", good, "again", good).
			want(t, 303, "/")
		if b.session().User().ID != id || !h.account(id).HasPassword {
			t.Error("not dora")
		}
	})
}

func TestConsent(t *testing.T) {
	in(t, func(h *house) {
		const at = "/consent?return=https%3A%2F%2Fterms.example.com%2Fx"
		b := h.browser()
		b.get(at).want(t, 303, "/sign_in?return=…")
		b.signIn()
		b.get(at).want(t, 200, "").says(t, "Mind the gap.")
		b.post(at, "answer", "refuse").want(t, 403, "")
		b.get(at).want(t, 200, "")
		b.goOn(b.post(at, "answer", "accept")).want(t, 303, "https://terms.example.com/x")
		b.get(at).want(t, 303, "https://terms.example.com/x")
		b.get("/consent?return=https://app.example.com/").want(t, 303, "https://app.example.com/")
		b.get("/consent?return=https://evil.example/").want(t, 303, home)
	})
}

func TestSigningOut(t *testing.T) {
	in(t, func(h *house) {
		b := h.idp.signIn(h.browser(), bob())
		b.get("/sign_out?return=https://app.example.com/").want(t, 200, "")
		b.post("/sign_out", "return", "https://app.example.com/").want(t, 200, "").
			says(t, "https://app.example.com/").says(t, "Provider azure-ad")
		if b.session() != nil {
			t.Error("the session goes on")
		}
		b.get("/").want(t, 303, "/sign_in")
	})
}
