package test_test

import (
	"crypto/tls"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// The fixed parts of version 2 headers.
const (
	signature = "\r\n\r\n\x00\r\nQUIT\n"
	proxyTCP4 = "\x21\x11"
	localTCP4 = "\x20\x11"
	addresses = "\xc0\x00\x02\x07\x0a\x00\x00\x01\x12\x67\x01\xbb" // 192.0.2.7:4711
)

// toApp asks for the application in a handshake.
var toApp = &tls.Config{ServerName: "app.example"}

// v2 is a header of version 2 with its length filled in.
func v2(kind, rest string) string { return v2Length(kind, len(rest), rest) }

func v2Length(kind string, n int, rest string) string {
	return signature + kind + string(binary.BigEndian.AppendUint16(nil, uint16(n))) + rest
}

func tlv(kind byte, value string) string { return tlvLength(kind, len(value), value) }

func tlvLength(kind byte, n int, value string) string {
	return string(binary.BigEndian.AppendUint16([]byte{kind}, uint16(n))) + value
}

// summed is a header with a checksum, to which wrong is added.
func summed(wrong uint32, tlvs string) string {
	const kind = 0x03
	raw := v2(proxyTCP4, addresses+tlvs+tlv(kind, "\x00\x00\x00\x00"))
	sum := crc32.Checksum([]byte(raw), crc32.MakeTable(crc32.Castagnoli)) + wrong
	return raw[:len(raw)-4] + string(binary.BigEndian.AppendUint32(nil, sum))
}

// TestSecurityPP has the cases of group PP from a peer that must send a header.
func TestSecurityPP(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{
		Listen: `proxy_protocol = ["127.0.0.1"]`,
		Text: "[timeouts]\nproxy_header = \"200ms\"\n" + rec.Backend("app") + `
			[[route]]
			hosts = ["app.example"]
			backend = "app"
			headers.request.set = { Client = "{client_ip}" }
		`,
	})
	for name, headers := range brokenHeaders() {
		t.Run(name, func(t *testing.T) {
			for _, header := range headers {
				c := edge.Dial(t).Send(header + get("/"))
				if m, err := c.TryAnswer("GET"); m != nil || err == nil {
					t.Errorf("%.80q: answer %+v", header, m)
				}
				secure := edgetest.Dial(t, edge.HTTPS).Send(header)
				if err := secure.StartTLS(edge, toApp); err == nil {
					t.Errorf("%.80q: the handshake succeeds", header)
				}
				secure.Close()
			}
			if requests, raw := rec.Take(); len(requests) > 0 {
				t.Errorf("the server got %q", raw)
			}
		})
	}
	t.Run("PP-05_slow", func(t *testing.T) {
		for _, part := range []string{
			"", "P", "PROXY", "PROXY TCP4 192.0.2.7 10.0.0.1 1 2", signature, signature[:5],
			v2(proxyTCP4, addresses)[:20], v2Length(proxyTCP4, 4000, addresses),
		} {
			if end := edge.Dial(t).Send(part).End(); end != edgetest.Closed {
				t.Errorf("%q: connection %v", part, end)
			}
		}
	})
	for name, headers := range soundHeaders() {
		t.Run(name, func(t *testing.T) {
			for header, client := range headers {
				for _, secure := range []bool{false, true} {
					soundHeader(t, edge, rec, header, client, secure)
				}
			}
		})
	}
}

func soundHeader(t *testing.T, edge *edgetest.Edge, rec *edgetest.Recorder, header, client string,
	secure bool,
) {
	t.Helper()
	address := edge.HTTP
	if secure {
		address = edge.HTTPS
	}
	c := edgetest.Dial(t, address)
	if secure {
		if err := c.Send(header).StartTLS(edge, toApp); err != nil {
			t.Fatalf("%q: %v", header, err)
		}
		c.Send(get("/"))
	} else {
		c.Send(header + get("/"))
	}
	if m := c.Answer(); m.Status != 200 {
		t.Errorf("%q: answer %+v", header, m)
	}
	// What looks like a header later is none.
	if m := c.Send("PROXY TCP4 198.51.100.1 10.0.0.1 1 2⏎").Answer(); m.Status != 400 {
		t.Errorf("%q: answer to a second header %+v", header, m)
	}
	c.Close()
	requests, raw := rec.Take()
	if len(requests) != 1 || requests[0].Get("Client") != client ||
		requests[0].Get("X-Forwarded-For") != client || strings.Contains(raw, "PROXY") {
		t.Errorf("%q: the server got %q, want client %s", header, raw, client)
	}
}

