package config_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"doorward/config"
)

// web is a route to a backend of one server, with more keys of the backend.
func web(more string) string {
	return head + "[[route]]\nbackend = \"web\"\n[backends.web]\nservers = [\"http://10.0.0.1\"]\n" + more
}

// backend loads the backend of web.
func backend(t *testing.T, more string) *config.Backend {
	t.Helper()
	cfg, _ := mustLoad(t, web(more))
	return cfg.Backends["web"]
}

func TestDefaultsOfABackend(t *testing.T) {
	b := backend(t, "")
	if b.Check != nil || b.Stick != nil || b.Cookie != nil {
		t.Errorf("check %v, stick %v, cookie %v of a backend without them", b.Check, b.Stick, b.Cookie)
	}
	if b.Balance != "roundrobin" || b.QueueLimit != 10<<10 || b.OnDown != "keep" ||
		b.SlowStart != 0 || b.UseAllBackups || b.MaintenancePage != "" {
		t.Errorf("backend = %+v", b)
	}
	want := config.Server{
		Name: "10.0.0.1:80", URL: "http://10.0.0.1", Weight: 1, Check: true,
		Network: "tcp", Address: "10.0.0.1:80",
	}
	if b.Servers[0] != want {
		t.Errorf("server = %+v, want %+v", b.Servers[0], want)
	}
}

func TestDefaultsOfChecksAndPersistence(t *testing.T) {
	b := backend(t, "check = {}\nstick = {}\ncookie = { name = \"SRV\" }\n")
	two := config.Duration(2 * time.Second)
	for _, c := range []struct {
		key       string
		got, want any
	}{
		{"check", *b.Check, config.Check{
			Type: "http", Method: "GET", Path: "/", TLS: "server",
			Expect:   config.Expect{Status: []config.StatusRange{{From: 200, To: 399}}},
			Interval: two, FastInterval: two, DownInterval: two, Rise: 2, Fall: 3,
			Initial: "none", Jitter: 5, Log: "changes", Observe: "off", ErrorLimit: 10,
			OnError: "fail-check",
		}},
		{"stick", *b.Stick, config.Stick{
			On: "src", Size: 100 << 10, Expire: config.Duration(30 * time.Minute),
			Full: "oldest", IPv6Prefix: 128,
		}},
		{"cookie", *b.Cookie, config.Cookie{
			Name: "SRV", SameSite: "lax", HTTPOnly: true, Secure: true, Indirect: true,
			NoCache: true,
		}},
	} {
		if got, want := fmt.Sprintf("%+v", c.got), fmt.Sprintf("%+v", c.want); got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.key, got, want)
		}
	}
}

func TestIntervalsOfChecksAreInherited(t *testing.T) {
	for text, want := range map[string][4]time.Duration{
		"interval = '5s'": {5 * time.Second, 5 * time.Second, 5 * time.Second, 0},
		"interval = '5s', fast_interval = '1s', timeout = '3s'": {
			5 * time.Second, time.Second, 5 * time.Second, 3 * time.Second,
		},
		"down_interval = '1m'": {2 * time.Second, 2 * time.Second, time.Minute, 0},
	} {
		c := backend(t, "check = { "+text+" }\n").Check
		got := [4]time.Duration{
			time.Duration(c.Interval), time.Duration(c.FastInterval),
			time.Duration(c.DownInterval), time.Duration(c.Timeout),
		}
		if got != want {
			t.Errorf("%s: interval, fast, down and timeout are %v, want %v", text, got, want)
		}
	}
}

