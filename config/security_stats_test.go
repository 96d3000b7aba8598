package config_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// statsPage returns a file with a page of statistics and more keys of it.
func statsPage(more string) string {
	return head + "[stats]\nhost = 'edge.example.com'\n" + more + "\n"
}

// expecting returns a file with a check and a condition for its answer.
func expecting(condition string) string {
	return web("[backends.web.check.expect]\n" + condition + "\n")
}

// credentialsAreNeverShown: a URL that holds a password or a token, and a password,
// are no part of any message, whether the value is right or wrong.
func credentialsAreNeverShown(t *testing.T) {
	for _, text := range []string{
		"[state]\nurl = 'redis://a:" + secret + "@10.0.0.1'\n",
		"[state]\nurl = 'file://a:" + secret + "@10.0.0.1/x'\n",
		"[state]\nurl = '" + secret + "'\n",
		"[alerts]\nwebhook = '" + secret + "'\n",
		"[alerts]\nwebhook = 'https://a:" + secret + "@:x'\n",
		"[alerts]\nwebhook = 'http://example.com/" + secret + "'\n",
		"[alerts]\nwebhook = ['" + secret + "']\n",
		"[mail]\nhost = 'a'\nfrom = 'a@b.c'\npassword = '" + secret + "'\n",
		"[mail]\nhost = 'a'\nfrom = 'a@b.c'\nusername = 'a'\nsecurity = 'none'\npassword = '" + secret + "'\n",
		"[mail]\nhost = 'a'\nfrom = 'a@b.c'\nusername = 'a'\npassword = \"" + secret + "\\u0000\"\n",
		"[stats]\nhost = 'a'\nusers.ops = \"" + secret + "\\u0000\"\n",
		"[stats]\nhost = 'a'\nusers.'a:b' = '" + secret + "'\n",
		"[stats]\nusers.a = '" + secret + "'\n",
	} {
		if _, found := load(t, head+text); len(found) == 0 || strings.Contains(found.String(), secret) {
			t.Errorf("%q: got %v, want messages without the secret", text, found)
		}
	}
	cfg, _ := mustLoad(t, head+"[stats]\nhost = 'a'\nusers.ops = '"+secret+"'\n"+
		"[mail]\nhost = 'a'\nfrom = 'a@b.c'\nusername = 'a'\npassword = '"+secret+"'\n"+
		"[alerts]\nwebhook = 'https://a/"+secret+"'\n")
	for _, section := range []any{cfg.Stats, cfg.Mail, cfg.Alerts} {
		data, err := json.Marshal(section)
		if err != nil {
			t.Fatal(err)
		}
		out := fmt.Sprintf("%v %+v %#v %s", section, section, section, data)
		if strings.Contains(out, secret) {
			t.Errorf("%T prints %s", section, out)
		}
	}
	if got := cfg.Alerts.Webhook.Reveal(); got != "https://a/"+secret {
		t.Errorf("webhook is %q", got)
	}
}

func nothingIsShownByDefault(t *testing.T) {
	cfg, _ := mustLoad(t, head)
	if s := cfg.Stats; s.Host != "" || s.Metrics != "" || s.Health != "" {
		t.Errorf("stats = %+v, want no address", s)
	}
	cfg, _ = mustLoad(t, statsPage(""))
	for _, prefix := range cfg.Stats.Access.Networks.Prefixes {
		if !prefix.Addr().IsLoopback() {
			t.Errorf("without access and users the page is shown to %v", prefix)
		}
	}
	if !cfg.Stats.Access.Networks.Given() {
		t.Error("without access and users the page is shown to everybody")
	}
	refused(map[string]string{
		statsPage("access = 'public'"):              "users with passwords",
		statsPage("acces = { networks = ['::1'] }"): `mean "access"`,
		statsPage("access = { network = ['::1'] }"): `mean "networks"`,
	})(t)
}

