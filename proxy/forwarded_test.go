package proxy_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"doorward/proxy"
)

func TestForwardingHeaders(t *testing.T) {
	const chain = "X-Forwarded-For: 1.2.3.4, 10.9.9.9⏎x-forwarded-for: 2001:db8::1⏎" +
		"X-Forwarded-Host: outside⏎X-Forwarded-Proto: HTTPS⏎Forwarded: for=1.2.3.4;proto=https⏎" +
		"X-Forwarded-Port: 8443⏎X-Real-IP: 1.2.3.4⏎"
	for name, c := range map[string]struct {
		peer, host, sent string
		want             []string
	}{
		"nothing sent": {stranger, "a.b", "", []string{
			"X-Forwarded-For: 192.0.2.7", "X-Forwarded-Host: a.b", "X-Forwarded-Proto: http",
			"Forwarded: for=192.0.2.7;host=a.b;proto=http",
		}},
		"IPv6 and a port": {"[2001:db8::7]:1", "a.b:8080", "", []string{
			"X-Forwarded-For: 2001:db8::7", "X-Forwarded-Host: a.b:8080", "X-Forwarded-Proto: http",
			`Forwarded: for="[2001:db8::7]";host="a.b:8080";proto=http`,
		}},
		"IPv6 host": {stranger, "[2001:db8::8]:80", "", []string{
			"X-Forwarded-For: 192.0.2.7", "X-Forwarded-Host: [2001:db8::8]:80",
			"X-Forwarded-Proto: http", `Forwarded: for=192.0.2.7;host="[2001:db8::8]:80";proto=http`,
		}},
		"a stranger's chain is dropped": {stranger, "a.b", chain, []string{
			"X-Forwarded-For: 192.0.2.7", "X-Forwarded-Host: a.b", "X-Forwarded-Proto: http",
			"Forwarded: for=192.0.2.7;host=a.b;proto=http",
		}},
		"a proxy's chain goes on": {insider, "a.b", chain, []string{
			"X-Forwarded-Port: 8443", "X-Real-IP: 1.2.3.4",
			"X-Forwarded-For: 1.2.3.4, 10.9.9.9, 2001:db8::1, 10.0.0.2",
			"X-Forwarded-Host: outside", "X-Forwarded-Proto: https",
			"Forwarded: for=1.2.3.4;proto=https, for=10.0.0.2;host=a.b;proto=https",
		}},
		"a proxy's empty fields": {insider, "a.b", "X-Forwarded-For:⏎X-Forwarded-Host:⏎Forwarded:⏎" +
			"X-Forwarded-Proto: javascript⏎", []string{
			"X-Forwarded-For: 10.0.0.2", "X-Forwarded-Host: a.b", "X-Forwarded-Proto: http",
			"Forwarded: for=10.0.0.2;host=a.b;proto=http",
		}},
	} {
		s, _ := setup(t)
		s.Forwarding = proxy.XForwarded | proxy.RFC7239
		head := trial(t, s, c.peer, "GET / HTTP/1.1⏎Host: "+c.host+"⏎"+c.sent+"⏎").RequestHead()
		if got := lines(head)[2:]; !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", name, got, c.want)
		}
	}
}

func TestForwardingFamilies(t *testing.T) {
	for family, want := range map[proxy.Forwarding][2]int{
		0: {0, 0}, proxy.XForwarded: {3, 0}, proxy.RFC7239: {0, 1},
	} {
		s, _ := setup(t)
		s.Forwarding = family
		head := trial(t, s, stranger, "GET / HTTP/1.1⏎Host: a⏎X-Forwarded-For: x⏎Forwarded: y⏎⏎").RequestHead()
		got := [2]int{strings.Count(head, "X-Forwarded-"), strings.Count(head, "\r\nForwarded:")}
		if got != want {
			t.Errorf("family %d: %q", family, head)
		}
	}
}

func TestClientAddress(t *testing.T) {
	for _, c := range []struct{ peer, chain, want string }{
		{stranger, "1.2.3.4", stranger},
		{insider, "", insider},
		{insider, "1.2.3.4", "1.2.3.4:0"},
		{insider, "1.2.3.4, 10.0.0.1", "1.2.3.4:0"},
		{insider, "9.9.9.9, 1.2.3.4,10.0.0.1 ,\t10.0.0.3", "1.2.3.4:0"},
		{insider, "9.9.9.9⏎X-Forwarded-For: 1.2.3.4⏎x-FORWARDED-for: 10.0.0.1", "1.2.3.4:0"},
		{insider, "10.0.0.5, 10.0.0.1", "10.0.0.5:0"},
		{insider, "1.2.3.4:99", "1.2.3.4:99"},
		{insider, "2001:db8::1", "[2001:db8::1]:0"},
		{insider, "[2001:db8::1]", "[2001:db8::1]:0"},
		{insider, "[2001:db8::1]:99", "[2001:db8::1]:99"},
		{insider, "::ffff:1.2.3.4", "1.2.3.4:0"},
		{insider, "[::ffff:10.0.0.9]:5, ::ffff:10.0.0.1", "10.0.0.9:5"},
		{insider, "fe80::1%eth0", "[fe80::1]:0"},
		{insider, "unknown", insider},
		{insider, "1.2.3.4, unknown", insider},
		{insider, "1.2.3.4, unknown, 10.0.0.1", "10.0.0.1:0"},
		{insider, "1.2.3.4,,10.0.0.1", "10.0.0.1:0"},
		{insider, "1.2.3.4,", insider},
		{insider, "01.2.3.4", insider}, {insider, "1.2.3", insider}, {insider, "[::1", insider},
		{insider, "1.2.3.4:99999", insider}, {insider, `"1.2.3.4"`, insider},
	} {
		s, _ := setup(t)
		tr := trial(t, s, c.peer, "GET / HTTP/1.1⏎Host: a⏎X-Forwarded-For: "+c.chain+"⏎⏎")
		if got := tr.Client(); got != netip.MustParseAddrPort(c.want) {
			t.Errorf("%s sends %q: the client is %v, want %s", c.peer, c.chain, got, c.want)
		}
	}
}

