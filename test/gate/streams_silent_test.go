package gate_test

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"doorward/internal/edgetest"
)

// Requests of a session end with it within a second although their clients do nothing:
// those that read nothing hold up neither the end of the others nor their own server.
// Those of another session go on.
func TestWhatNobodyReadsEndsWithItsSession(t *testing.T) {
	for _, scheme := range []string{"http", "h2c"} {
		t.Run(scheme, func(t *testing.T) {
			kinds := streamsKinds()
			if scheme == "h2c" { // where nothing is upgraded
				maps.DeleteFunc(kinds, func(name string, _ streamsKind) bool {
					return strings.HasPrefix(name, "a WebSocket")
				})
			}
			endsUnread(t, newStreamsHouse(t, scheme), kinds)
		})
	}
}

func endsUnread(t *testing.T, h *streamsHouse, kinds map[string]streamsKind) {
	alice := h.administrator()
	alice.open("https://app.example/")
	other := h.browser()
	if p := other.signIn("https://app.example/", "alice", gatePassword); p.status != http.StatusOK {
		t.Fatalf("%d at %s", p.status, p.url)
	}
	ended := map[string]func() bool{}
	for name, open := range kinds {
		ended[name] = open(h, alice, "mine: "+name)
		open(h, other, "theirs: "+name)
	}
	alice.send("/sign_out", url.Values{})
	late, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	for name := range ended {
		select {
		case <-h.server.life("mine: " + name).over:
		case <-late.Done():
			t.Errorf("%s: the server is at work a second after the sign-out", name)
		}
	}
	for name, end := range ended {
		if !end() {
			t.Errorf("%s: the client is not told", name)
		}
		if h.server.life("theirs: " + name).isOver() {
			t.Errorf("%s of another session has ended", name)
		}
	}
}

// Two sessions may share a connection, behind a proxy of a company for example: of what
// it carries, what belongs to the one ends, and nothing else.
func TestSessionsOnOneConnectionEndAlone(t *testing.T) {
	h := newStreamsHouse(t, "http")
	alice := h.administrator()
	alice.open("https://app.example/")
	other := h.browser()
	if p := other.signIn("https://app.example/", "alice", gatePassword); p.status != http.StatusOK {
		t.Fatalf("%d at %s", p.status, p.url)
	}
	f := h.DialHTTP2(t, "app.example")
	streamsAsk(f, 1, "POST", "/upload?id=mine", alice.cookies("app.example"))
	streamsAsk(f, 3, "POST", "/upload?id=theirs", other.cookies("app.example"))
	mine, theirs := h.server.life("mine"), h.server.life("theirs")
	mine.works(t, "mine")
	theirs.works(t, "theirs")
	alice.send("/sign_out", url.Values{})
	_ = f.Conn().SetDeadline(time.Now().Add(time.Second))
	if r, err := f.TryWait(1); err != nil || !r.Reset {
		t.Fatalf("a second after the sign-out its stream is %+v, %v", r, err)
	}
	_ = f.Conn().SetDeadline(time.Now().Add(edgetest.Patience))
	before := theirs.moved.Load()
	f.Data(3, false, "more")
	wait(t, "what the other session sends", func() bool { return theirs.moved.Load() > before })
	own := "cookie: " + other.cookies("app.example")
	if r := f.Ask(5, edgetest.Get("app.example", "/", own)...); r.Status != "200" || f.GoAway != nil {
		t.Errorf("another request on the connection gets %q, GOAWAY %v", r.Status, f.GoAway)
	}
	gone := "cookie: " + alice.cookies("app.example")
	if r := f.Ask(7, edgetest.Get("app.example", "/", gone)...); r.Status == "200" {
		t.Error("the session that is over opens the app")
	}
}
