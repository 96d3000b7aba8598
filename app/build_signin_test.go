package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// signInSite is a place where people sign in, with more of the configuration in front of
// and behind the section.
func signInSite(t *testing.T, before, more string) string {
	t.Helper()
	head, _ := peopleHead(t)
	return head + before + `
		[sign_in]
		host = "login.example"
		[[sign_in.provider]]
		name = "corp"
		type = "oidc"
		issuer = "http://127.0.0.1:1"
		client_id = "x"
		client_secret = "y"
	` + more + `
		[[route]]
		name = "api"
		hosts = ["api.example"]
		access = "any-user"
		respond = { body = "api" }
		bearer = [{ provider = "corp", audiences = ["api"] }]
	`
}

// A mistake in sign-in is told as one, and the reload leaves what there was.
func TestReloadsThatSignInRefuses(t *testing.T) {
	const secret = `[state]
		secret = "5b1f0a7c9d3e2846f7a0b9c8d1e2f3a45b1f0a7c9d3e2846f7a0b9c8d1e2f3a4"
	`
	e := start(t, signInSite(t, "", ""))
	noCA := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(noCA, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string]string{
		"no certificate in it":   signInSite(t, "", `ca_file = "`+noCA+`"`),
		"cannot change while":    signInSite(t, secret, ""),
		"no such file":           signInSite(t, "[brand]\nlogo = \"/none.svg\"\n", ""),
		"state.secret: the secr": signInSite(t, secret, ""),
	} {
		e.write(text)
		_, err := e.Reload()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "panic") {
			t.Errorf("reloaded with %v, want an error with %q", err, want)
		}
	}
	e.mustReload(signInSite(t, "", ""))
}
