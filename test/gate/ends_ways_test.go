package gate_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"doorward/app"
)

// endsAs is the house for a part of a test.
func (h *lastingHouse) endsAs(t *testing.T) *lastingHouse {
	here := *h
	here.gatedHouse = &gatedHouse{h.Edge, t}
	return &here
}

// endsOpen opens a WebSocket and a download, which have to go on.
func (h *lastingHouse) endsOpen(b *browser, host string) []*lasting {
	h.t.Helper()
	all := []*lasting{openSocket(h, b, host), openAnswer("/download", "h2")(h, b, host)}
	endsStay(h.t, "what was opened just now", all)
	return all
}

func endsGone(t *testing.T, what string, all []*lasting) {
	t.Helper()
	for _, l := range all {
		if !l.ends() {
			t.Errorf("%s goes on a second later", what)
		}
	}
}

func endsStay(t *testing.T, what string, all []*lasting) {
	t.Helper()
	for _, l := range all {
		if !l.goes() {
			t.Errorf("%s has ended", what)
		}
	}
}

// People end sessions at any host, one by one, and with another password.
func TestWaysInWhichPeopleEndSessions(t *testing.T) {
	h := newLastingHouse(t, "")
	t.Run("at the host of an app, by a form alone", func(t *testing.T) {
		h := h.endsAs(t)
		bob := h.somebody("bob")
		open := h.endsOpen(bob, "staff.example")
		const there = "https://app.example/.doorward/sign_out"
		bob.open(there)
		for _, foreign := range []string{"", "https://staff.example", "null"} {
			endsForm(bob, there, foreign)
		}
		endsStay(t, "what no form of the app ended", open)
		endsForm(bob, there, "https://app.example")
		endsGone(t, "what the form ended", open)
	})
	t.Run("one of several on the account page", func(t *testing.T) {
		h := h.endsAs(t)
		first, second := h.somebody("bob"), h.somebody("bob")
		list, err := h.Sessions(t.Context(), "bob")
		if err != nil || len(list) != 2 {
			t.Fatalf("%+v, %v", list, err)
		}
		older := list[0]
		if list[1].Created.Before(older.Created) {
			older = list[1]
		}
		gone, stays := h.endsOpen(first, "app.example"), h.endsOpen(second, "app.example")
		eve := h.somebody("eve")
		eve.send("/account/sessions", url.Values{"end": {older.ID}})
		endsStay(t, "what somebody else wanted to end", gone)
		second.send("/account/sessions", url.Values{"end": {older.ID}})
		endsGone(t, "the session that was chosen", gone)
		endsStay(t, "the session that chose", stays)
	})
	t.Run("COOK-10_another_password_ends_all", func(t *testing.T) {
		h := h.endsAs(t)
		h.freshBob(t)
		here, there, eve := h.somebody("bob"), h.somebody("bob"), h.somebody("eve")
		gone := append(h.endsOpen(here, "app.example"), h.endsOpen(there, "staff.example")...)
		stays := h.endsOpen(eve, "app.example")
		p := here.send("/account/password", url.Values{
			"current": {gatePassword}, "new": {"another " + gatePassword},
			"again": {"another " + gatePassword},
		})
		if p.status != http.StatusOK {
			t.Fatalf("%d\n%s", p.status, p.body)
		}
		endsGone(t, "a session of before", gone)
		endsStay(t, "that of somebody else", stays)
		if p := here.open("https://app.example/"); p.status != http.StatusOK ||
			p.url != "https://app.example/" {
			t.Errorf("who changed it is at %s with %d", p.url, p.status)
		}
		if p := there.open("https://app.example/"); !strings.HasPrefix(p.url, "https://login.example/") {
			t.Errorf("the other browser is at %s with %d", p.url, p.status)
		}
	})
}

// endsForm sends an empty form to an address, from a page of that origin.
func endsForm(b *browser, address, origin string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	b.do(r)
}

// A stream is one request: one that stays open does not keep its session.
func TestWhatLastsDoesNotKeepASession(t *testing.T) {
	h := newLastingHouse(t, `idle = "3s"`)
	bob := h.somebody("bob")
	open := []*lasting{openSocket(h, bob, "app.example"), openAnswer("/time", "h2")(h, bob, "app.example")}
	wait(t, "the end of the session", func() bool {
		list, err := h.Sessions(t.Context(), "bob")
		return err == nil && len(list) == 0
	})
	endsGone(t, "what an idle session had open", open)
	if p := bob.open("https://app.example/"); !strings.HasPrefix(p.url, "https://login.example/") {
		t.Errorf("%d at %s", p.status, p.url)
	}
}

