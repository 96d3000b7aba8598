package test_test

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// hosts are routes by host in every form.
const hosts = `
	[[route]]
	hosts = ["app.example", "admin.example"]
	backend = "app"

	[[route]]
	hosts = ["*.wild.example"]
	backend = "app"

	[[route]]
	hosts = ["~(blue|green)\\.pattern\\.example"]
	backend = "app"

	[[route]]
	hosts = ["closed.example"]
	backend = "app"
	access = { networks = ["192.0.2.0/24"] }

	[[route]]
	hosts = ["[::1]", "127.0.0.1"]
	backend = "app"
`

// TestSecurityHOST has the cases of group HOST that the Host field decides.
func TestSecurityHOST(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{Text: rec.Backend("app") + hosts})
	edgetest.Run(t, edge, rec, hostCases())
}

// hostCases are hosts in every spelling.
func hostCases() []edgetest.Case {
	heard := func(name, want string, hosts ...string) edgetest.Case {
		return served(name, wantField("Host", want), each(withHost, hosts...)...)
	}
	return []edgetest.Case{
		{
			Name: "HOST-01_unknown_hosts", Status: 421,
			Send: each(withHost, "nope.example", "192.0.2.1", "[2001:db8::1]", "localhost",
				"example",
				"app.example.evil", "xapp.example", "app", "127.0.0.2", "appexample", "app_example",
				"127.1", "0x7f.0.0.1", "2130706433", "[::2]", "[::ffff:127.0.0.1]"),
			Check: func(t testing.TB, o *edgetest.Outcome) {
				m := o.Answers[0]
				for _, secret := range []string{"app.example", "admin", "wild", "pattern",
					"closed"} {
					if strings.Contains(strings.Replace(m.Raw, o.Input, "", 1), secret) {
						t.Errorf("the answer tells of %s: %q", secret, m.Raw)
					}
				}
			},
		},
		// The handshake was for app.example: the host decides alone.
		heard("HOST-02_another_host_than_the_handshake_named", "admin.example", "admin.example"),
		{
			Name: "HOST-02_a_closed_host_behind_the_handshake_of_another", Status: 403,
			Send: each(withHost, "closed.example", "closed.example:443", "CLOSED.example",
				"closed.example.", "closed.example.:80"),
		},
		heard("HOST-03_trailing_dot", "admin.example", "admin.example.", "ADMIN.example."),
		heard("HOST-03_trailing_dot_and_port", "admin.example:8443", "admin.example.:8443"),
		refused("HOST-03_more_dots", each(withHost, "admin.example..", ".admin.example", ".", "..",
			"admin..example")...),
		heard("HOST-04_case", "admin.example", "aDmIn.ExAmPlE", "ADMIN.EXAMPLE"),
		heard("HOST-05_port", "admin.example:443", "admin.example:443", "ADMIN.example:443"),
		heard("HOST-05_another_port", "admin.example:0443", "admin.example:0443"),
		refused("HOST-05_no_port", withHost("admin.example:"), withHost(":"), withHost(":443")),
		heard("HOST-07_wildcard", "a.wild.example", "a.wild.example", "A.WILD.example."),
		{
			Name: "HOST-07_wildcard_is_one_label", Status: 421,
			Send: each(withHost, "a.b.wild.example", "wild.example", "xwild.example",
				"a.wild.examplex"),
		},
		refused("HOST-07_empty_label", withHost(".wild.example"), withHost("*.wild.example"),
			withHost("a..wild.example")),
		heard("HOST-07_expression", "blue.pattern.example", "blue.pattern.example",
			"BLUE.pattern.example"),
		{
			Name: "HOST-07_expressions_are_of_the_whole_host", Status: 421,
			Send: each(withHost, "xblue.pattern.example", "blue.pattern.example.evil",
				"bluexpattern.example", "a.blue.pattern.example", "red.pattern.example"),
		},
		heard("HOST-01_addresses_as_hosts", "[::1]:80", "[::1]:80", "[0:0::0:1]:80"),
	}
}

// TestSecurityHOSTMany is HOST-04 with more hosts than any list would be walked
// for.
func TestSecurityHOSTMany(t *testing.T) {
	t.Run("HOST-04_case_among_many_hosts", func(t *testing.T) {
		var names []string
		for a := 'a'; a <= 'z'; a++ {
			for b := 'a'; b <= 'z'; b++ {
				names = append(names, `"`+string(a)+string(b)+`.Many.example"`)
			}
		}
		rec := edgetest.Record(t, edgetest.Echo)
		edge := edgetest.Start(t, edgetest.Config{Text: rec.Backend("app") +
			"[[route]]\nbackend = \"app\"\nhosts = [" + strings.Join(names, ", ") + "]\n"})
		edgetest.Run(t, edge, rec, []edgetest.Case{
			served("HOST-04", nil, withHost("zz.many.example"), withHost("Aa.MANY.Example")),
			{Name: "HOST-04_others", Status: 421, Send: each(withHost, "zz1.many.example",
				"\x61.many.example")},
		})
	})
}

