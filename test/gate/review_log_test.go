package gate_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// The log has nothing by which somebody else could sign in, although it is told to write
// queries: those of the sign-in host and of the handoff hold codes.
func TestSecurityGateLogs(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(tellHead))
	t.Cleanup(server.Close)
	site := gatedSite(server.URL, "")
	site.Text += `
		[[route]]
		name = "rest"
		backend = "app"
		access = "any-user"
	`
	site.Log = "query = true"
	h := &gatedHouse{edgetest.Start(t, site), t}
	t.Run("LOG-04_codes_are_in_no_line_about_a_request", func(t *testing.T) {
		b := h.administrator()
		b.open("https://app.example/x?y=kept")
		b.open("https://login.example/setup?code=Unused-Setup-Code")
		b.open("https://app.example/.doorward/handoff?code=Unused-Handoff-Code")
		b.open("https://other.example/.doorward/handoff?code=Unused-Handoff-Code")
		b.open("https://login.example/source/oauth/callback/x?code=Unused-Code&state=Unused-State")
		b.open("https://app.example/last?y=kept")
		// Browsers do as our pages say and send no Referer; this client does not.
		referer := regexp.MustCompile(`"referer":"https://(app|other)[^"]*"`)
		log, kept := "", 0
		wait(t, "the lines about all requests", func() bool { // in whatever order
			log = referer.ReplaceAllString(h.Log(), "")
			kept = strings.Count(log, `"query":"y=kept"`)
			return kept >= 3 && strings.Count(log, "/.doorward/handoff") >= 3
		})
		if kept != 3 {
			t.Errorf("%d queries of the app are in the log, want 3", kept)
		}
		for line := range strings.Lines(log) {
			if strings.Contains(line, "the first administrator signs up here") {
				continue
			}
			for _, never := range []string{"code=", "state=", "Unused", "bind=", "sig=", "return="} {
				if strings.Contains(line, never) {
					t.Errorf("%q is in %s", never, line)
				}
			}
		}
		for _, host := range []string{"login.example", "app.example"} {
			at, _ := url.Parse("https://" + host)
			for _, c := range b.Jar.Cookies(at) {
				if regexp.MustCompile(regexp.QuoteMeta(c.Value)).MatchString(log) {
					t.Errorf("the cookie %s of %s is in the log", c.Name, host)
				}
			}
		}
	})
}
