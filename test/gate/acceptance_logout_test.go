package gate_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"doorward/internal/entratest"
)

// opened is what somebody holds open over both protocols.
type opened struct {
	t      *testing.T
	closed chan string
}

// hold opens a WebSocket at one host and an event stream at another.
func (v *visitor) hold() *opened {
	v.t.Helper()
	o := &opened{v.t, make(chan string, 2)}
	socket, events := v.socket("app.example"), v.events("admin.example")
	v.t.Cleanup(func() { _ = events.Close() })
	go func() {
		_, _, _ = socket.Read(v.t.Context())
		o.closed <- "the WebSocket"
	}()
	go func() {
		_, _ = io.ReadAll(events)
		o.closed <- "the event stream"
	}()
	return o
}

// closeWithin fails the test unless both are over in time, and were not before do.
func (o *opened) closeWithin(d time.Duration, do func()) {
	o.t.Helper()
	select {
	case what := <-o.closed:
		o.t.Fatalf("%s was over before", what)
	default:
	}
	do()
	late := time.After(d)
	for range 2 {
		select {
		case <-o.closed:
		case <-late:
			o.t.Fatalf("something is open after %v", d)
		}
	}
}

// signedIn lets somebody sign in at Entra ID and open both apps.
func (h *entraHouse) signedIn(user string) *visitor {
	h.t.Helper()
	v := h.visitor(user)
	for _, host := range []string{"app", "admin"} {
		if p := v.enter("https://" + host + ".example/"); p.status != http.StatusOK {
			h.t.Fatalf("%s: %d at %s\n%s", host, p.status, p.url, p.body)
		}
	}
	return v
}

// outside fails the test unless an app sends the browser to the provider's form: neither
// here nor there anybody is signed in.
func (v *visitor) outside(provider string) {
	v.t.Helper()
	v.typed = url.Values{} // whoever fills in nothing stays at the form
	p, err := v.try("https://app.example/")
	if err == nil && strings.HasSuffix(p.url, "app.example/") {
		v.t.Errorf("still signed in: %d at %s", p.status, p.url)
	}
	if err == nil && !strings.HasPrefix(p.url, provider) {
		v.t.Errorf("not at the provider but at %s", p.url)
	}
}

// Acceptance 6: what is open closes within a second of signing out, here with the provider
// told of it, and at the provider.
func TestAcceptance06StreamsEndWithTheSession(t *testing.T) {
	entra := startEntra(t, nil)
	entra.ChangeUser(t, entraOfBob, func(u *entratest.User) { u.Groups = []string{entraAdmins} })
	h := newEntraHouse(t, entra, entraShowing)
	bob := h.signedIn(entraOfBob)
	stays := bob.hold()
	t.Run("signed_out_here", func(t *testing.T) {
		v := h.signedIn(entraOfAnn)
		v.t = t
		var last page
		v.hold().closeWithin(time.Second, func() {
			// The form ends the session; the pages of the provider that follow are not waited for.
			r, err := formOf("https://login.example/sign_out", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Origin", "https://login.example")
			if last, err = v.once(r); err != nil {
				t.Fatal(err)
			}
		})
		next, err := v.after(last)
		if err != nil || next == nil {
			t.Fatalf("nothing follows: %v\n%s", err, last.body)
		}
		if last, err = v.goOn(next); err != nil || last.status != http.StatusOK ||
			!strings.HasPrefix(last.url, "https://login.example/sign_out") {
			t.Errorf("ends at %d %s, %v", last.status, last.url, err)
		}
		asked := entra.Requests(entratest.Logout)
		if len(asked) != 1 || asked[0].Query.Get("logout_hint") == "" ||
			asked[0].Query.Get("post_logout_redirect_uri") != entraCall {
			t.Errorf("the provider was asked %+v", asked)
		}
		v.outside("https://" + entraLogin)
	})
	t.Run("signed_out_at_the_provider", func(t *testing.T) {
		v := h.signedIn(entraOfAnn)
		v.t = t
		v.hold().closeWithin(time.Second, func() {
			p := v.enter("https://" + entraLogin + "/" + entratest.TenantID + "/oauth2/v2.0/logout")
			if p.status != http.StatusOK {
				t.Errorf("%d\n%s", p.status, p.body)
			}
		})
		v.outside("https://" + entraLogin)
	})
	select {
	case what := <-stays.closed:
		t.Errorf("%s of another user is over too", what)
	default:
	}
}

// Acceptance 12: a provider that names its session, in a frame without any cookie, ends
// ours.
func TestAcceptance12FrontChannel(t *testing.T) {
	entra := startEntra(t, nil)
	entra.ChangeUser(t, entraOfBob, func(u *entratest.User) { u.Groups = []string{entraAdmins} })
	h := newEntraHouse(t, entra, entraShowing)
	ann, bob := h.signedIn(entraOfAnn), h.signedIn(entraOfBob)
	if err := ann.frame(entraFront + "?sid=00000000-0000-4000-8000-000000000000"); err != nil {
		t.Errorf("a session that is none: %v", err)
	}
	for _, v := range []*visitor{ann, bob} {
		if p := v.enter("https://app.example/"); p.hops != 0 {
			t.Error("a session ended that nobody named")
		}
	}
	frames := entra.EndSessions(t, entraOfAnn)
	if len(frames) != 1 || strings.Contains(frames[0], "iss=") {
		t.Fatalf("the frames are %q", frames)
	}
	ann.hold().closeWithin(time.Second, func() {
		if err := h.visitor("nobody").frame(frames[0]); err != nil {
			t.Error(err)
		}
	})
	ann.outside("https://" + entraLogin)
	if p := bob.enter("https://app.example/"); p.status != http.StatusOK || p.hops != 0 {
		t.Errorf("the session of another: %d after %d redirects", p.status, p.hops)
	}
}

// Acceptance 12, the other way: the provider posts a signed token when somebody signs out
// there, and our session of theirs is over.
func TestAcceptance12BackChannel(t *testing.T) {
	h := newPeerHouse(t)
	ann, bob := h.signedIn("ann"), h.signedIn("bob")
	ann.hold().closeWithin(time.Second, func() { ann.enter(h.peer.Issuer + "/session/end") })
	ann.outside(h.peer.Issuer)
	if p := bob.enter("https://app.example/"); p.status != http.StatusOK || p.hops != 0 {
		t.Errorf("the session of another: %d after %d redirects", p.status, p.hops)
	}
	for _, token := range []string{"", "x", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IifQ."} {
		a, err := (&http.Client{Transport: bob.Transport}).PostForm(
			"https://login.example/source/oauth/backchannel/peer", url.Values{"logout_token": {token}})
		if err != nil {
			t.Fatal(err)
		}
		_ = a.Body.Close()
		if a.StatusCode != http.StatusBadRequest {
			t.Errorf("the token %q: %d", token, a.StatusCode)
		}
	}
	if p := bob.enter("https://app.example/"); p.hops != 0 {
		t.Error("a token that nobody signed ends a session")
	}
}

// Acceptance 6 at the certified provider: who signs out here is signed out there.
func TestAcceptance06CertifiedProvider(t *testing.T) {
	h := newPeerHouse(t)
	v := h.signedIn("ann")
	v.hold().closeWithin(time.Second, func() {
		if p := v.signOut(); p.status != http.StatusOK ||
			!strings.HasPrefix(p.url, "https://login.example/sign_out") {
			t.Errorf("signing out ends at %d %s\n%s", p.status, p.url, p.body)
		}
	})
	v.outside(h.peer.Issuer)
}
