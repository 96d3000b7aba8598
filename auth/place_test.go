package auth_test

import (
	"strings"
	"testing"

	"doorward/auth"
	"doorward/auth/policy"
)

// Where HTTPS has another port than usual, whoever comes over plain HTTP is sent there,
// whatever port that came to.
func TestPlainHTTPLeadsToThePortOfHTTPS(t *testing.T) {
	for host, want := range map[string]string{
		"login.example.com":      "https://" + wiki,
		"login.example.com:443":  "https://" + wiki,
		"login.example.com:8443": "https://" + wiki + ":8443",
	} {
		h := newHouse(t, func(s *auth.Shared) { s.Host = host })
		for _, named := range []string{wiki, wiki + ":80", wiki + ":8080"} {
			for _, target := range []string{"/page?a=1", "/.doorward/whoami"} {
				a := browse(request("GET", target))
				a.plain, a.host = true, named
				got := h.do(h.gate(anyUser), a)
				if got.StatusCode != 307 || got.Header.Get("Location") != want+target {
					t.Errorf("%s, sign-in at %s: %d %q", named+target, host, got.StatusCode,
						got.Header.Get("Location"))
				}
			}
		}
	}
}

// A note about a refusal over plain HTTP links to the page that says why.
func TestPlainNotesLinkToThePortOfHTTPS(t *testing.T) {
	h := newHouse(t, func(s *auth.Shared) { s.Host = "login.example.com:8443" })
	a := embedded("iframe")
	a.plain, a.host = true, wiki+":8080"
	got := h.do(h.gate(policy.Options{AnyUser: true, Methods: []string{"PUT"}}), a)
	wants(t, got, 403, `href="https://`+wiki+`:8443/page?a=1"`)
}

func wants(t *testing.T, a *answer, status int, text string) {
	t.Helper()
	if a.Response == nil || a.StatusCode != status || !strings.Contains(a.body, text) {
		t.Errorf("no %q in %+v\n%s", text, a.Response, a.body)
	}
}
