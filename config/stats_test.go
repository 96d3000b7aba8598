package config_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"doorward/config"
)

func TestDefaultsOfStatsStateMailAndAlerts(t *testing.T) {
	cfg, _ := mustLoad(t, head)
	s := cfg.Stats
	if s.Host != "" || s.Metrics != "" || s.Health != "" || len(s.Users) != 0 || !s.Actions {
		t.Errorf("stats = %+v, want nothing but actions", s)
	}
	if cfg.State.URL != "" || cfg.State.URL.Folder() != "" {
		t.Errorf("state = %+v, want nothing", cfg.State)
	}
	if cfg.Mail.Host != "" || cfg.Alerts.Webhook.Reveal() != "" || len(cfg.Alerts.Mail) != 0 {
		t.Errorf("mail = %+v, alerts = %+v, want nothing", cfg.Mail, cfg.Alerts)
	}
	if got := time.Duration(cfg.Alerts.Delay); got != 10*time.Second {
		t.Errorf("delay of alerts is %v, want 10s", got)
	}
	if cfg.Timeouts.DrainDelay != 0 {
		t.Errorf("drain_delay is %v, want 0s", cfg.Timeouts.DrainDelay)
	}
}

func TestWhoMaySeeTheStatistics(t *testing.T) {
	const loopback = "[127.0.0.0/8 ::1/128], given true"
	for text, want := range map[string]string{
		"":                                   loopback,
		"access = {}":                        loopback,
		"users = {}":                         loopback,
		"access = { networks = ['office'] }": "[10.0.0.0/8], given true",
		"access = { networks = [] }":         "[], given true",
		"users = { ops = '${SECRET}' }":      "[], given false",
		"access = 'public'\nusers.ops = '${SECRET}'":         "[], given false",
		"access.networks = ['::1']\nusers.ops = '${SECRET}'": "[::1/128], given true",
	} {
		cfg, _ := mustLoad(t, head+"[networks.office]\naddresses = ['10.0.0.0/8']\n"+
			"[stats]\nhost = 'edge.example.com'\n"+text+"\n")
		n := cfg.Stats.Access.Networks
		if got := fmt.Sprintf("%v, given %v", n.Prefixes, n.Given()); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestStateURL(t *testing.T) {
	for text, want := range map[string]string{
		"file:/var/lib/doorward": "/var/lib/doorward", "file:///var/lib/d": "/var/lib/d",
		"file:state": "DIR/state", "file:./a/../b": "DIR/b", "file:${NONE:-x}": "DIR/x",
	} {
		cfg, dir := mustLoad(t, head+"[state]\nurl = '"+text+"'\n")
		want = strings.Replace(want, "DIR", dir, 1)
		if got := cfg.State.URL.Folder(); got != want || string(cfg.State.URL) != "file:"+want {
			t.Errorf("%q is %q in %q, want %q", text, cfg.State.URL, got, want)
		}
	}
	for _, text := range []string{
		"", "file:", "file://", "file://host/a", "/a", "a", "memory:", "http://a", "redis://a",
		"rediss://a", "file:a\x00b",
	} {
		var u config.StateURL
		if err := u.UnmarshalText([]byte(text)); err == nil || u != "" {
			t.Errorf("%q is %q, want an error", text, u)
		}
	}
}

func TestPortOfMailFollowsSecurity(t *testing.T) {
	for text, want := range map[string]int{
		"": 587, "security = 'starttls'": 587, "security = 'tls'": 465, "security = 'none'": 25,
		"port = 2525": 2525, "security = 'none'\nport = 587": 587,
	} {
		cfg, _ := mustLoad(t, head+"[mail]\nhost = 'localhost'\nfrom = 'a@example.com'\n"+text+"\n")
		if cfg.Mail.Port != want {
			t.Errorf("%q: port %d, want %d", text, cfg.Mail.Port, want)
		}
	}
}

func TestMailboxes(t *testing.T) {
	for address, good := range map[string]bool{
		"a@example.com": true, "Doorward <a.b+c@mail.example.com>": true, "a@localhost": true,
		"<a@example.com>": true,
		"a":               false, "": false, "a@": false, "@a": false, "a@example.com\\n": false,
		"a@example.com, b@example.com": false, "\\\"a b\\\"@example.com": false,
		"a@[10.0.0.1]": false, "a@bücher.example": false, "a@example.com.": false,
	} {
		cfg, found := load(t, head+"[mail]\nhost = \"localhost\"\nfrom = \""+address+"\"\n")
		if (cfg != nil) != good || !good && len(found.Errors()) != 1 {
			t.Errorf("%q: got %v, want good = %v", address, found, good)
		}
	}
}

func TestFilesOfNewSectionsStartAtTheMainFile(t *testing.T) {
	cfg, dir := mustLoad(t, web("maintenance_page = \"pages/m.html\"\n")+
		"[mail]\nhost = \"localhost\"\nfrom = \"a@example.com\"\nca_file = \"ca.pem\"\n")
	for _, c := range []struct{ got, want string }{
		{cfg.Backends["web"].MaintenancePage, dir + "/pages/m.html"},
		{cfg.Mail.CAFile, dir + "/ca.pem"},
	} {
		if c.got != c.want {
			t.Errorf("path is %q, want %q", c.got, c.want)
		}
	}
}

func TestIncludedFilesMayHoldLimits(t *testing.T) {
	dir := folder(t, map[string]string{
		"a.toml": "include = [\"b.toml\"]\n" + head + "[rate_limits.a]\nconcurrent = 1\n",
		"b.toml": "[[route]]\nredirect = \"/x\"\nrate_limits = [\"a\", \"b\"]\n" +
			"[rate_limits.b]\nconcurrent = 2\n",
	})
	cfg, found := config.Load(filepath.Join(dir, "a.toml"), noEnv)
	compareLines(t, messages(found, dir), nil)
	if cfg != nil && len(cfg.RateLimits) != 2 {
		t.Errorf("%d limits, want 2", len(cfg.RateLimits))
	}
}
