package gate_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// domainSite shares one cookie below corp.example, and has a host outside.
func domainSite(server string) edgetest.Config {
	var routes strings.Builder
	for _, host := range []string{"a.corp.example", "b.corp.example", "other.example"} {
		routes.WriteString("[[route]]\nhosts = [\"" + host + "\"]\nbackend = \"app\"\n" +
			"access = \"any-user\"\nidentity_headers = \"remote-user\"\n")
	}
	return edgetest.Config{TLS: `internal = ["*.example", "*.corp.example"]`, Text: `
		[sign_in]
		host = "login.corp.example"
		cookie = "domain"
		cookie_domain = "corp.example"
		[backends.app]
		servers = ["` + server + `"]
	` + routes.String()}
}

// given are the cookies that the answers on the way to an address give.
func (b *browser) given(address string) []*http.Cookie {
	b.t.Helper()
	watched := &watchedTransport{RoundTripper: b.Transport}
	before := b.Transport
	b.Transport = watched
	defer func() { b.Transport = before }()
	b.open(address)
	return watched.given
}

// watchedTransport keeps the cookies of answers.
type watchedTransport struct {
	http.RoundTripper
	given []*http.Cookie
}

func (w *watchedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	a, err := w.RoundTripper.RoundTrip(r)
	if err == nil {
		w.given = append(w.given, a.Cookies()...)
	}
	return a, err
}

// One cookie for a domain opens its hosts without a redirect, goes to no server, and is
// no key to a host outside, which has one of its own.
func TestOneCookieForADomain(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(tellHead))
	t.Cleanup(server.Close)
	h := &gatedHouse{edgetest.Start(t, domainSite(server.URL)), t}
	b := h.browser()
	b.host = "login.corp.example"
	h.makeAdministrator(b)
	for _, host := range []string{"a.corp.example", "b.corp.example"} {
		p := b.open("https://" + host + "/x")
		if p.status != http.StatusOK || p.hops != 0 || !strings.Contains(p.body, "Remote-User: alice\r\n") {
			t.Errorf("%s: %d after %d redirects\n%s", host, p.status, p.hops, p.body)
		}
		if strings.Contains(p.body, "Cookie") {
			t.Errorf("the server of %s gets our cookie\n%s", host, p.body)
		}
	}
	wantCookie(t, b, "a.corp.example", "__Secure-doorward")
	wantNoCookie(t, b, "other.example")

	// The host outside: no cookie reaches it, so it asks, and gets one of its own.
	given := b.given("https://other.example/")
	wantCookie(t, b, "other.example", "__Host-doorward")
	for _, c := range given {
		if c.Domain != "" {
			t.Errorf("a host outside gives %v", c)
		}
	}
	b.send("/sign_out", url.Values{})
	for _, host := range []string{"a.corp.example", "b.corp.example", "other.example"} {
		if p := b.open("https://" + host + "/"); !strings.HasPrefix(p.url, "https://login.corp.example/") {
			t.Errorf("%s after the sign-out: %d at %s", host, p.status, p.url)
		}
	}
}

// What browsers are told of our cookies, in both ways to keep them.
func TestAttributesOfTheSessionCookie(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(tellHead))
	t.Cleanup(server.Close)
	for name, c := range map[string]struct {
		site              edgetest.Config
		login, app        string
		cookie, ofADomain string
	}{
		"host": {gatedSite(server.URL, ""), "login.example", "https://app.example/",
			"__Host-doorward", ""},
		"domain": {domainSite(server.URL), "login.corp.example", "https://a.corp.example/",
			"__Secure-doorward", "corp.example"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &gatedHouse{edgetest.Start(t, c.site), t}
			first := h.browser()
			first.host = c.login
			h.makeAdministrator(first)
			b := h.browser()
			b.host = c.login
			watched := &watchedTransport{RoundTripper: b.Transport}
			b.Transport = watched
			if p := b.signIn(c.app, "alice", gatePassword); p.status != http.StatusOK {
				t.Fatalf("%d at %s", p.status, p.url)
			}
			seen := 0
			for _, got := range watched.given {
				if !got.Secure || !got.HttpOnly || got.SameSite != http.SameSiteLaxMode || got.Path != "/" {
					t.Errorf("a cookie %v", got)
				}
				if got.Name != c.cookie || got.Value == "" {
					continue
				}
				seen++
				if got.Domain != c.ofADomain || got.MaxAge != 0 || len(got.Value) > 60 {
					t.Errorf("the session's cookie %v", got)
				}
			}
			if seen == 0 {
				t.Error("no cookie of a session was given")
			}
		})
	}
}

func wantCookie(t *testing.T, b *browser, host, name string) {
	t.Helper()
	if !strings.Contains(b.cookies(host), name+"=") {
		t.Errorf("%s gets the cookies %q, want %s", host, b.cookies(host), name)
	}
}

func wantNoCookie(t *testing.T, b *browser, host string) {
	t.Helper()
	if got := b.cookies(host); got != "" {
		t.Errorf("%s gets the cookies %q", host, got)
	}
}