// soundHeaders maps headers to the client that they tell of.
func soundHeaders() map[string]map[string]string {
	const own = "127.0.0.1"
	ssl := tlv(0x20, "\x07\x00\x00\x00\x00"+tlv(0x22, "CN=admin"))
	return map[string]map[string]string{
		"PP-01_versions": {
			"PROXY TCP4 192.0.2.7 10.0.0.1 4711 443⏎":            "192.0.2.7",
			"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443⏎":       "2001:db8::7",
			"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:10.0.0.1 1 443⏎": "192.0.2.7",
			v2(proxyTCP4, addresses):                             "192.0.2.7",
			v2("\x21\x21", "\x20\x01\x0d\xb8"+strings.Repeat("\x00", 11)+"\x07"+
				strings.Repeat("\x00", 16)+"\x12\x67\x01\xbb"): "2001:db8::7",
		},
		"PP-03_unknown_says_nothing": {
			"PROXY UNKNOWN⏎": own, "PROXY UNKNOWN 192.0.2.7 10.0.0.1 1 2⏎": own,
		},
		"PP-04_sound_TLVs": {
			v2(proxyTCP4, addresses+tlv(0x02, "app.example")):                "192.0.2.7",
			v2(proxyTCP4, addresses+tlv(0x04, strings.Repeat("\x00", 3000))): "192.0.2.7",
			summed(0, ""): "192.0.2.7", summed(0, tlv(0x04, "abc")): "192.0.2.7",
		},
		"PP-06_LOCAL": {
			v2(localTCP4, addresses): own, v2("\x20\x00", ""): own, v2("\x20\x00", "whatever"): own,
			v2(localTCP4, ""): own,
		},
		"PP-07_TLVs_prove_nothing": {
			v2(proxyTCP4, addresses+ssl):                             "192.0.2.7",
			v2(proxyTCP4, addresses+tlv(0x02, "closed.example")+ssl): "192.0.2.7",
		},
	}
}

