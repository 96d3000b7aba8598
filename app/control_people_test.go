package app_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"doorward/app"
	"doorward/auth/audit"
)

// staffed is an edge where people sign in, with a control socket and a client of it.
func staffed(t *testing.T) steered {
	t.Helper()
	head, client := peopleHead(t)
	return steered{start(t, head+`
		[sign_in]
		host = "login.example"
		[groups.admins]
		[groups.named]
		users = ["bob"]
		[[route]]
		name = "app"
		hosts = ["app.example"]
		backend = "app"
		access = { groups = ["admins"] }
		tokens = true
		identity_headers = { X-Who = "{user}" }
		[[route]]
		name = "open"
		hosts = ["open.example"]
		access = "public"
		respond = { body = "open" }
		[backends.app]
		servers = ["`+server(t, "web1")+`"]
	`), client, t.Context()}
}

// peopleHead is what stands before the routes, and a client of the control socket in it.
func peopleHead(t *testing.T) (string, app.Client) {
	t.Helper()
	socket := filepath.Join(shortDir(t), "sock")
	config := strings.Replace(site("", ""), `control = ""`, fmt.Sprintf("control = %q", socket), 1)
	head, _, _ := strings.Cut(config, "[[route]]")
	return strings.Replace(head, `"*.test"`, `"*.test", "*.example"`, 1), app.Client{Socket: socket}
}