func TestFormsOfExpect(t *testing.T) {
	for text, want := range map[string]string{
		`[200, "2xx", "300-310", "404"]`:     "{Status:[200 2xx 300-310 404] StatusRegex: Body: BodyRegex: Header:map[] Not:false}",
		`{ status = ["500-599"] }`:           "{Status:[5xx] StatusRegex: Body: BodyRegex: Header:map[] Not:false}",
		`{ body = "ok", not = true }`:        "{Status:[] StatusRegex: Body:ok BodyRegex: Header:map[] Not:true}",
		`{ status_regex = "^2" }`:            "{Status:[] StatusRegex:^2 Body: BodyRegex: Header:map[] Not:false}",
		`{ body_regex = "a+" }`:              "{Status:[] StatusRegex: Body: BodyRegex:a+ Header:map[] Not:false}",
		`{ header = { X-A = "*" } }`:         "{Status:[] StatusRegex: Body: BodyRegex: Header:map[X-A:*] Not:false}",
		`{ status = [200], body = "ready" }`: "{Status:[200] StatusRegex: Body:ready BodyRegex: Header:map[] Not:false}",
	} {
		e := backend(t, "[backends.web.check]\nexpect = "+text+"\n").Check.Expect
		if got := fmt.Sprintf("%+v", e); got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestStatusRange(t *testing.T) {
	for text, want := range map[string]config.StatusRange{
		"200": {From: 200, To: 200}, "2xx": {From: 200, To: 299}, "5XX": {From: 500, To: 599},
		"300-310": {From: 300, To: 310}, "100-599": {From: 100, To: 599},
		"204-204": {From: 204, To: 204},
	} {
		var s config.StatusRange
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q is %+v, %v; want %+v", text, s, err, want)
		}
		if s.Holds(s.From-1) || !s.Holds(s.From) || !s.Holds(s.To) || s.Holds(s.To+1) {
			t.Errorf("%q holds what is outside, or not its ends", text)
		}
	}
	for _, text := range []string{
		"", "20", "2000", "xxx", "0xx", "6xx", "2x", "2Xx", "200-", "-200", "200-600", "310-300",
		"+20", "2 0", "200 - 300", "0200", "2xx-3xx",
	} {
		var s config.StatusRange
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %+v, want an error", text, s)
		}
	}
}

func TestSelector(t *testing.T) {
	for s, want := range map[config.Selector][2]string{
		"src": {"src", ""}, "header:X-User": {"header", "X-User"}, "cookie:a:b": {"cookie", "a:b"},
	} {
		if got := [2]string{s.Kind(), s.Name()}; got != want {
			t.Errorf("%q is %q, want %q", s, got, want)
		}
	}
}

func TestServersOfTheLongForm(t *testing.T) {
	b := longForm(t, `
check = {}
cookie = { name = "SRV" }
[[backends.web.server]]
url = "http://10.0.0.1"
max_connections = 5
queue_limit = "1k"
cookie = "a"
check_address = "10.0.0.1:81"
[[backends.web.server]]
url = "http://10.0.0.2"
backup = true
check = false
`)
	first, second := b.Servers[0], b.Servers[1]
	if first.QueueLimit != 1024 || first.Cookie != "a" || !first.Check || first.Backup ||
		first.CheckAddress != "10.0.0.1:81" {
		t.Errorf("first server = %+v", first)
	}
	if !second.Backup || second.Check || second.Cookie != "" {
		t.Errorf("second server = %+v", second)
	}
}

// longForm loads a backend whose text has its servers.
func longForm(t *testing.T, text string) *config.Backend {
	t.Helper()
	cfg, _ := mustLoad(t, head+"[[route]]\nbackend = \"web\"\n[backends.web]"+text)
	return cfg.Backends["web"]
}

func TestRateLimits(t *testing.T) {
	cfg, _ := mustLoad(t, head+`
[limits]
rate_limits = ["all"]
[[route]]
redirect = "/x"
rate_limits = ["login"]
[rate_limits.all]
concurrent = 5
[rate_limits.login]
requests = "1k"
per = "1m"
over = "queue"
`)
	all, login := *cfg.RateLimits["all"], *cfg.RateLimits["login"]
	want := config.RateLimit{
		Name: "all", By: "client", Concurrent: 5, Over: "reject",
		Queue: config.Duration(5 * time.Second), Size: 100 << 10, IPv6Prefix: 64,
	}
	if all != want {
		t.Errorf("all = %+v, want %+v", all, want)
	}
	if login.Name != "login" || login.Requests != 1024 || login.Over != "queue" ||
		time.Duration(login.Per) != time.Minute {
		t.Errorf("login = %+v", login)
	}
	if !slices.Equal(cfg.Limits.RateLimits, []string{"all"}) ||
		!slices.Equal(cfg.Routes[0].RateLimits, []string{"login"}) {
		t.Errorf("names are %v and %v", cfg.Limits.RateLimits, cfg.Routes[0].RateLimits)
	}
}