// brokenHeaders end the connection without an answer.
func brokenHeaders() map[string][]string {
	v1 := func(rest string) string { return "PROXY " + rest + "⏎" }
	return map[string][]string{
		"PP-02_missing": {"", "\x16\x03\x01", "GET / HTTP/1.1⏎Host: app.example⏎⏎", "⏎⏎", "\x00"},
		"PP-03_malformed_version_1": append(each(v1, "TCP4 192.0.2.7 10.0.0.1 99999 443",
			"TCP4 192.0.2.7 10.0.0.1 -1 443", "TCP4 192.0.2.7 10.0.0.1 1", "TCP4 a b c d", "TCP4",
			"",
			"TCP6 fe80::1%eth0 ::1 1 2", "TCP4 2001:db8::1 ::1 1 2", "TCP6 192.0.2.7 10.0.0.1 1 2",
			"UDP4 192.0.2.7 10.0.0.1 1 2", "TCP4 192.0.2.7 10.0.0.1 1 2 3",
			"tcp4 192.0.2.7 10.0.0.1 1 2",
			"TCP4  192.0.2.7 10.0.0.1 1 2", "TCP4 192.0.2.7 10.0.0.1 01 2",
			"TCP4 192.0.2.7/8 10.0.0.1 1 2",
			"TCP4 192.0.2.07 10.0.0.1 1 2", "TCP4 [192.0.2.7] 10.0.0.1 1 2",
			"TCP4 192.0.2.7 10.0.0.1 1 2 ", "TCP4 192.0.2.7 10.0.0.1 1 \x00"),
			"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\n", "PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\r\n",
			"PROXY UNKNOWN "+strings.Repeat("x", 100)+"⏎", "PROXY TCP4 "+strings.Repeat("1", 4096),
			"proxy TCP4 192.0.2.7 10.0.0.1 1 2⏎", "PROXYTCP4 192.0.2.7 10.0.0.1 1 2⏎",
			" PROXY TCP4 192.0.2.7 10.0.0.1 1 2⏎"),
		"PP-04_malformed_version_2": {
			v2Length(proxyTCP4, 65535, addresses), v2Length(proxyTCP4, 11, addresses[:11]),
			v2Length(proxyTCP4, 0, ""), v2Length("\x21\x21", 12, addresses),
			v2("\x21\x00", ""), v2("\x21\x12", addresses), v2("\x21\x13", addresses),
			v2("\x21\x41", addresses), v2("\x21\x51", addresses), v2("\x22\x11", addresses),
			v2("\x11\x11", addresses), v2("\x31\x11", addresses), v2("\x21\x31",
				strings.Repeat("/", 216)),
			v2(proxyTCP4, addresses+"\x04"), v2(proxyTCP4, addresses+"\x04\x00"),
			v2(proxyTCP4, addresses+tlvLength(0x04, 0xffff, "x")),
			v2(proxyTCP4, addresses+tlvLength(0x04, 2, "x")),
			v2(proxyTCP4, addresses+tlv(0x04, strings.Repeat("x", 8000))),
			summed(1, ""), summed(1<<31, tlv(0x04, "abc")),
			v2(proxyTCP4, addresses+tlv(0x03, "")), v2(proxyTCP4, addresses+tlv(0x03,
				"\x00\x00\x00")),
			strings.Replace(v2(proxyTCP4, addresses), "QUIT", "QUIP", 1), signature[:11] + "\r",
		},
	}
}

// TestSecurityPPStrangers has the cases of group PP from peers that nobody lists,
// and of a peer that takes its time.
func TestSecurityPPStrangers(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	edgetest.Run(t, edge, rec, []edgetest.Case{
		// Over TLS this is a header inside of it.
		refused("PP-01_PP-09_header_from_a_stranger",
			"PROXY TCP4 127.0.0.1 10.0.0.1 1 443⏎"+get("/"),
			"PROXY UNKNOWN⏎"+get("/"), v2(proxyTCP4, addresses)+get("/")),
	})
	t.Run("PP-01_header_before_TLS_from_a_stranger", func(t *testing.T) {
		edge, _ := startSite(t, edgetest.Echo, "")
		for _, header := range []string{
			"PROXY TCP4 127.0.0.1 10.0.0.1 1 443⏎", v2(proxyTCP4, addresses),
		} {
			c := edgetest.Dial(t, edge.HTTPS).Send(header)
			if err := c.StartTLS(edge, toApp); err == nil {
				t.Errorf("%q: the handshake succeeds", header)
			}
		}
		edge.Canaries(t)
	})
}

// TestSecurityPPSlow is PP-05 for the others: peers that say nothing keep nobody
// from being served.
func TestSecurityPPSlow(t *testing.T) {
	t.Run("PP-05_silent_peers_hold_nobody_up", func(t *testing.T) {
		rec := edgetest.Record(t, edgetest.Echo)
		edge := edgetest.Start(t, edgetest.Config{
			Listen: `proxy_protocol = ["127.0.0.1"]`,
			Text:   "[timeouts]\nproxy_header = \"1h\"\n" + rec.Backend("app") + site,
		})
		for range 50 {
			edge.Dial(t).Send("PROXY")
		}
		for range 3 {
			c := edge.Dial(t).Send(v2(proxyTCP4, addresses) + get("/"))
			if m := c.Answer(); m.Status != 200 {
				t.Errorf("answer %+v", m)
			}
		}
	})
}
