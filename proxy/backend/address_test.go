package backend_test

import (
	"strings"
	"testing"

	"doorward/proxy/backend"
)

func TestServerURL(t *testing.T) {
	for _, c := range []struct{ url, scheme, address, authority string }{
		{"http://10.0.0.1:8080", "http", "10.0.0.1:8080", "10.0.0.1:8080"},
		{"http://10.0.0.1", "http", "10.0.0.1:80", "10.0.0.1"},
		{"HTTP://Web.Example.COM/", "http", "web.example.com:80", "web.example.com"},
		{"https://web", "https", "web:443", "web"},
		{"https://web:80", "https", "web:80", "web:80"},
		{"http://[::1]", "http", "[::1]:80", "[::1]"},
		{"https://[2001:DB8:0::1]:8443", "https", "[2001:db8::1]:8443", "[2001:db8::1]:8443"},
		{"http://[fe80::1%25eth0]:80", "http", "[fe80::1%eth0]:80", "[fe80::1%eth0]"},
		{"http://app_1-x.local.:81", "http", "app_1-x.local.:81", "app_1-x.local.:81"},
		{"unix:///run/app.sock", "http", "/run/app.sock", "localhost"},
		{"unix+https:///run/app.sock", "https", "/run/app.sock", "localhost"},
	} {
		o := at(c.url)
		o.TLS = &backend.TLSOptions{}
		b, err := backend.New(o, nil)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		s := b.Servers()[0]
		if s.Scheme() != c.scheme || s.Address() != c.address || s.Authority() != c.authority {
			t.Errorf("%s is %s, %s, %s; want %s, %s, %s", c.url,
				s.Scheme(), s.Address(), s.Authority(), c.scheme, c.address, c.authority)
		}
	}
}

func TestServerURLRefused(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"", "scheme"},
		{"10.0.0.1:8080", "server URL"},
		{"ftp://host", "scheme"},
		{"http://host/app", "path"},
		{"http://host?x=1", "only scheme, host and port"},
		{"http://user:secret@host", "only scheme, host and port"},
		{"http://host#top", "only scheme, host and port"},
		{"http:host", "only scheme, host and port"},
		{"http://host:0", "port"},
		{"http://host:65536", "port"},
		{"http://host:http", "port"},
		{"http://", "host is missing"},
		{"http://:80", "host is missing"},
		{"unix://run/app.sock", "absolute"},
		{"unix:run/app.sock", "only scheme"},
		{"unix:///" + strings.Repeat("x", 200), "103 bytes"},
	} {
		_, err := backend.New(at(c.url), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) ||
			!strings.HasPrefix(err.Error(), "backend app: ") {
			t.Errorf("%q: error %v, want one of backend app about %q", c.url, err, c.want)
		}
	}
}

func TestSecurityNames(t *testing.T) {
	for name, host := range map[string]string{
		"CRASH-09_NUL":            "a%00b",
		"CRASH-09_percent":        "a%25b",
		"CRASH-09_bare_percent":   "a%b",
		"CRASH-09_300_bytes":      strings.Repeat("abcdefghi.", 30),
		"CRASH-09_long_label":     strings.Repeat("a", 64),
		"CRASH-09_empty_label":    "a..b",
		"CRASH-09_zone_of_a_name": "[name%25eth0]",
		"CRASH-09_zone_of_IPv4":   "10.0.0.1%25eth0",
		"CRASH-09_space":          "a b",
		"CRASH-09_line_break":     "a%0d%0ab",
		"CRASH-09_not_ASCII":      "bücher",
		"CRASH-09_only_dot":       ".",
		"CRASH-09_half_bracket":   "[::1",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := backend.New(at("http://"+host+":80"), nil); err == nil {
				t.Errorf("a server at %q was accepted", host)
			}
		})
	}
	if _, err := backend.New(at("unix:///run/a%00b"), nil); err == nil {
		t.Error("a socket with NUL in its path was accepted")
	}
}

func TestServerNames(t *testing.T) {
	o := at("http://10.0.0.1:8080", "http://10.0.0.2:8080")
	o.Servers[0].Name, o.Servers[1].Name = "", ""
	b, err := backend.New(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Servers()[0].Name(); got != "10.0.0.1:8080" {
		t.Errorf("a server without a name is called %q, want its address", got)
	}
	o.Servers[0].Name = "10.0.0.2:8080"
	if _, err := backend.New(o, nil); err == nil {
		t.Error("two servers of one name were accepted")
	}
}
