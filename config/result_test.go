package config_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"doorward/config"
)

func TestDefaults(t *testing.T) {
	cfg, _ := mustLoad(t, head)
	for _, c := range []struct {
		key       string
		got, want any
	}{
		{"listen.http", cfg.Listen.HTTP, []string{":80"}},
		{"listen.http_redirect", cfg.Listen.HTTPRedirect, true},
		{"listen.control", cfg.Listen.Control, "/run/doorward/control.sock"},
		{"listen.trusted_proxies", cfg.Listen.TrustedProxies.Given(), false},
		{"timeouts.server_idle", time.Duration(cfg.Timeouts.ServerIdle), time.Minute},
		{"limits.head_bytes", cfg.Limits.HeadBytes, config.Size(32 << 10)},
		{"log.output", cfg.Log.Output, config.LogOutput("stderr")},
		{"headers.request_id", cfg.Headers.RequestID, "X-Request-ID"},
	} {
		if fmt.Sprintf("%#v", c.got) != fmt.Sprintf("%#v", c.want) {
			t.Errorf("%s is %#v, want %#v", c.key, c.got, c.want)
		}
	}
}

func TestGivenValuesWinOverDefaults(t *testing.T) {
	cfg, _ := mustLoad(t, `
listen.http = []
listen.http_redirect = false
listen.control = ""
tls.internal = ["a.localhost"]
limits.connections = "100k"
[[route]]
upgrades = []
backend = "web"
[backends.web]
retries = 0
redispatch = false
server = [{ url = "http://10.0.0.1", weight = 0 }, { url = "http://10.0.0.2" }]
`)
	web := cfg.Backends["web"]
	switch {
	case len(cfg.Listen.HTTP) != 0 || cfg.Listen.HTTPRedirect || cfg.Listen.Control != "":
		t.Errorf("Listen = %+v", cfg.Listen)
	case cfg.Limits.Connections != 102400:
		t.Errorf("Connections = %d, want 102400", cfg.Limits.Connections)
	case len(cfg.Routes[0].Upgrades) != 0:
		t.Errorf("Upgrades = %v, want none", cfg.Routes[0].Upgrades)
	case web.Retries != 0 || web.Redispatch || !web.ServerKeepAlive:
		t.Errorf("backend = %+v", web)
	case web.Servers[0].Weight != 0 || web.Servers[1].Weight != 1:
		t.Errorf("weights of %+v, want 0 and 1", web.Servers)
	}
}

func TestPathsStartAtTheMainFile(t *testing.T) {
	dir := folder(t, map[string]string{
		"a.toml": `
include = ["sub/b.toml"]
tls.certificates = ["certs", "/etc/certs"]
listen.control = "control.sock"
log.output = "logs/access.log"
error_pages.503 = "pages/503.html"
`,
		"sub/b.toml": `
[[route]]
respond = { file = "moved.html" }
error_pages.404 = "404.html"
[[route]]
backend = "web"
[backends.web]
servers = ["https://10.0.0.1"]
tls = { ca_file = "ca.pem", certificate = "/c.pem", key = "c.key" }
`,
	})
	cfg, found := config.Load(filepath.Join(dir, "a.toml"), noEnv)
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	web := cfg.Backends["web"].TLS
	for _, c := range []struct{ got, want string }{
		{cfg.TLS.Certificates[0], dir + "/certs"},
		{cfg.TLS.Certificates[1], "/etc/certs"},
		{cfg.Listen.Control, dir + "/control.sock"},
		{string(cfg.Log.Output), dir + "/logs/access.log"},
		{cfg.ErrorPages[503], dir + "/pages/503.html"},
		{cfg.Routes[0].Respond.File, dir + "/moved.html"},
		{cfg.Routes[0].ErrorPages[404], dir + "/404.html"},
		{web.CAFile, dir + "/ca.pem"},
		{web.Certificate, "/c.pem"},
		{web.Key, dir + "/c.key"},
	} {
		if c.got != c.want {
			t.Errorf("path is %q, want %q", c.got, c.want)
		}
	}
}