// TestSecurityHOSTHandshake has the cases of group HOST that are decided before
// the first byte of HTTP; those of the certificates alone are in package tls.
func TestSecurityHOSTHandshake(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{Text: rec.Backend("app") + hosts})
	works := func(t *testing.T, c *edgetest.Client, cfg *tls.Config) {
		t.Helper()
		if err := c.StartTLS(edge, cfg); err != nil {
			t.Fatalf("handshake: %v", err)
		}
		if m := c.Send(get("/x")).Answer(); m.Status != 200 || m.Body != "GET /x" {
			t.Errorf("answer %+v", m)
		}
	}
	fails := func(t *testing.T, cfg *tls.Config) {
		t.Helper()
		cfg.InsecureSkipVerify = true
		if err := edgetest.Dial(t, edge.HTTPS).StartTLS(edge, cfg); err == nil {
			t.Errorf("%q, protocols %q: the handshake succeeds", cfg.ServerName, cfg.NextProtos)
		}
	}
	t.Run("HOST-01_unknown_name", func(t *testing.T) {
		for _, name := range []string{"nope.test", "app.example.test", "", "192.0.2.1"} {
			fails(t, &tls.Config{ServerName: name})
		}
	})
	t.Run("HOST-03_HOST-04_other_spellings_of_the_name", func(t *testing.T) {
		for _, name := range []string{"APP.example", "app.example."} {
			works(t, edgetest.Dial(t, edge.HTTPS), &tls.Config{ServerName: name})
		}
	})
	t.Run("HOST-09_hello_byte_by_byte", func(t *testing.T) {
		works(t, edgetest.DialThrough(t, edge.HTTPS, byteWise),
			&tls.Config{ServerName: "app.example"})
	})
	t.Run("HOST-16_other_protocols", func(t *testing.T) {
		works(t, edgetest.Dial(t, edge.HTTPS), &tls.Config{ServerName: "app.example"})
		works(t, edgetest.Dial(t, edge.HTTPS), &tls.Config{
			ServerName: "app.example", NextProtos: []string{"ftp", "http/1.1"},
		})
		for _, protocol := range []string{"ftp", "acme-tls/1", "http/0.9", "h3"} {
			fails(t, &tls.Config{ServerName: "app.example", NextProtos: []string{protocol}})
		}
	})
	t.Run("HOST-16_plain_HTTP_on_a_TLS_listener", func(t *testing.T) {
		c := edgetest.Dial(t, edge.HTTPS).Send(get("/"))
		if m, err := c.TryAnswer("GET"); err == nil {
			t.Errorf("answer %+v", m)
		}
	})
	t.Run("HOST-16_TLS_on_a_plain_listener", func(t *testing.T) {
		c := edgetest.Dial(t, edge.HTTP)
		if err := c.StartTLS(edge, &tls.Config{ServerName: "app.example"}); err == nil {
			t.Error("the handshake succeeds")
		}
	})
	t.Run("HOST-14_second_handshake_inside_the_first", func(t *testing.T) {
		c := edge.DialTLS(t, "app.example")
		inner := tls.Client(c.Conn(), &tls.Config{ServerName: "app.example",
			InsecureSkipVerify: true})
		if err := inner.Handshake(); err == nil {
			t.Error("the handshake succeeds")
		}
	})
	edge.Canaries(t)
}

// byteWise writes one byte at a time.
func byteWise(c net.Conn) net.Conn { return &pieces{c} }

type pieces struct{ net.Conn }

func (p *pieces) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		_, err = p.Conn.Write(b[n : n+1])
		n++
	}
	return n, err
}

// TestSecurityHOSTRedirect has the case of group HOST on a listener that only
// redirects.
func TestSecurityHOSTRedirect(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{
		Listen: `http_redirect = true`,
		Text:   rec.Backend("app") + hosts,
	})
	ask := func(target, host string, lines ...string) string {
		return request("GET "+target+" HTTP/1.1", append([]string{"Host: " + host}, lines...)...)
	}
	_, port, _ := net.SplitHostPort(edge.HTTPS)
	for _, c := range []struct {
		name, location string
		status         int
		inputs         []string
	}{
		{"known_host", "https://app.example:" + port + "/x?y=//z", 301, []string{
			ask("/x?y=//z", "app.example"), ask("/x?y=//z", "APP.example:80"),
			ask("/./x?y=//z", "app.example."), ask("/x?y=//z", "app.example",
				"X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https"),
			ask("http://app.example/x?y=//z", "app.example"),
		}},
		{"path_that_looks_like_a_host", "https://app.example:" + port + "/evil.example", 301,
			[]string{
				ask("//evil.example", "app.example"), ask("///evil.example", "app.example"),
				ask("/x/..//evil.example", "app.example"), ask("/%2e//evil.example", "app.example"),
			}},
		{"expression", "https://blue.pattern.example:" + port + "/", 301, []string{
			ask("/", "blue.pattern.example"), ask("/", "Blue.Pattern.example."),
		}},
		{"unknown_host", "", 421, []string{
			ask("/", "evil.example"), ask("/", "app.example.evil"), ask("/", "192.0.2.1"),
			request("GET / HTTP/1.0"),
		}},
		{"no_safe_target", "", 400, []string{
			ask(`/\evil.example`, "app.example"), ask("/%0d%0aX:y", "app.example"),
			ask("/", "app.example,evil"), request("OPTIONS * HTTP/1.1", "Host: app.example"),
			ask("http://evil.example/", "app.example"),
			ask("/", "app.example@evil.example"), ask("/", "evil.example/.app.example"),
		}},
	} {
		t.Run("HOST-17_"+c.name, func(t *testing.T) {
			for _, input := range c.inputs {
				m := edge.Dial(t).Send(input).Answer()
				if got := m.Get("Location"); m.Status != c.status || got != c.location {
					t.Errorf("%q: %d, Location %q", input, m.Status, got)
				}
			}
		})
	}
	if requests, raw := rec.Take(); len(requests) > 0 {
		t.Errorf("the server got %q", raw)
	}
	edge.Canaries(t)
}
