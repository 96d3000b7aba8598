package app_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"doorward/app"
)

// streamed is an edge whose server sends an event and then nothing more, and a service
// with the token that opens it.
func streamed(t *testing.T, ends time.Time) (steered, io.Reader) {
	t.Helper()
	over := make(chan struct{})
	events := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-over:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(over) })
	head, client := peopleHead(t)
	s := steered{start(t, head+`
		[sign_in]
		host = "login.example"
		[[route]]
		name = "app"
		hosts = ["app.example"]
		backend = "app"
		access = { groups = ["machines"] }
		tokens = true
		[backends.app]
		servers = ["`+events+`"]
	`), client, t.Context()}
	if _, err := s.AddUser(s.ctx, app.NewUser{Name: "robot", Service: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.JoinGroup(s.ctx, "machines", "robot"); err != nil {
		t.Fatal(err)
	}
	token, err := s.AddToken(s.ctx, "robot", app.NewToken{Title: "test", Expires: ends})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://app.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token.Secret)
	a, err := s.visitor(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Body.Close() })
	if first := make([]byte, 5); a.StatusCode != http.StatusOK || second(io.ReadFull(a.Body, first)) != nil {
		t.Fatalf("%d, %q", a.StatusCode, first)
	}
	return s, a.Body
}

// cutOff wants a stream to end from our side, and not by the patience of its client.
func cutOff(t *testing.T, why string, stream io.Reader) {
	t.Helper()
	_, err := io.Copy(io.Discard, stream)
	if late := net.Error(nil); err == nil || errors.As(err, &late) && late.Timeout() {
		t.Errorf("%s: the stream ended with %v", why, err)
	}
}

// What a token has opened ends with it, though nothing else happens.
func TestStreamsEndWithTheirToken(t *testing.T) {
	_, stream := streamed(t, time.Now().Add(3*time.Second))
	cutOff(t, "the token is over", stream)
}

// So it does when a service, which has no sessions, leaves the group.
func TestStreamsOfAServiceEndWithItsGroup(t *testing.T) {
	s, stream := streamed(t, time.Time{})
	if _, err := s.LeaveGroup(s.ctx, "machines", "robot"); err != nil {
		t.Fatal(err)
	}
	cutOff(t, "the group is lost", stream)
}