func TestNetworksAreResolved(t *testing.T) {
	cfg, _ := mustLoad(t, head+`
[listen]
trusted_proxies = ["office", "::ffff:192.0.2.1", "2001:db8::/32"]
[networks.office]
addresses = ["10.0.0.0/8", "192.168.1.7"]
[[route]]
redirect = "/x"
networks = ["office"]
[[route]]
redirect = "/x"
access = { networks = [] }
[[route]]
redirect = "/x"
access = "public"
`)
	got := fmt.Sprint(cfg.Listen.TrustedProxies.Prefixes)
	if want := "[10.0.0.0/8 192.168.1.7/32 192.0.2.1/32 2001:db8::/32]"; got != want {
		t.Errorf("trusted_proxies are %s, want %s", got, want)
	}
	if got := fmt.Sprint(cfg.Routes[0].Networks.Prefixes); got != "[10.0.0.0/8 192.168.1.7/32]" {
		t.Errorf("route[0].networks are %s", got)
	}
	for i, given := range []bool{false, true, false} {
		n := cfg.Routes[i].Access.Networks
		if n.Given() != given || len(n.Prefixes) != 0 {
			t.Errorf("route[%d].access.networks = %+v, given %v; want %v", i, n, n.Given(), given)
		}
	}
}

func TestInheritedSettings(t *testing.T) {
	cfg, _ := mustLoad(t, head+`
[timeouts]
server = "7s"
[limits]
body_bytes = "1MiB"
[[route]]
backend = "web"
[[route]]
backend = "web"
body_bytes = 0
timeouts = { server = "1s" }
[backends.web]
servers = ["http://10.0.0.1"]
timeouts = { connect = "2s" }
`)
	want := config.BackendTimeouts{
		Connect: config.Duration(2 * time.Second), Server: config.Duration(7 * time.Second),
		Queue: config.Duration(10 * time.Second), Tunnel: config.Duration(time.Hour),
	}
	if got := cfg.Backends["web"].Timeouts; got != want {
		t.Errorf("timeouts of the backend are %+v, want %+v", got, want)
	}
	if a, b := cfg.Routes[0].BodyBytes, cfg.Routes[1].BodyBytes; a != 1<<20 || b != 0 {
		t.Errorf("body_bytes are %v and %v, want 1MiB and 0", a, b)
	}
	if got := cfg.Routes[1].Timeouts; got != (config.RouteTimeouts{Server: 1e9}) {
		t.Errorf("timeouts of the route are %+v, want server = 1s alone", got)
	}
}

func TestDefaultNames(t *testing.T) {
	cfg, _ := mustLoad(t, head+`
[[route]]
hosts = ["a.example.com"]
redirect = "/x"
[[route]]
hosts = ["a.example.com"]
paths = ["=/b", "/c"]
redirect = "/x"
[[route]]
hosts = ["a.example.com"]
methods = ["GET"]
redirect = "/x"
[[route]]
name = "*"
redirect = "/x"
[[route]]
paths = ["~ \""]
redirect = "/x"
[[route]]
redirect = "/x"
[[route]]
backend = "web"
[backends.web]
servers = ["http://10.0.0.1", "http://10.0.0.1/", "unix:///run/x.sock", "https://[::2]"]
`)
	var got []string
	for _, r := range cfg.Routes[:6] {
		got = append(got, r.Name)
	}
	want := []string{"a.example.com", "a.example.com/b", "a.example.com#2", "*", "*~__", "*#2"}
	if !slices.Equal(got, want) {
		t.Errorf("routes are named %q, want %q", got, want)
	}
	got = nil
	for _, s := range cfg.Backends["web"].Servers {
		got = append(got, s.Name)
	}
	want = []string{"10.0.0.1:80", "10.0.0.1:80#2", "/run/x.sock", "[::2]:443"}
	if !slices.Equal(got, want) {
		t.Errorf("servers are named %q, want %q", got, want)
	}
}

func TestWarningsAboutRoutesNameTheirPlace(t *testing.T) {
	cfg, dir := mustLoad(t, head+"[[route]]\nredirect = \"/x\"\n  [[route]]\nredirect = \"/y\"\n")
	d := cfg.Routes[1].Warning("can never match")
	want := dir + "/a.toml:5:5: warning: route[1]: can never match"
	if d.String() != want || d.Severity != config.Warning {
		t.Errorf("got %q, want %q", d, want)
	}
}

