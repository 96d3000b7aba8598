package app_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"doorward/app"
	"doorward/auth/user"
)

// doubted is an edge with rules of all kinds, and users to ask about.
func doubted(t *testing.T) steered {
	t.Helper()
	head, client := peopleHead(t)
	routes := whyRoutes(server(t, "web1"), server(t, "web2"))
	s := steered{start(t, head+routes), client, t.Context()}
	for _, u := range []app.NewUser{
		{Name: "alice", Admin: true}, {Name: "eve"}, {Name: "gone"}, {Name: "waits"},
	} {
		s.added(t, u)
	}
	for _, u := range []app.NewUser{{Name: "robot", Service: true, Admin: true}, {Name: "new"}} {
		if _, err := s.AddUser(s.ctx, u); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.SetUserState(s.ctx, "gone", "disabled"); err != nil {
		t.Fatal(err)
	}
	if err := s.Await(s.ctx, "waits"); err != nil {
		t.Fatal(err)
	}
	return s
}

func whyRoutes(web1, web2 string) string {
	route := func(name, rest string) string {
		return fmt.Sprintf("[[route]]\nname = %q\nhosts = [\"%s.example\"]\nbackend = \"app\"\n%s\n",
			name, name, rest)
	}
	return `
		[sign_in]
		host = "login.example"
		[[sign_in.provider]]
		name = "corp"
		type = "github"
		client_id = "x"
		client_secret = "y"
		[groups.admins]
	` + route("any", `access = "any-user"
		public_paths = ["=/healthz"]
		identity_headers = "authentik"`) +
		route("groups", `access = { groups = ["admins"], roles = ["Boss"], users = ["bob"] }
		tokens = true`) +
		route("mfa", `access = { any_user = true, mfa = true }`) +
		route("corp", `access = { any_user = true, providers = ["corp"] }`) +
		route("office", `access = { any_user = true, networks = ["192.0.2.0/24"] }`) +
		route("reads", `access = { any_user = true, methods = ["GET"] }`) +
		route("asks", "access = \"any-user\"\nconsent = \"Be nice.\"") +
		route("spare", `access = "any-user"`+"\n[backends.spare]\nbalance = \"first\"\nserver = ["+
			`{ name = "one", url = "http://127.0.0.1:1", backup = true },`+
			`{ name = "two", url = "http://127.0.0.1:1", backup = true }]`) + `
		[[route]]
		name = "moved"
		hosts = ["moved.example"]
		access = "public"
		redirect = "https://any.example/"
		[[route]]
		name = "post"
		hosts = ["post.example"]
		methods = ["POST"]
		backend = "spare"
		access = "public"
		[stats]
		host = "stats.example"
		access = { groups = ["admins"] }
		[backends.app]
		[[backends.app.server]]
		name = "web1"
		url = "` + web1 + `"
		[[backends.app.server]]
		name = "web2"
		url = "` + web2 + `"
		[backends.app.stick]
		on = "user"
		size = 1000
	`
}

func TestWhyTellsTheDecision(t *testing.T) {
	s := doubted(t)
	for name, test := range map[string]struct {
		asked app.Question
		want  app.Why
	}{
		"public path": {app.Question{User: "-", URL: "https://any.example//healthz?x=1"}, app.Why{
			Route: "any", Canonical: "/healthz", Does: "backend",
			Rule: "everybody who has signed in", Access: "allowed: nobody has to sign in",
		}},
		"nobody": {app.Question{User: "-", URL: "https://any.example:8443"}, app.Why{
			Route: "any", Canonical: "/", Does: "backend",
			Rule: "everybody who has signed in", Access: "asks to sign in",
		}},
		"plain": {app.Question{User: "-", URL: "http://any.example/"}, app.Why{
			Route: "any", Canonical: "/", Does: "backend", Access: "asks to sign in",
			Rule:  "everybody who has signed in",
			Needs: []string{"https: over http nobody is signed in"},
		}},
		"not a member": {app.Question{User: "eve", URL: "https://groups.example/"}, app.Why{
			Route: "groups", Canonical: "/", Does: "backend", Access: "not-member",
			Rule:    "users bob; or groups admins; or roles Boss",
			Missing: []string{"admins"}, MissingRoles: []string{"Boss"},
			As: "by password, who has no session now",
		}},
		"a service": {app.Question{User: "robot", URL: "https://groups.example/"}, app.Why{
			Route: "groups", Canonical: "/", Does: "backend", Access: "allowed",
			Rule: "users bob; or groups admins; or roles Boss", By: "group admins",
			As: "with a token",
		}},
		"a service where there are no tokens": {
			app.Question{User: "robot", URL: "https://any.example/healthz/x"}, app.Why{
				Route: "any", Canonical: "/healthz/x", Does: "backend", Access: "has no way to sign in",
				Rule: "everybody who has signed in", By: "any user", As: "with a token",
				Needs: []string{"tokens = true at the route: a service has nothing else"},
			}},
		"no way in": {app.Question{User: "new", URL: "https://reads.example/"}, app.Why{
			Route: "reads", Canonical: "/", Does: "backend", Access: "has no way to sign in",
			By: "any user", Rule: "everybody who has signed in; with GET", As: "in no way yet",
			Needs: []string{"a password, or an account at a provider: doorward user link new"},
		}},
		"disabled": {app.Question{User: "gone", URL: "https://reads.example/"}, app.Why{
			Route: "reads", Canonical: "/", Does: "backend", Access: "disabled", By: "any user",
			Rule: "everybody who has signed in; with GET", As: "by password, who has no session now",
			Needs: []string{"to be enabled: doorward user enable gone"},
		}},
		"pending": {app.Question{User: "waits", URL: "https://reads.example/"}, app.Why{
			Route: "reads", Canonical: "/", Does: "backend", Access: "waits for approval",
			By: "any user", Rule: "everybody who has signed in; with GET",
			As:    "by password, who has no session now",
			Needs: []string{"approval: doorward user approve waits"},
		}},
		"second factor": {app.Question{User: "eve", URL: "https://mfa.example/"}, app.Why{
			Route: "mfa", Canonical: "/", Does: "backend", Access: "needs-mfa", By: "any user",
			Rule: "everybody who has signed in; with a second factor",
			As:   "by password, who has no session now", Needs: []string{"a second factor"},
		}},
		"another provider": {app.Question{User: "eve", URL: "https://corp.example/"}, app.Why{
			Route: "corp", Canonical: "/", Does: "backend", Access: "wrong-provider",
			By: "any user", Rule: "everybody who has signed in; signed in with corp",
			As: "by password, who has no session now", Needs: []string{"a sign-in with corp"},
		}},
		"method": {app.Question{User: "eve", URL: "https://reads.example/", Method: "POST"}, app.Why{
			Route: "reads", Canonical: "/", Does: "backend", Access: "wrong-method",
			Rule: "everybody who has signed in; with GET", Needs: []string{"the method GET"},
		}},
		"network": {
			app.Question{User: "eve", URL: "https://office.example/", Client: "198.51.100.1"}, app.Why{
				Route: "office", Canonical: "/", Does: "backend", Access: "wrong-network",
				Rule:  "everybody who has signed in; from 192.0.2.0/24",
				Needs: []string{"a client in 192.0.2.0/24"},
			}},
		"the right network": {
			app.Question{User: "eve", URL: "https://office.example/", Client: "192.0.2.9"}, app.Why{
				Route: "office", Canonical: "/", Does: "backend", Access: "allowed",
				By: "any user", Rule: "everybody who has signed in; from 192.0.2.0/24",
				As: "by password, who has no session now",
			}},
		"some network": {app.Question{User: "eve", URL: "https://office.example/"}, app.Why{
			Route: "office", Canonical: "/", Does: "backend", Access: "allowed", By: "any user",
			Rule: "everybody who has signed in; from 192.0.2.0/24",
			As:   "by password, who has no session now", Needs: []string{"a client in 192.0.2.0/24"},
		}},
		"consent": {app.Question{User: "eve", URL: "https://asks.example/"}, app.Why{
			Route: "asks", Canonical: "/", Does: "backend", Access: "asks for consent",
			By: "any user", Rule: "everybody who has signed in",
			As: "by password, who has no session now",
		}},
		"redirect": {app.Question{User: "-", URL: "https://moved.example/"}, app.Why{
			Route: "moved", Canonical: "/", Does: "redirect", Rule: "everybody",
			Access: "allowed: nobody has to sign in",
		}},
		"sign-in host": {app.Question{User: "-", URL: "https://login.example/sign_in"}, app.Why{
			Route: "sign-in", Canonical: "/sign_in", Does: "sign-in", Rule: "everybody",
			Access: "allowed: nobody has to sign in",
		}},
		"ours on every host": {app.Question{User: "-", URL: "https://any.example/.doorward/x"}, app.Why{
			Route: "sign-in-own", Canonical: "/.doorward/x", Does: "sign-in", Rule: "everybody",
			Access: "allowed: nobody has to sign in",
		}},
		"statistics": {app.Question{User: "eve", URL: "https://stats.example/"}, app.Why{
			Route: "stats", Canonical: "/", Does: "statistics", Rule: "groups admins",
			Access: "not-member", Missing: []string{"admins"},
			As: "by password, who has no session now",
		}},
		"no such host": {app.Question{User: "-", URL: "https://no.example/"}, app.Why{
			Status: 421, Access: "no route takes it",
		}},
		"no such path": {app.Question{User: "-", URL: "https://post.example/"}, app.Why{
			Status: 404, Access: "no route takes it",
		}},
		"an unclear path": {app.Question{User: "-", URL: "https://any.example/..;/x"}, app.Why{
			Status: 400, Access: "no route takes it: its path can be read in two ways",
		}},
		"no host": {app.Question{User: "-", URL: "https://a_b.-example/"}, app.Why{
			Status: 400, Access: "no route takes it: that is no host of HTTP",
		}},
	} {
		got, err := s.Why(s.ctx, test.asked)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// Where it goes and what is told have tests of their own.
		got.Fields, got.Groups, got.Server, got.Servers, got.ServerBy = nil, nil, "", nil, ""
		got.Backend, got.BackendStatus, got.Balance = "", "", ""
		got.URL, got.Method, got.User = "", "", ""
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, test.want)
		}
	}
}

