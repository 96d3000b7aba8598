package app_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"doorward/app"
	"doorward/auth/audit"
)

const gated = "https://app.example/"

func TestControlInvitationGivesAPasswordOnce(t *testing.T) {
	s := staffed(t)
	first, err := s.AddUser(s.ctx, app.NewUser{Name: "bob", Admin: true})
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.InviteUser(s.ctx, "bob")
	if err != nil {
		t.Fatal(err)
	}
	if status := s.visitor(t).take(first.Link); status < 400 {
		t.Errorf("the link before: %d", status)
	}
	v := s.visitor(t)
	if status := v.take(made.Link); status != http.StatusOK || v.get(gated) != http.StatusOK {
		t.Fatalf("the link: %d, and then %d", status, v.get(gated))
	}
	if status := s.visitor(t).take(made.Link); status < 400 {
		t.Errorf("the link again: %d", status)
	}
	list, err := s.Sessions(s.ctx, "bob")
	if err != nil || len(list) != 1 || list[0].Provider != "local" || list[0].User != "bob" ||
		list[0].Client != "127.0.0.1" || time.Since(list[0].Created) > patience {
		t.Errorf("sessions %+v, %v", list, err)
	}
	if u, err := s.User(s.ctx, "bob"); err != nil || u.Sessions != 1 || u.SignedIn.IsZero() ||
		!slices.Equal(u.Providers, []string{"local"}) {
		t.Errorf("user %+v, %v", u, err)
	}
}

