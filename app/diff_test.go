package app_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestReloadReportsEverySection changes a key of each section that has no names in
// it. What is secret is told to have changed, and nothing else of it.
func TestReloadReportsEverySection(t *testing.T) {
	sections := `[stats]
host = "stats.test"
users = { ops = "first-secret-1" }
[mail]
host = "mail.test"
from = "edge@test"
username = "edge"
password = "first-secret-2"
[alerts]
mail = ["ops@test"]
webhook = "https://hooks.test/first-secret-3"
[limits]
rate_limits = ["all"]
[rate_limits.all]
requests = 1000
per = "1s"
[rate_limits.login]
requests = 10
per = "1s"
[backends.app.check]
path = "/"
headers = { X-Probe = "first-secret-4" }
[backends.app.stick]
`
	old := site(server(t, "app"), sections)
	for name, test := range map[string]struct{ was, is, want string }{
		"nothing":         {"", "", ""},
		"a password":      {"first-secret-1", "other-secret-1", "settings changed: stats"},
		"a user":          {"ops =", "dev =", "settings changed: stats"},
		"the page":        {"[stats]", "[stats]\nactions = false", "settings changed: stats"},
		"mail":            {"mail.test", "mx.test", "settings changed: mail"},
		"mail's password": {"first-secret-2", "other-secret-2", "settings changed: mail"},
		"who is told":     {"ops@test", "dev@test", "settings changed: alerts"},
		"a webhook":       {"first-secret-3", "other-secret-3", "settings changed: alerts"},
		"a rate limit":    {"requests = 1000", "requests = 2000", "rate limits changed: all"},
		"another rate limit": {"[rate_limits.login]", "[rate_limits.form]",
			"rate limits added: form; rate limits removed: login"},
		"which rate limits": {`["all"]`, `["login"]`, "settings changed: limits"},
		"a check":           {`path = "/"`, `path = "/health"`, "backends changed: app"},
		"a check's field":   {"first-secret-4", "other-secret-4", "backends changed: app"},
		"a stick table": {"[backends.app.stick]", "[backends.app.stick]\nsize = 7",
			"backends changed: app"},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, old)
			changes := e.mustReload(strings.Replace(old, test.was, test.is, 1)).Changes
			got := strings.Join(changes, "; ")
			if !matches(test.want, got) {
				t.Errorf("the report says %q, want %q", got, test.want)
			}
			log, err := os.ReadFile(e.log)
			text := fmt.Sprint(changes, string(log))
			if err != nil || strings.Contains(text, "-secret-") {
				t.Errorf("a secret shows (%v): %s", err, text)
			}
		})
	}
}

// Who may come in is part of what a reload reports.
func TestReloadReportsSignIn(t *testing.T) {
	old := signInSite(t, "[password_policy]\nmin_length = 14\n[brand]\ntitle = \"Corp\"\n"+
		"[groups.staff]\nusers = [\"ann\"]\n", "")
	for name, test := range map[string]struct{ was, is, want string }{
		"how long sessions last": {"[sign_in]", "[sign_in]\nidle = \"1h\"", "settings changed: sign_in"},
		"a provider's secret":    {`"y"`, `"first-secret-1"`, "settings changed: sign_in"},
		"who is in a group":      {`["ann"]`, `["bob"]`, "groups changed: staff"},
		"a group":                {"[groups.staff]", "[groups.chiefs]", "groups added: chiefs; groups removed: staff"},
		"the password policy":    {"min_length = 14", "min_length = 15", "settings changed: password_policy"},
		"the brand":              {`title = "Corp"`, `title = "Co"`, "settings changed: brand"},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, old)
			if !strings.Contains(old, test.was) {
				t.Fatal(old)
			}
			changes := e.mustReload(strings.Replace(old, test.was, test.is, 1)).Changes
			if got := strings.Join(changes, "; "); got != test.want {
				t.Errorf("the report says %q, want %q", got, test.want)
			}
		})
	}
}