func TestWhyGoesByTheSession(t *testing.T) {
	s := doubted(t)
	v := s.visitor(t)
	if !v.signIn("eve", goodPassword) {
		t.Fatal("eve does not get in")
	}
	err := s.Link(s.ctx, "eve", user.Identity{
		Provider: "corp", Subject: "1", Groups: []string{"x"}, Roles: []string{"Boss"},
	})
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Why(s.ctx, app.Question{User: "eve", URL: "https://corp.example/"})
	if err != nil || w.Access != "wrong-provider" || !strings.HasSuffix(w.As, " (local)") {
		t.Errorf("with a session: %+v, %v", w, err)
	}
	if _, err := s.EndSessions(s.ctx, "eve"); err != nil {
		t.Fatal(err)
	}
	w, err = s.Why(s.ctx, app.Question{User: "eve", URL: "https://corp.example/"})
	if err != nil || w.Access != "allowed" || w.As != "with corp, who has no session now" {
		t.Errorf("with two ways in: %+v, %v", w, err)
	}
	w, err = s.Why(s.ctx, app.Question{User: "eve", URL: "https://groups.example/"})
	if err != nil || w.By != "role Boss" || !slices.Equal(w.Roles, []string{"Boss"}) {
		t.Errorf("by a role: %+v, %v", w, err)
	}
}