// FuzzForwardedFor holds for every chain that a trusted proxy may send: whoever
// forges the left of it cannot pass for somebody on the right.
func FuzzForwardedFor(f *testing.F) {
	for _, chain := range []string{
		"1.2.3.4, 10.0.0.1", "::ffff:10.0.0.1", "[::1]:80", ",", "unknown", "10.0.0.1,10.0.0.2:5, x",
	} {
		f.Add(chain, "10.0.0.3")
	}
	s, _ := setup(f)
	f.Fuzz(func(t *testing.T, forged, real string) {
		for _, forged := range []string{forged, ""} {
			head := "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: " + forged + ",8.8.8.8, 10.0.0.1\r\n" +
				"X-Forwarded-For: 10.0.0.9\r\n\r\n"
			tr, err := proxy.NewTrial(s, &proxy.Listener{}, insider, head)
			if err != nil || tr.Decide() != 0 {
				return
			}
			if got := tr.Client(); got.Addr() != netip.MustParseAddr("8.8.8.8") {
				t.Fatalf("%q makes the client %v", forged, got)
			}
		}
		tr, err := proxy.NewTrial(s, &proxy.Listener{}, insider,
			"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: "+real+"\r\n\r\n")
		if err != nil || tr.Decide() != 0 {
			return
		}
		if got := tr.Client(); !got.IsValid() || got.Addr().Is4In6() || got.Addr().Zone() != "" {
			t.Fatalf("%q makes the client %v", real, got)
		}
	})
}

// Without X-Forwarded-For and -Proto, a trusted proxy is believed by RFC 7239.
func TestClientOfForwarded(t *testing.T) {
	const x = "X-Forwarded-For: 5.6.7.8⏎"
	for _, c := range []struct{ peer, sent, want, scheme string }{
		{stranger, "Forwarded: for=1.2.3.4;proto=https⏎", stranger, "http"},
		{insider, "Forwarded: for=1.2.3.4;proto=https⏎", "1.2.3.4:0", "https"},
		{insider, "Forwarded: proto=HTTPS ; For=\"1.2.3.4:99\"⏎", "1.2.3.4:99", "https"},
		{insider, "Forwarded: for=\"[2001:db8::1]\"⏎", "[2001:db8::1]:0", "http"},
		{insider, "Forwarded: for=9.9.9.9, for=1.2.3.4;host=\"a,b\", for=10.0.0.1;proto=https⏎",
			"1.2.3.4:0", "https"},
		{insider, "Forwarded: for=9.9.9.9⏎forwarded: for=1.2.3.4⏎", "1.2.3.4:0", "http"},
		{insider, "Forwarded: for=\"x, for=1.2.3.4⏎", "1.2.3.4:0", "http"},
		{insider, "Forwarded: for=1.2.3.4, for=unknown⏎", insider, "http"},
		{insider, "Forwarded: for=1.2.3.4, for=_hidden, for=10.0.0.1⏎", "10.0.0.1:0", "http"},
		{insider, "Forwarded: for=1.2.3.4;proto=javascript⏎", "1.2.3.4:0", "http"},
		{insider, "Forwarded: ⏎", insider, "http"},
		{insider, x + "Forwarded: for=1.2.3.4;proto=https⏎", "5.6.7.8:0", "http"},
	} {
		s, _ := setup(t)
		tr := trial(t, s, c.peer, "GET / HTTP/1.1⏎Host: a⏎"+c.sent+"⏎")
		if got := tr.Client(); got != netip.MustParseAddrPort(c.want) {
			t.Errorf("%s sends %q: the client is %v, want %s", c.peer, c.sent, got, c.want)
		}
		scheme, _ := proxy.ParseTemplate("{scheme}")
		if got := tr.Expand(scheme); got != c.scheme {
			t.Errorf("%s sends %q: the scheme is %s, want %s", c.peer, c.sent, got, c.scheme)
		}
	}
}
