package h1_test

import (
	"slices"
	"strings"
	"testing"

	"doorward/proxy/h1"
)

func TestFields(t *testing.T) {
	r := parse(t, "GET / HTTP/1.1⏎Host: a⏎A:b⏎!#$%&'*+-.^_`|~09azAZ: \t x \t⏎"+
		"Empty:⏎Bytes: \x80\xff\x85 \xa0⏎Colon: a:b⏎Tab: a\tb⏎⏎")
	want := [][2]string{
		{"Host", "a"}, {"A", "b"}, {"!#$%&'*+-.^_`|~09azAZ", "x"}, {"Empty", ""},
		{"Bytes", "\x80\xff\x85 \xa0"}, {"Colon", "a:b"}, {"Tab", "a\tb"},
	}
	var got [][2]string
	for _, f := range r.Fields {
		got = append(got, [2]string{string(f.Name), string(f.Value)})
	}
	if !slices.Equal(got, want) {
		t.Errorf("fields are %q", got)
	}
	if v, ok := r.Get("colon"); string(v) != "a:b" || !ok {
		t.Errorf("Get = %q, %v", v, ok)
	}
	if v, ok := r.Find(h1.Host); string(v) != "a" || !ok {
		t.Errorf("Find = %q, %v", v, ok)
	}
	if _, ok := r.Get("cookie"); ok {
		t.Error("Get finds a field that is not there")
	}
	if _, ok := r.Find(h1.Cookie); ok {
		t.Error("Find finds a field that is not there")
	}
}

// malformed are lines that no head may have: names that some take for another,
// values that end a line for some, lines that continue the one before.
func malformed() []string {
	lines := []string{
		": x", "no colon", "Space : x", "Tab\t: x", "Na me: x", " Leading: x", "\tLeading: x",
		"A: b⏎ folded", "A: b⏎\tfolded", "A:⏎ folded", "Transfer-\r\nEncoding: x",
		"Na\x80me: x", "Na\xa0: x", "Näme: x", "A: b\rc", "A: \r", "A: b\r\r\nC: d", "A\r: b",
		"A: b\nC: d", "\nC: d", "A: b⏎\n",
	}
	for c := range 256 {
		b := string(rune(c))
		if c >= 0x80 {
			b = string([]byte{byte(c)})
		}
		if !strings.ContainsAny(b, "!#$%&'*+-.^_`|~") && !alphanumeric(byte(c)) && b != ":" {
			lines = append(lines, "Na"+b+"me: x", "Name"+b+": x", b+"Name: x")
		}
		if c < 0x20 && c != '\t' || c == 0x7f {
			lines = append(lines, "A: "+b, "A: x"+b, "A: "+b+"x", "A: 0123456"+b+"89abcdef",
				"A: 01234567"+b+"\x80\xff\t ", "A: "+strings.Repeat("x", 29)+b)
		}
	}
	return lines
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

func TestMalformedFieldsAreRefused(t *testing.T) {
	for _, line := range malformed() {
		for _, head := range []string{
			"GET / HTTP/1.1⏎Host: a⏎" + line + "⏎X: y⏎⏎", "GET / HTTP/1.1⏎" + line + "⏎Host: a⏎⏎",
		} {
			if _, err := parser.Parse(wire(head), new(h1.Request)); status(err) != 400 {
				t.Errorf("%q gives %v", head, err)
			}
		}
		answer := wire("HTTP/1.1 200 OK⏎" + line + "⏎⏎")
		if _, err := h1.ParseResponse(answer, new(h1.Response), limits); status(err) != 400 {
			t.Errorf("%q gives %v", answer, err)
		}
	}
}

// A sign other than the dash makes a framing field out of a name for software
// that folds signs; a letter or digit does not.
func TestSpellingsOfFramingFields(t *testing.T) {
	for c := byte('!'); c < 0x7f; c++ {
		if !h1.IsToken([]byte{c}) {
			continue
		}
		want := h1.Forbidden
		if alphanumeric(c) {
			want = h1.Other
		}
		for _, name := range []string{"Transfer-Encoding", "content-length"} {
			if c == '-' {
				continue
			}
			name = strings.Replace(name, "-", string(c), 1)
			r := parse(t, "POST / HTTP/1.1⏎Host: a⏎"+name+": chunked⏎⏎")
			if got := r.Fields[1].Kind; got != want {
				t.Errorf("%s is of kind %d, want %d", name, got, want)
			}
			if r.HasBody() {
				t.Errorf("%s frames the body", name)
			}
		}
	}
}

func TestKinds(t *testing.T) {
	kinds := map[string]h1.Kind{
		"Connection": h1.Connection, "Keep-Alive": h1.KeepAlive, "TE": h1.TE,
		"Proxy-Connection": h1.ProxyConnection, "Proxy-Authenticate": h1.ProxyAuthenticate,
		"Proxy-Authorization": h1.ProxyAuthorization, "Trailer": h1.Trailer,
		"Transfer-Encoding": h1.TransferEncoding, "Upgrade": h1.Upgrade,
		"HTTP2-Settings": h1.HTTP2Settings, "Content-Length": h1.ContentLength, "Host": h1.Host,
		"Expect": h1.Expect, "Cookie": h1.Cookie, "Authorization": h1.Authorization,
		"User-Agent": h1.UserAgent, "Referer": h1.Referer, "Date": h1.Date,
		"Cookies": h1.Other, "Ho_t": h1.Other, "Trailes": h1.Other, "Referes": h1.Other,
		"Upgrads": h1.Other, "X": h1.Other, "Connectioo": h1.Other, "User-Agenx": h1.Other,
	}
	value := map[string]string{"Transfer-Encoding": "chunked", "Content-Length": "1"}
	for name, want := range kinds {
		for _, spelling := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			v := value[name]
			if v == "" {
				v = "x"
			}
			var r h1.Response
			_, err := h1.ParseResponse(wire("HTTP/1.1 200 OK⏎"+spelling+": "+v+"⏎⏎"), &r, limits)
			if err != nil || r.Fields[0].Kind != want {
				t.Errorf("%s is of kind %d, want %d (%v)", spelling, r.Fields[0].Kind, want, err)
			}
		}
		hop := want >= h1.Connection && want <= h1.Nominated
		if want.HopByHop() != hop {
			t.Errorf("%s: HopByHop is %v", name, want.HopByHop())
		}
	}
}