// TestWhyTellsFieldsAsTheServerGetsThem compares them with a request, but for tokens:
// one that is shown could be used.
func TestWhyTellsFieldsAsTheServerGetsThem(t *testing.T) {
	s := doubted(t)
	w, err := s.Why(s.ctx, app.Question{User: "alice", URL: "https://any.example/"})
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for _, f := range w.Fields {
		name, value, _ := strings.Cut(f, ": ")
		told[name] = value
	}
	if told["X-Authentik-Username"] != "alice" || told["X-Authentik-Groups"] != "admins" {
		t.Errorf("told is %q", w.Fields)
	}
	if jwt := told["X-Authentik-Jwt"]; !strings.HasPrefix(jwt, "ey") || len(jwt) > 20 {
		t.Errorf("the token is %q", jwt)
	}
	w, err = s.Why(s.ctx, app.Question{User: "eve", URL: "https://groups.example/"})
	if err != nil || w.Fields != nil {
		t.Errorf("of one who is not let in: %+v, %v", w, err)
	}
}

func TestWhyForetellsTheServer(t *testing.T) {
	s := doubted(t)
	q := app.Question{User: "alice", URL: "https://any.example/"}
	w, err := s.Why(s.ctx, q)
	if err != nil || w.Server != "" || !slices.Equal(w.Servers, []string{"web1", "web2"}) ||
		w.Backend != "app" || w.BackendStatus != "UP" || w.Balance != "roundrobin" {
		t.Errorf("of two: %+v, %v", w, err)
	}
	if _, err := s.SetState(s.ctx, web("web1"), "drain"); err != nil {
		t.Fatal(err)
	}
	if w, err := s.Why(s.ctx, q); err != nil || w.Server != "web2" {
		t.Errorf("of one: %+v, %v", w, err)
	}
	v := s.visitor(t)
	if !v.signIn("alice", goodPassword) || v.get("https://any.example/") != 200 {
		t.Fatal("alice does not get in")
	}
	if _, err := s.SetState(s.ctx, web("web1"), "ready"); err != nil {
		t.Fatal(err)
	}
	if w, err := s.Why(s.ctx, q); err != nil || w.Server != "web2" ||
		w.ServerBy != "the stick table remembers it" {
		t.Errorf("of one who was here: %+v, %v", w, err)
	}
	for _, name := range []string{"web1", "web2"} {
		if _, err := s.SetState(s.ctx, web(name), "maint"); err != nil {
			t.Fatal(err)
		}
	}
	if w, err := s.Why(s.ctx, q); err != nil || w.Server != "" || len(w.Servers) != 0 ||
		w.BackendStatus == "UP" {
		t.Errorf("of none: %+v, %v", w, err)
	}
	post := app.Question{User: "-", URL: "https://post.example/", Method: "POST"}
	if w, err := s.Why(s.ctx, post); err != nil || w.Server != "one" {
		t.Errorf("of those for backup: %+v, %v", w, err)
	}
	// A question is no request: nobody has counted one, but for that of alice.
	list, err := s.Servers(s.ctx, "app")
	if err != nil || list.Backends[0].Servers[0].Requests+list.Backends[0].Servers[1].Requests != 1 {
		t.Errorf("requests: %+v, %v", list, err)
	}
}
