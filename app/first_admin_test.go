package app_test

import (
	"io"
	"net/http"
	"regexp"
	"testing"

	"doorward/app"
)

// The link for the first administrator, which the log has, is good for nobody once there
// is one: whoever reads the log later gets nothing.
func TestTheLinkInTheLogEndsWithTheFirstAdministrator(t *testing.T) {
	s := staffed(t)
	code := regexp.MustCompile(`/setup\?code=[A-Za-z0-9_-]+`).FindString(s.logged(t))
	if code == "" {
		t.Fatal("no link in the log")
	}
	status := func() int {
		a, err := s.visitor(t).Get("https://login.example" + code)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		_, _ = io.Copy(io.Discard, a.Body)
		return a.StatusCode
	}
	service := app.NewUser{Name: "robot", Service: true, Admin: true}
	if _, err := s.AddUser(s.ctx, service); err != nil || status() != http.StatusOK {
		t.Errorf("with a service: %d, %v", status(), err)
	}
	if _, err := s.AddUser(s.ctx, app.NewUser{Name: "alice", Admin: true}); err != nil {
		t.Fatal(err)
	}
	if got := status(); got != http.StatusNotFound {
		t.Errorf("with an administrator: %d, want 404", got)
	}
}