// A reload takes rights away, at once and over every protocol, and leaves the others.
func TestAReloadEndsWhatItForbids(t *testing.T) {
	h := newLastingHouse(t, "")
	bob := h.somebody("bob")
	gone, stays := map[string]*lasting{}, map[string]*lasting{}
	for name, open := range lastingKinds() {
		gone[name] = open(h, bob, "staff.example")
		if name != "gRPC" { // which has one host, that of those which are gone
			stays[name] = open(h, bob, "app.example")
		}
	}
	for _, all := range []map[string]*lasting{gone, stays} {
		for name, l := range all {
			if !l.goes() {
				t.Fatalf("%s does not go on", name)
			}
		}
	}
	site := h.site
	for _, of := range []string{
		`access = { groups = ["staff"] }`, "backend = \"grpc\"\n\t\t\taccess = \"any-user\"",
	} {
		before, _, _ := strings.Cut(of, "access")
		site.Text = strings.Replace(site.Text, of, before+`access = { groups = ["chiefs"] }`, 1)
	}
	if strings.Count(site.Text, "chiefs") != 2 {
		t.Fatal(site.Text)
	}
	if err := h.Edge.Reload(site); err != nil {
		t.Fatal(err)
	}
	for name, l := range gone {
		if !l.ends() {
			t.Errorf("%s goes on a second after it was forbidden", name)
		}
	}
	for name, l := range stays {
		if !l.goes() {
			t.Errorf("%s has ended, which may go on", name)
		}
	}
	if p := bob.open("https://staff.example/"); p.status != http.StatusForbidden {
		t.Errorf("staff: %d at %s", p.status, p.url)
	}
}

// What a program has opened with a token ends with the right to do so, and nothing that
// its user has opened in a browser.
func TestWhatATokenOpenedEndsWithIt(t *testing.T) {
	h := newLastingHouse(t, "")
	site := h.site
	site.Text = strings.Replace(site.Text, `hosts = ["staff.example"]`,
		"hosts = [\"staff.example\"]\ntokens = true", 1)
	if err := h.Edge.Reload(site); err != nil {
		t.Fatal(err)
	}
	bob := h.somebody("bob")
	stays := h.endsOpen(bob, "app.example")
	var over time.Time // when the last token ends
	for name, c := range map[string]struct {
		life time.Duration
		end  func(id string) error
	}{
		"the token is deleted": {0, func(id string) error { return h.DeleteToken(t.Context(), id) }},
		"its user deletes it": {0, func(id string) error {
			p := bob.send("/account/tokens", url.Values{"delete": {id}})
			if p.status != http.StatusOK {
				return fmt.Errorf("%d at %s", p.status, p.url)
			}
			return nil
		}},
		"the token is over": {4 * time.Second, func(string) error {
			wait(t, "the end of the token", func() bool { return !time.Now().Before(over) })
			return nil
		}},
		"its user leaves the group": {0, func(string) error {
			_, err := h.LeaveGroup(t.Context(), "staff", "bob")
			return err
		}},
		"the route takes no tokens any more": {0, func(string) error { return h.Edge.Reload(h.site) }},
	} {
		t.Run(name, func(t *testing.T) {
			h := h.endsAs(t)
			if err := h.Edge.Reload(site); err != nil {
				t.Fatal(err)
			}
			if _, err := h.JoinGroup(t.Context(), "staff", "bob"); err != nil {
				t.Fatal(err)
			}
			wanted := app.NewToken{Title: "t"}
			if c.life > 0 {
				over = time.Now().Add(c.life)
				wanted.Expires = over
			}
			token, err := h.AddToken(t.Context(), "bob", wanted)
			if err != nil {
				t.Fatal(err)
			}
			open := []*lasting{h.endsProgram(token.Secret, "http/1.1"), h.endsProgram(token.Secret, "h2")}
			endsStay(t, "what was opened just now", open)
			if err := c.end(token.ID); err != nil {
				t.Fatal(err)
			}
			endsGone(t, "what the token opened", open)
		})
	}
	endsStay(t, "what the user opened in a browser", stays)
}

// endsProgram is an answer that lasts, for a program with a token.
func (h *lastingHouse) endsProgram(secret, protocol string) *lasting {
	h.t.Helper()
	transport := h.browser().Transport.(*http.Transport).Clone()
	transport.ForceAttemptHTTP2 = protocol == "h2"
	transport.TLSClientConfig.NextProtos = []string{protocol}
	h.t.Cleanup(transport.CloseIdleConnections)
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet,
		"https://staff.example/time", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	a, err := transport.RoundTrip(r)
	if err != nil || a.StatusCode != http.StatusOK || (a.ProtoMajor == 2) != (protocol == "h2") {
		h.t.Fatalf("%+v, %v", a, err)
	}
	h.t.Cleanup(func() { _ = a.Body.Close() })
	lines := bufio.NewReader(a.Body)
	return &lasting{
		pieces: pieces(h.t.Context(), func() (string, error) { return lines.ReadString('\n') }),
	}
}
