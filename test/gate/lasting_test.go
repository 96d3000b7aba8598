package gate_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"doorward/app"
)

// lastingKinds are all ways in which an answer lasts.
func lastingKinds() map[string]func(*lastingHouse, *browser, string) *lasting {
	return map[string]func(*lastingHouse, *browser, string) *lasting{
		"WebSocket over HTTP/1.1": openSocket,
		"WebSocket over HTTP/2":   openStreamSocket,
		"gRPC":                    openCall,
		"events over HTTP/1.1":    openAnswer("/time", "http/1.1"),
		"events over HTTP/2":      openAnswer("/time", "h2"),
		"download over HTTP/1.1":  openAnswer("/download", "http/1.1"),
		"download over HTTP/2":    openAnswer("/download", "h2"),
	}
}

// Whatever was opened with a session ends with it within a second, and nothing of any
// other session does.
func TestWhatLastsEndsWithItsSession(t *testing.T) {
	h := newLastingHouse(t, "")
	bob, eve := h.somebody("bob"), h.somebody("eve")
	mine, theirs := map[string]*lasting{}, map[string]*lasting{}
	for name, open := range lastingKinds() {
		mine[name], theirs[name] = open(h, bob, "app.example"), open(h, eve, "app.example")
		if !mine[name].goes() || !theirs[name].goes() {
			t.Fatalf("%s does not go on", name)
		}
	}
	bob.send("/sign_out", url.Values{})
	for name, l := range mine {
		if !l.ends() {
			t.Errorf("%s goes on a second after the sign-out", name)
		}
	}
	for name, l := range theirs {
		if !l.goes() {
			t.Errorf("%s of somebody else has ended", name)
		}
	}
}

// There are more ways to lose a session than to sign out of it.
func TestEveryWayOutOfASession(t *testing.T) {
	h := newLastingHouse(t, "")
	eve := h.somebody("eve")
	for name, end := range map[string]func(t *testing.T, b *browser) error{
		"the session is ended at the control socket": func(t *testing.T, _ *browser) error {
			list, err := h.Sessions(t.Context(), "bob")
			if err != nil {
				return err
			}
			return h.EndSession(t.Context(), list[0].ID)
		},
		"all of the user are": func(t *testing.T, _ *browser) error {
			_, err := h.EndSessions(t.Context(), "bob")
			return err
		},
		"the user is disabled": func(t *testing.T, _ *browser) error {
			_, err := h.SetUserState(t.Context(), "bob", "disabled")
			return err
		},
		"the user gets another password": func(t *testing.T, _ *browser) error {
			_, err := h.SetPassword(t.Context(), "bob", gatePassword+"!")
			return err
		},
		"the user is deleted": func(t *testing.T, _ *browser) error {
			return h.DeleteUser(t.Context(), "bob")
		},
		"the user ends it on the account page": func(_ *testing.T, b *browser) error {
			other := h.somebody("bob")
			other.send("/account/sessions", url.Values{"end": {"others"}})
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			h.freshBob(t)
			here := *h
			here.gatedHouse = &gatedHouse{h.Edge, t}
			bob := here.somebody("bob")
			socket, download := openSocket(h, bob, "app.example"),
				openAnswer("/download", "h2")(h, bob, "staff.example")
			stays := openSocket(h, &browser{eve.Client, t, eve.host}, "app.example")
			if !socket.goes() || !download.goes() || !stays.goes() {
				t.Fatal("something does not go on")
			}
			if err := end(t, bob); err != nil {
				t.Fatal(err)
			}
			if !socket.ends() || !download.ends() {
				t.Error("an answer goes on a second later")
			}
			if !stays.goes() {
				t.Error("that of somebody else has ended")
			}
			if p := bob.open("https://app.example/"); !strings.HasPrefix(p.url, "https://login.example/") {
				t.Errorf("the app opens: %d at %s", p.status, p.url)
			}
		})
	}
}

// freshBob makes the user bob anew.
func (h *lastingHouse) freshBob(t *testing.T) {
	t.Helper()
	_ = h.DeleteUser(t.Context(), "bob") // who may be deleted already
	if _, err := h.AddUser(t.Context(), app.NewUser{
		Name: "bob", Password: gatePassword, Groups: []string{"staff"},
	}); err != nil {
		t.Fatal(err)
	}
}

// Who leaves a group keeps the session, and what it may still open.
func TestWhoLeavesAGroupLosesItsStreamsAlone(t *testing.T) {
	h := newLastingHouse(t, "")
	bob := h.somebody("bob")
	everybody, staff := openSocket(h, bob, "app.example"), openSocket(h, bob, "staff.example")
	if !everybody.goes() || !staff.goes() {
		t.Fatal("something does not go on")
	}
	if _, err := h.LeaveGroup(t.Context(), "staff", "bob"); err != nil {
		t.Fatal(err)
	}
	if !staff.ends() {
		t.Error("the WebSocket of the group goes on a second later")
	}
	if !everybody.goes() {
		t.Error("the one for everybody has ended")
	}
	if p := bob.open("https://staff.example/"); p.status != http.StatusForbidden {
		t.Errorf("staff: %d at %s", p.status, p.url)
	}
	if p := bob.open("https://app.example/"); p.status != http.StatusOK || p.hops != 0 {
		t.Errorf("app: %d at %s", p.status, p.url)
	}
}

// A session ends by itself, and what it opened with it.
func TestWhatLastsEndsWhenTheSessionIsTooOld(t *testing.T) {
	h := newLastingHouse(t, `lifetime = "4s"`)
	bob := h.somebody("bob")
	socket, call := openSocket(h, bob, "app.example"), openCall(h, bob, "")
	if !socket.goes() || !call.goes() {
		t.Fatal("something does not go on")
	}
	wait(t, "the end of the session", func() bool {
		list, err := h.Sessions(t.Context(), "bob")
		return err == nil && len(list) == 0
	})
	if !socket.ends() || !call.ends() {
		t.Error("an answer goes on a second after the session's end")
	}
}