// noServerIsDoorward: whatever route leads to it, a server that is Doorward's own
// address would show to the world what trusts this machine.
func noServerIsDoorward(t *testing.T) {
	file := func(metrics, server string) string {
		return head + "[listen]\nhttp = [':8080']\nhttps = ['10.0.0.7:443']\ncontrol = '/run/d.sock'\n" +
			"[stats]\nmetrics = '" + metrics + "'\nhealth = ':9101'\n" +
			"[[route]]\nbackend = 'web'\n[backends.web]\nservers = ['" + server + "']\n"
	}
	for server, metrics := range map[string]string{
		"http://127.0.0.1:9100": "127.0.0.1:9100", "http://localhost:9100": "127.0.0.1:9100",
		"http://LOCALHOST:09100": "127.0.0.1:9100", "http://a.localhost:9100": "[::1]:9100",
		"http://[::1]:9100": "localhost:9100", "http://0.0.0.0:9100": "127.0.0.1:9100",
		"http://[::]:9100": "[::1]:9100", "http://[::ffff:127.0.0.1]:9100": "127.0.0.1:9100",
		"http://127.0.0.1:8080": "", "http://127.9.9.9:8080": "", "https://10.0.0.7": "",
		"http://[::1]:9101": "", "unix:///run/d.sock": "", "unix:///run/x/../d.sock": "",
		"http://edge.internal:9100": "EDGE.internal:9100", "http://127.0.0.1:9102": "0.0.0.0:9102",
	} {
		cfg, found := load(t, file(metrics, server))
		if cfg != nil || !strings.Contains(found.Errors().String(), "of this Doorward") {
			t.Errorf("%s with metrics at %q: got %v", server, metrics, found)
		}
	}
	for server, metrics := range map[string]string{
		"http://127.0.0.1:9102": "127.0.0.1:9100", "http://127.0.0.2:9100": "127.0.0.1:9100",
		"http://10.0.0.1:8080": "", "https://127.0.0.1:443": "", "http://10.0.0.7": "",
		"unix:///run/other.sock": "", "http://10.0.0.1:9100": "127.0.0.1:9100",
		"http://app.internal:9100": "127.0.0.1:9100",
	} {
		mustLoad(t, file(metrics, server))
	}
}

func cookiesCannotInject(t *testing.T) {
	for _, c := range []string{
		`a;b`, `a b`, `a,b`, `a\"b`, `a\\b`, `a|b`, `a\r\nSet-Cookie: x=1`, `\u0000`, `ä`,
		strings.Repeat("a", 129),
	} {
		refused(map[string]string{
			head + "[[route]]\nbackend = 'web'\n[backends.web]\ncookie = { name = 'SRV' }\n" +
				"[[backends.web.server]]\nurl = 'http://10.0.0.1'\ncookie = \"" + c + "\"\n": "must be up to 128",
		})(t)
	}
	refused(map[string]string{
		web("cookie = { name = \"a=b\" }\n"):                             "not the name of a cookie",
		web("cookie = { name = \"a;b\" }\n"):                             "not the name of a cookie",
		web("cookie = { name = \"\" }\n"):                                "not the name of a cookie",
		web("cookie = { name = \"a\", domain = \"a; Path=/x\" }\n"):      "not a domain",
		web("cookie = { name = \"a\", domain = \"a.example\\r\\n\" }\n"): "not a domain",
	})(t)
}

// checksCannotInject: what a check sends is one request, and the one it shows.
func checksCannotInject(t *testing.T) {
	refused(map[string]string{
		web("check = { path = \"/ HTTP/1.1\\r\\nX: y\" }\n"):    "printable ASCII",
		web("check = { path = \"http://169.254.169.254/\" }\n"): "must begin with /",
		web("check = { path = \"*\" }\n"):                       "must begin with /",
		web("check = { method = \"GET / HTTP/1.1\\r\\n\" }\n"):  "not a method",
		web("check = { method = \"CONNECT\" }\n"):               "never routed",
		web("check = { host = \"a\\r\\nX: y\" }\n"):             "not a host",
		web("check = { host = \"a/b\" }\n"):                     "not a host",
		web("check = { host = \"user@a\" }\n"):                  "not a host",
		web("check = { headers = { \"X: y\" = \"z\" } }\n"):     "not the name of a header",
		web("check = { headers = { X = \"y\\r\\nz\" } }\n"):     "control character",
		web("check = { headers = { Connection = \"x\" } }\n"):   "Doorward's alone",
	})(t)
}