func TestControlOfUsers(t *testing.T) {
	s := staffed(t)
	made, err := s.AddUser(s.ctx, app.NewUser{Name: "Bob", Title: "Bob B.", Admin: true})
	if err != nil {
		t.Fatal(err)
	}
	if u := made.User; u.Name != "bob" || u.State != "active" || u.Groups["admins"] == "" || u.Groups["named"] == "" ||
		!strings.HasPrefix(made.Link, "https://login.example/setup?code=") || made.Expires.Before(time.Now()) {
		t.Errorf("made %+v", made)
	}
	if again, err := s.InviteUser(s.ctx, "bob"); err != nil || again.Link == made.Link {
		t.Errorf("invited with %+v, %v", again, err)
	}
	for what, err := range map[string]error{
		"the same name": second(s.AddUser(s.ctx, app.NewUser{Name: "BOB"})),
		"no name":       second(s.AddUser(s.ctx, app.NewUser{})),
		"no such user":  second(s.User(s.ctx, "eve")),
		"no such state": second(s.SetUserState(s.ctx, "bob", "happy")),
		"no such token": s.DeleteToken(s.ctx, "t1"),
		"no session":    s.EndSession(s.ctx, "s1"),
		"no member":     second(s.JoinGroup(s.ctx, "staff", "eve")),
	} {
		if refused := new(app.RefusedError); !errors.As(err, &refused) || refused.Reason == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if u, err := s.JoinGroup(s.ctx, "staff", "bob"); err != nil || u.Groups["staff"] == "" {
		t.Errorf("joined: %+v, %v", u, err)
	}
	groups, err := s.Groups(s.ctx)
	if err != nil || !slices.ContainsFunc(groups, func(g app.GroupStatus) bool {
		return g.Name == "staff" && slices.Equal(g.Members, []string{"bob"})
	}) {
		t.Errorf("groups %+v, %v", groups, err)
	}
	if u, err := s.LeaveGroup(s.ctx, "staff", "bob"); err != nil || u.Groups["staff"] != "" {
		t.Errorf("left: %+v, %v", u, err)
	}
	if u, err := s.SetUserState(s.ctx, "bob", "disabled"); err != nil || u.State != "disabled" {
		t.Errorf("disabled: %+v, %v", u, err)
	}
	if err := s.DeleteUser(s.ctx, "bob"); err != nil {
		t.Error(err)
	}
	if list, err := s.Users(s.ctx); err != nil || len(list) != 0 {
		t.Errorf("left are %+v, %v", list, err)
	}
	eventually(t, "all is in the event log", func() bool {
		events, err := s.Events(s.ctx, 100)
		kinds := map[audit.Kind]int{}
		for _, e := range events {
			if e.By == "" || e.User != "bob" {
				t.Errorf("event %+v", e)
			}
			kinds[e.Kind]++
		}
		return err == nil && kinds[audit.UserCreated] == 1 && kinds[audit.UserDeleted] == 1 &&
			kinds[audit.UserChanged] == 4
	})
}

func second[T any](_ T, err error) error { return err }

func TestControlOfTokens(t *testing.T) {
	s := staffed(t)
	if _, err := s.AddUser(s.ctx, app.NewUser{Name: "robot", Service: true, Groups: []string{"admins"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddToken(s.ctx, "robot", app.NewToken{Title: "x", Routes: []string{"none"}}); err == nil {
		t.Error("a token for a route that is not there")
	}
	made, err := s.AddToken(s.ctx, "robot", app.NewToken{Title: "backup", Routes: []string{"app"}})
	if err != nil || !strings.HasPrefix(made.Secret, "dw_") {
		t.Fatalf("made %+v, %v", made, err)
	}
	list, err := s.Tokens(s.ctx, "robot")
	if err != nil || len(list) != 1 || list[0].Title != "backup" || list[0].ID != made.ID {
		t.Errorf("tokens %+v, %v", list, err)
	}
	if err := s.DeleteToken(s.ctx, made.ID); err != nil {
		t.Error(err)
	}
	if list, err := s.Tokens(s.ctx, "robot"); err != nil || len(list) != 0 {
		t.Errorf("left are %+v, %v", list, err)
	}
	if list, err := s.Sessions(s.ctx, ""); err != nil || len(list) != 0 {
		t.Errorf("sessions %+v, %v", list, err)
	}
	if n, err := s.EndSessions(s.ctx, "robot"); err != nil || n != 0 {
		t.Errorf("%d ended, %v", n, err)
	}
}

func TestWhy(t *testing.T) {
	s := staffed(t)
	s.added(t, app.NewUser{Name: "alice", Admin: true})
	s.added(t, app.NewUser{Name: "eve"})
	for _, c := range []struct {
		user, url string
		check     func(app.Why) bool
	}{
		{"alice", "https://app.example/x/../y", func(w app.Why) bool {
			return w.Route == "app" && w.Canonical == "/y" && w.Access == "allowed" && w.Groups["admins"] != "" &&
				slices.Equal(w.Fields, []string{"X-Who: alice"}) && w.Backend == "app" && len(w.Servers) == 1
		}},
		{"eve", "https://app.example/", func(w app.Why) bool {
			return w.Access != "allowed" && slices.Equal(w.Missing, []string{"admins"})
		}},
		{"-", "https://app.example/", func(w app.Why) bool { return w.Access == "asks to sign in" && w.User == "" }},
		{"-", "https://open.example/", func(w app.Why) bool { return strings.HasPrefix(w.Access, "allowed") }},
		{"alice", "https://other.example/", func(w app.Why) bool { return w.Access == "no route takes it" }},
		{"alice", "https://login.example/", func(w app.Why) bool { return w.Route == "sign-in" }},
	} {
		if w, err := s.Why(s.ctx, app.Question{User: c.user, URL: c.url}); err != nil || !c.check(w) {
			t.Errorf("why %s %s: %+v, %v", c.user, c.url, w, err)
		}
	}
	for _, c := range [][2]string{{"nobody", "https://app.example/"}, {"alice", "app.example"}, {"alice", "%"}} {
		if w, err := s.Why(s.ctx, app.Question{User: c[0], URL: c[1]}); err == nil {
			t.Errorf("why %v: %+v", c, w)
		}
	}
}

func TestControlWithoutSignIn(t *testing.T) {
	s := steer(t, "")
	if _, err := s.Users(s.ctx); err == nil || !strings.Contains(err.Error(), "[sign_in]") {
		t.Errorf("users of nothing: %v", err)
	}
	if _, err := s.Why(s.ctx, app.Question{User: "-", URL: "https://a.example/"}); err == nil {
		t.Error("why without sign-in")
	}
}