func TestControlEndsSessions(t *testing.T) {
	for name, end := range map[string]func(s steered, id string) error{
		"by ID":     func(s steered, id string) error { return s.EndSession(s.ctx, id) },
		"of a user": func(s steered, _ string) error { return second(s.EndSessions(s.ctx, "bob")) },
		"deleted":   func(s steered, _ string) error { return s.DeleteUser(s.ctx, "bob") },
		"another password": func(s steered, _ string) error {
			return second(s.SetPassword(s.ctx, "bob", "another "+goodPassword))
		},
		"disabled": func(s steered, _ string) error {
			return second(s.SetUserState(s.ctx, "bob", "disabled"))
		},
		"disabled for a moment": func(s steered, _ string) error {
			if _, err := s.SetUserState(s.ctx, "bob", "disabled"); err != nil {
				return err
			}
			return second(s.SetUserState(s.ctx, "bob", "active"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := staffed(t)
			s.added(t, app.NewUser{Name: "bob", Admin: true})
			s.added(t, app.NewUser{Name: "eve", Admin: true})
			mine, others := s.visitor(t), s.visitor(t)
			if !mine.signIn("bob", goodPassword) || !others.signIn("eve", goodPassword) {
				t.Fatal("nobody gets in")
			}
			if status := mine.get(gated); status != http.StatusOK {
				t.Fatalf("before: %d", status)
			}
			list, err := s.Sessions(s.ctx, "bob")
			if err != nil || len(list) != 1 {
				t.Fatalf("sessions %+v, %v", list, err)
			}
			if err := end(s, list[0].ID); err != nil {
				t.Fatal(err)
			}
			if status := mine.get(gated); status == http.StatusOK {
				t.Error("the session goes on")
			}
			if status := others.get(gated); status != http.StatusOK {
				t.Errorf("that of another user: %d", status)
			}
			all, err := s.Sessions(s.ctx, "")
			if err != nil || len(all) != 1 || all[0].User != "eve" {
				t.Errorf("left are %+v, %v", all, err)
			}
		})
	}
}

func TestControlOfPasswords(t *testing.T) {
	s := staffed(t)
	s.added(t, app.NewUser{Name: "bob"})
	const other = "seventeen lazy badgers dig"
	if _, err := s.SetPassword(s.ctx, "bob", other); err != nil {
		t.Fatal(err)
	}
	if s.visitor(t).signIn("bob", goodPassword) || !s.visitor(t).signIn("bob", other) {
		t.Error("the new password is not the one")
	}
	_, err := s.SetPassword(s.ctx, "bob", "bob")
	refused(t, "a short one", err, "not a good password")
	if !s.visitor(t).signIn("bob", other) {
		t.Error("a refusal has changed the password")
	}
	_, err = s.AddUser(s.ctx, app.NewUser{Name: "eve", Password: "eve"})
	refused(t, "a user with a short one", err, "not a good password")
	_, err = s.User(s.ctx, "eve")
	refused(t, "the user who was refused", err, "no such user")
	_, err = s.AddUser(s.ctx, app.NewUser{Name: "robot", Service: true, Password: goodPassword})
	refused(t, "a service with one", err, "is a service")
	status, text := s.ask(t, "POST", "/users/bob/password", `{"password":"short"}`)
	if status != http.StatusUnprocessableEntity {
		t.Errorf("%d %s, want 422", status, text)
	}
}

func TestControlWithoutLocalUsers(t *testing.T) {
	s := staffed(t)
	s.write(strings.Replace(s.text(t), `host = "login.example"`, `host = "login.example"
		local_users = false
		[[sign_in.provider]]
		name = "corp"
		type = "github"
		client_id = "x"
		client_secret = "y"
		onboarding = "off"`, 1))
	if _, err := s.App.Reload(); err != nil {
		t.Fatal(err)
	}
	made, err := s.AddUser(s.ctx, app.NewUser{Name: "bob"})
	if err != nil || made.Link != "" {
		t.Errorf("made %+v, %v; want no link", made, err)
	}
	_, err = s.InviteUser(s.ctx, "bob")
	refused(t, "a link", err, "local_users is false")
	_, err = s.SetPassword(s.ctx, "bob", goodPassword)
	refused(t, "a password", err, "local_users is false")
}

func TestControlApprovesThoseWhoWait(t *testing.T) {
	s := staffed(t)
	s.added(t, app.NewUser{Name: "bob", Admin: true})
	_, err := s.ApproveUser(s.ctx, "bob")
	refused(t, "one who is in", err, "not pending but active")
	if err := s.Await(s.ctx, "bob"); err != nil {
		t.Fatal(err)
	}
	if s.visitor(t).signIn("bob", goodPassword) {
		t.Error("one who waits gets in")
	}
	_, err = s.InviteUser(s.ctx, "bob")
	refused(t, "a link for one who waits", err, "is pending")
	if u, err := s.ApproveUser(s.ctx, "bob"); err != nil || u.State != "active" {
		t.Errorf("approved: %+v, %v", u, err)
	}
	if !s.visitor(t).signIn("bob", goodPassword) {
		t.Error("one who was approved does not get in")
	}
	if _, err := s.SetUserState(s.ctx, "bob", "disabled"); err != nil {
		t.Fatal(err)
	}
	_, err = s.ApproveUser(s.ctx, "bob")
	refused(t, "one who is disabled", err, "not pending but disabled")
}

func TestControlOfGroups(t *testing.T) {
	s := staffed(t)
	s.added(t, app.NewUser{Name: "bob"})
	if g, err := s.AddGroup(s.ctx, "a/b c"); err != nil || g.Configured || len(g.Members) != 0 {
		t.Errorf("made %+v, %v", g, err)
	}
	if _, err := s.AddGroup(s.ctx, "a/b c"); err != nil {
		t.Errorf("one that is there: %v", err)
	}
	if _, err := s.JoinGroup(s.ctx, "a/b c", "bob"); err != nil {
		t.Fatal(err)
	}
	g, err := s.Group(s.ctx, "a/b c")
	want := map[string]string{"bob": "member in the store"}
	if err != nil || !slices.Equal(g.Members, []string{"bob"}) || !maps.Equal(g.Sources, want) {
		t.Errorf("group %+v, %v", g, err)
	}
	if g, err := s.Group(s.ctx, "named"); err != nil || !g.Configured ||
		g.Sources["bob"] != "the configuration names the user" {
		t.Errorf("one of the configuration: %+v, %v", g, err)
	}
	_, err = s.LeaveGroup(s.ctx, "named", "bob")
	refused(t, "leaving one of the configuration", err, "the configuration names the user")
	refused(t, "deleting it", s.DeleteGroup(s.ctx, "named"), "[groups.named]")
	_, err = s.LeaveGroup(s.ctx, "nam", "bob")
	refused(t, "leaving none", err, `did you mean "named"?`)
	_, err = s.AddGroup(s.ctx, "a|b")
	refused(t, "a name with a separator", err, "'|'")
	_, err = s.AddUser(s.ctx, app.NewUser{Name: "eve", Groups: []string{"name"}})
	refused(t, "a user in none", err, `did you mean "named"?`)
	if err := s.DeleteGroup(s.ctx, "a/b c"); err != nil {
		t.Fatal(err)
	}
	if u, err := s.User(s.ctx, "bob"); err != nil || u.Groups["a/b c"] != "" {
		t.Errorf("a member of what is gone: %+v, %v", u, err)
	}
	refused(t, "deleting it again", s.DeleteGroup(s.ctx, "a/b c"), "no such group")
}

func TestControlTokensOpenRoutes(t *testing.T) {
	s := staffed(t)
	if _, err := s.AddUser(s.ctx, app.NewUser{Name: "robot", Service: true, Admin: true}); err != nil {
		t.Fatal(err)
	}
	made, err := s.AddToken(s.ctx, "robot", app.NewToken{Title: "backup", Routes: []string{"app"}})
	if err != nil {
		t.Fatal(err)
	}
	v := s.visitor(t)
	if status, body := v.ask("GET", gated, nil, made.Secret); status != 200 || body != "web1" {
		t.Errorf("with the token: %d %q", status, body)
	}
	all, err := s.Tokens(s.ctx, "")
	if err != nil || len(all) != 1 || all[0].Name != "robot" || all[0].LastUsed.IsZero() {
		t.Errorf("tokens %+v, %v", all, err)
	}
	for what, test := range map[string]struct {
		asked app.NewToken
		want  string
	}{
		"no title":         {app.NewToken{Title: " "}, "needs a title"},
		"over already":     {app.NewToken{Title: "x", Expires: time.Unix(1, 0)}, "would have ended"},
		"no such route":    {app.NewToken{Title: "x", Routes: []string{"ap"}}, `did you mean "app"?`},
		"takes no tokens":  {app.NewToken{Title: "x", Routes: []string{"open"}}, "takes no tokens"},
		"one is not there": {app.NewToken{Title: "x", Routes: []string{"app", "z"}}, "no such route"},
	} {
		_, err := s.AddToken(s.ctx, "robot", test.asked)
		refused(t, what, err, test.want)
	}
	if err := s.DeleteToken(s.ctx, made.ID); err != nil {
		t.Fatal(err)
	}
	if status, _ := v.ask("GET", gated, nil, made.Secret); status != http.StatusUnauthorized {
		t.Errorf("with a token that was deleted: %d", status)
	}
}

// TestControlLeavesNoSecrets looks for what opens doors in the log and in the events.
func TestControlLeavesNoSecrets(t *testing.T) {
	s := staffed(t)
	s.added(t, app.NewUser{Name: "bob"})
	made, err := s.InviteUser(s.ctx, "bob")
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.AddToken(s.ctx, "bob", app.NewToken{Title: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetPassword(s.ctx, "bob", "another "+goodPassword); err != nil {
		t.Fatal(err)
	}
	var events []audit.Event
	eventually(t, "the last change is an event", func() bool {
		events, err = s.Events(s.ctx, 100)
		return err == nil && len(events) > 0 &&
			events[len(events)-1].Kind == audit.PasswordChanged
	})
	_, users := s.ask(t, "GET", "/users", "")
	_, tokens := s.ask(t, "GET", "/tokens", "")
	said := s.logged(t) + fmt.Sprint(events) + users + tokens
	_, code, _ := strings.Cut(made.Link, "code=")
	for what, secret := range map[string]string{
		"password": goodPassword, "link": code, "token": token.Secret, "hash": "$argon2",
	} {
		if secret == "" || strings.Contains(said, secret) {
			t.Errorf("a %s is told: %q in\n%s", what, secret, said)
		}
	}
	for _, e := range events {
		if e.By != asker(t) {
			t.Errorf("%+v is not said to be by %s", e, asker(t))
		}
	}
	if last, err := s.Events(s.ctx, 1); err != nil || len(last) != 1 ||
		last[0].Kind != audit.PasswordChanged {
		t.Errorf("the last event: %+v, %v", last, err)
	}
	if status, text := s.ask(t, "GET", "/events?limit=0", ""); status != 400 {
		t.Errorf("no events: %d %s", status, text)
	}
}
