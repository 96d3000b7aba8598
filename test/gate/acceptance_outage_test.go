package gate_test

import (
	"net/http"
	"strings"
	"testing"

	"doorward/internal/entratest"
)

// serves fails the test unless what is public is served.
func (h *entraHouse) serves(t *testing.T) {
	t.Helper()
	for _, address := range []string{"https://open.example/", "https://app.example/healthz"} {
		if p := h.browser().open(address); p.status != http.StatusOK || p.url != address {
			t.Errorf("%s: %d at %s", address, p.status, p.url)
		}
	}
}

// explains fails the test unless a browser that wants to sign in reads why it cannot, at
// the sign-in host.
func (v *visitor) explains(t *testing.T) {
	t.Helper()
	p := v.enter("https://app.example/x?y=1")
	if p.status != http.StatusServiceUnavailable && p.status != http.StatusBadGateway ||
		!strings.HasPrefix(p.url, "https://login.example/") ||
		!strings.Contains(p.body, "Microsoft") || !strings.Contains(p.body, "cannot be reached") {
		t.Errorf("the page: %d at %s\n%s", p.status, p.url, p.body)
	}
	if !strings.Contains(p.body, "return=https%3A%2F%2Fapp.example%2Fx%3Fy%3D1") {
		t.Errorf("no way to try again for the same address\n%s", p.body)
	}
}

// comesIn waits until somebody can sign in.
func (v *visitor) comesIn(t *testing.T) {
	t.Helper()
	wait(t, "signing in", func() bool {
		p, err := v.try("https://app.example/x?y=1")
		return err == nil && p.status == http.StatusOK && p.url == "https://app.example/x?y=1"
	})
}

// Acceptance 10: an edge whose provider is down starts, serves what is public, says why
// nobody can sign in, and lets people sign in once the provider is there.
func TestAcceptance10ProviderDownAtTheStart(t *testing.T) {
	entra := startEntra(t, nil)
	entra.Stop()
	h := newEntraHouseInTheDark(t, entra, "local_users = false\n", entraShowing)
	h.serves(t)
	v := h.visitor(entraOfAnn)
	wait(t, "the attempt to reach the provider", func() bool {
		return strings.Contains(h.Log(), "provider is not available")
	})
	v.explains(t)
	h.again()
	v.comesIn(t)
	h.serves(t)
}

// Beside it people with a password here sign in, and see what is wrong with the button.
func TestAcceptance10PasswordsBesideAProviderThatIsDown(t *testing.T) {
	entra := startEntra(t, nil)
	entra.Stop()
	h := newEntraHouseInTheDark(t, entra, "local_users = true\n", entraShowing)
	h.administrator()
	b := h.browser()
	p := b.open("https://app.example/")
	if !strings.Contains(p.body, "Microsoft") || !strings.Contains(p.body, `name="password"`) ||
		!strings.Contains(p.body, "Try anyway") {
		t.Errorf("the sign-in page: %d\n%s", p.status, p.body)
	}
	if p := b.signIn("https://app.example/", "alice", gatePassword); p.status != http.StatusOK {
		t.Errorf("with a password: %d at %s", p.status, p.url)
	}
	h.again()
	h.visitor(entraOfAnn).choose(t)
}

// choose signs in by the button, once it is one.
func (v *visitor) choose(t *testing.T) {
	t.Helper()
	wait(t, "signing in by the button", func() bool {
		p, err := v.try("https://login.example/sign_in/with/azure-ad?return=/account")
		return err == nil && p.status == http.StatusOK && p.url == "https://login.example/account"
	})
}

// Acceptance 10, later: a provider that goes down keeps nobody out who is in, and what is
// public is served, over a reload as well.
func TestAcceptance10ProviderDownLater(t *testing.T) {
	entra := startEntra(t, nil)
	h := newEntraHouse(t, entra, entraShowing)
	ann := h.signedIn(entraOfAnn)
	stays := func(when string) {
		t.Helper()
		h.serves(t)
		if p := ann.enter("https://app.example/"); p.status != http.StatusOK || p.hops != 0 {
			t.Errorf("%s: %d after %d redirects", when, p.status, p.hops)
		}
	}
	bob := h.visitor(entraOfBob)
	entra.Fail(entratest.TokenPart, entratest.Fault{Break: true})
	bob.explains(t)
	entra.Heal()
	bob.comesIn(t)
	entra.Stop()
	stays("while it is down")
	site := h.site(entraShowing)
	site.Text += "\n[timeouts]\nclient = \"20s\"\n"
	if err := h.Reload(site); err != nil {
		t.Fatal(err)
	}
	stays("after a reload")
	h.again()
	h.visitor(entraOfBob).comesIn(t)
	stays("afterwards")
}