func TestPlacesOfKeys(t *testing.T) {
	cfg, dir := mustLoad(t, head+`[[route]]
backend = "a.b"
[backends."a.b"]
servers = ["https://10.0.0.1"]
tls = { ca_file = "ca.pem" }
`)
	for _, c := range []struct {
		steps []any
		want  string
	}{
		{[]any{"backends", "a.b", "tls", "ca_file"}, `7:19: backends."a.b".tls.ca_file: `},
		{[]any{"backends", "a.b", "servers", 0}, `6:12: backends."a.b".servers[0]: `},
		{[]any{"backends", "a.b", "servers", 7}, `6:1: backends."a.b".servers[7]: `},
		{[]any{"route", 0, "error_pages", "503"}, `3:3: route[0].error_pages.503: `},
		{[]any{"log", "output"}, `1:1: log.output: `},
		{nil, `1:1: `},
	} {
		if got := cfg.At(c.steps...).String(); got != dir+"/a.toml:"+c.want {
			t.Errorf("At(%v) = %q, want %q", c.steps, got, c.want)
		}
	}
	if got := (&config.Config{}).At("log", "output"); got != (config.Diagnostic{Key: "log.output"}) {
		t.Errorf("At of a Config without files = %+v", got)
	}
}

func TestServerAddresses(t *testing.T) {
	for url, want := range map[string]string{
		"http://10.0.0.1":            "tcp 10.0.0.1:80 false",
		"https://10.0.0.1/":          "tcp 10.0.0.1:443 true",
		"https://app.internal:8443":  "tcp app.internal:8443 true",
		"http://[2001:db8::1]:8080":  "tcp [2001:db8::1]:8080 false",
		"http://my_app":              "tcp my_app:80 false",
		"unix:///run/app/http.sock":  "unix /run/app/http.sock false",
		"http://APP.example.com:080": "tcp APP.example.com:080 false",
	} {
		cfg, _ := mustLoad(t, head+"[[route]]\nbackend = \"a\"\n[backends.a]\nservers = [\""+url+"\"]\n")
		s := cfg.Backends["a"].Servers[0]
		if got := fmt.Sprintf("%s %s %v", s.Network, s.Address, s.TLS); got != want {
			t.Errorf("%s is %s, want %s", url, got, want)
		}
	}
}

func TestFormsOfRedirectAndHeaders(t *testing.T) {
	cfg, _ := mustLoad(t, head+`
[[route]]
redirect = "/x"
[[route]]
redirect = { to = "/y", status = 302 }
[[route]]
redirect = "/z"
[route.headers]
X-A = "1"
response = { remove = ["B"] }
request = "the field named request"
`)
	if r := cfg.Routes[0].Redirect; r.To != "/x" || r.Status != 308 {
		t.Errorf("redirect = %+v, want /x with 308", r)
	}
	if r := cfg.Routes[1].Redirect; r.To != "/y" || r.Status != 302 {
		t.Errorf("redirect = %+v, want /y with 302", r)
	}
	h := cfg.Routes[2].Headers
	if len(h.Match) != 2 || h.Match["X-A"] != "1" || h.Match["request"] == "" {
		t.Errorf("matchers are %q, want X-A and request", h.Match)
	}
	if !slices.Equal(h.Response.Remove, []string{"B"}) || h.Request.Set != nil {
		t.Errorf("changes are %+v and %+v", h.Request, h.Response)
	}
}

func TestExpansion(t *testing.T) {
	dir := folder(t, map[string]string{
		"value.txt": "from a file\r\n",
		"lines.txt": "one\ntwo\n\n",
	})
	env := func(name string) (string, bool) {
		value, ok := map[string]string{"A": "x", "B_2": "${A}", "EMPTY": ""}[name]
		return value, ok
	}
	for text, want := range map[string]string{
		"plain $ text $A {x}":           "plain $ text $A {x}",
		"${A}":                          "x",
		"-${A}${A}-":                    "-xx-",
		"${B_2}":                        "${A}",
		"${NONE:-default}":              "default",
		"${EMPTY:-default}":             "default",
		"${EMPTY:-}":                    "",
		"${A:-default}":                 "x",
		"$${A}":                         "${A}",
		"$$${A}":                        "$${A}",
		"a$${b}${A}":                    "a${b}x",
		"${file:value.txt}":             "from a file",
		"${file:" + dir + "/lines.txt}": "one\ntwo\n",
	} {
		file := filepath.Join(dir, "a.toml")
		writeFile(t, file, head+"[backends.a]\nservers = [\"http://a\"]\ndescription = '"+text+"'\n")
		cfg, found := config.Load(file, env)
		if err := found.Err(); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := cfg.Backends["a"].Description; got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestKeysAreNotExpanded(t *testing.T) {
	_, found := load(t, head+"[networks.'${A}']\naddresses = []\n")
	if !strings.Contains(found.String(), `networks."${A}": cannot be the name of a set`) {
		t.Errorf("got %v", found)
	}
}
