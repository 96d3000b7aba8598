package h2_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"doorward/proxy/h2"
)

// spell writes a request down as a handler sees it.
func spell(s *h2.Stream) string {
	r := s.Request()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s host=%s path=%s query=%s length=%d chunked=%v upgrade=%s continue=%v",
		r.Method, r.Target, r.Host, r.Path, r.Query, r.Length, r.Chunked, r.Upgrade, r.Continue)
	for _, f := range r.Fields {
		fmt.Fprintf(&b, "|%s: %s", f.Name, f.Value)
	}
	return b.String()
}

func TestRequestReachesTheHandlerInTheFormOfHTTP1(t *testing.T) {
	p := start(t, options(), func(s *h2.Stream) {
		_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), []byte(spell(s)), true)
	})
	const plain = " length=-1 chunked=false upgrade= continue=false"
	for i, c := range []struct {
		name   string
		end    bool
		fields []string
		want   string
	}{
		{"no body", true, get("/a?b=c", "accept", "*/*"),
			"GET /a?b=c host=app.example path=/a query=b=c" + plain + "|accept: */*"},
		{"unknown length", false, post("/"),
			"POST / host=app.example path=/ query= length=-1 chunked=true upgrade= continue=false"},
		{"length", false, post("/", "content-length", "3"), "POST / host=app.example path=/ query= " +
			"length=3 chunked=false upgrade= continue=false|content-length: 3"},
		{"expectation", false, post("/", "expect", "100-continue"), "POST / host=app.example " +
			"path=/ query= length=-1 chunked=true upgrade= continue=true|expect: 100-continue"},
		{"asterisk", true, []string{":method", "OPTIONS", ":scheme", "http", ":path", "*",
			":authority", "app.example"}, "OPTIONS * host=app.example path=* query=" + plain},
		{"host field alone", true, []string{":method", "GET", ":scheme", "http", ":path", "/",
			"host", "old.example"}, "GET / host=old.example path=/ query=" + plain +
			"|host: old.example"},
		{"both hosts alike", true, get("/", "host", "APP.example"),
			"GET / host=app.example path=/ query=" + plain + "|host: APP.example"},
		{"crumbs", true, get("/", "cookie", "a=b", "x", "y", "cookie", "c=d", "cookie", "e=f"),
			"GET / host=app.example path=/ query=" + plain + "|x: y|cookie: a=b; c=d; e=f"},
		{"trailers wanted", true, get("/", "te", "trailers"),
			"GET / host=app.example path=/ query=" + plain + "|te: trailers"},
		{"websocket", false, []string{":method", "CONNECT", ":protocol", "websocket",
			":scheme", "http", ":authority", "app.example", ":path", "/chat"},
			"GET /chat host=app.example path=/chat query= length=-1 chunked=false " +
				"upgrade=websocket continue=false"},
	} {
		id := uint32(2*i + 1)
		_ = p.head(id, c.end, c.fields...)
		if got := string(p.wait(id).body); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// TestSecurity are malformed requests: they are reset, and no handler sees them.
func TestSecurity(t *testing.T) {
	o := options()
	p := start(t, o, func(s *h2.Stream) {
		_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), []byte(spell(s)), true)
	})
	id := uint32(1)
	for _, c := range malformed() {
		t.Run(c.name, func(t *testing.T) {
			a := p.ask(id, c.fields...)
			if !a.reset || a.code != http2.ErrCodeProtocol || a.status != "" {
				t.Errorf("%q: %+v %s", c.fields, a, a.body)
			}
		})
		id += 2
	}
	if a := p.ask(id, get("/fine")...); a.status != "200" {
		t.Errorf("after all of them: %+v", a)
	}
}

type bad struct {
	name   string
	fields []string
}

func malformed() []bad {
	all := []bad{
		{"H2-02_length_without_body", get("/", "content-length", "10")},
		{"H2-04_two_lengths", get("/", "content-length", "0", "content-length", "0")},
		{"H2-05_chunked", get("/", "transfer-encoding", "chunked")},
		{"H2-14_two_authorities", get("/", "host", "admin.internal")},
		{"H2-15_two_hosts", []string{":method", "GET", ":scheme", "http", ":path", "/",
			"host", "a", "host", "b"}},
		{"H2-16_pseudo_behind_others", []string{":method", "GET", ":scheme", "http",
			"foo", "x", ":path", "/", ":authority", "app.example"}},
		{"H2-16_unknown_pseudo", get("/", ":foo", "x")},
		{"H2-16_status", get("/", ":status", "200")},
		{"H2-11_two_paths", append(get("/")[:8:8], ":path", "/admin")},
		{"H2-10_two_methods", append([]string{":method", "POST"}, get("/")...)},
		{"H2-11_no_path", get("/")[:6]},
		{"H2-12_no_scheme", slices.Delete(get("/"), 2, 4)},
		{"H2-13_no_authority", slices.Delete(get("/"), 4, 6)},
		{"H2-10_no_method", get("/")[2:]},
		{"HOP-07_te", get("/", "te", "trailers, gzip")},
		{"H1-45_connect", []string{":method", "CONNECT", ":authority", "internal:80"}},
		{"WS_other_protocol", []string{":method", "CONNECT", ":protocol", "connect-udp",
			":scheme", "http", ":authority", "app.example", ":path", "/"}},
		{"WS_ended", []string{":method", "CONNECT", ":protocol", "websocket",
			":scheme", "http", ":authority", "app.example", ":path", "/"}},
		{"WS_without_connect", get("/", ":protocol", "websocket")},
	}
	for _, v := range []string{"+3", "3,3", "03", "-1", "", "0x2", "99999999999999999999"} {
		all = append(all, bad{"H2-04_length_" + v, get("/", "content-length", v)})
	}
	for _, v := range []string{"foo: x\r\nhost", "foo:bar", "Foo", "", " foo", "foo\x7f", "f\x00",
		":", "f\xe9"} {
		all = append(all, bad{fmt.Sprintf("H2-08_name_%q", v), get("/", v, "x")})
	}
	for _, v := range []string{" \tb ", "b ", "\tb", "a\r\nb: c", "a\nb", "a\x00b", "a\x7f"} {
		all = append(all, bad{fmt.Sprintf("H2-09_value_%q", v), get("/", "foo", v)})
	}
	for _, v := range []string{"GET /admin HTTP/1.1\r\nX: y", "GET /x", "", strings.Repeat("A", 300)} {
		f := get("/")
		f[1] = v
		all = append(all, bad{fmt.Sprintf("H2-10_method_%.10q", v), f})
	}
	for _, v := range []string{"/x\r\nX: y", "/x HTTP/1.1", "/x y", "/a#b", "http://i/", "admin", "*",
		"", "/\xff", "/\x7f", "?x"} {
		all = append(all, bad{fmt.Sprintf("H2-11_path_%q", v), get(v)})
	}
	for _, v := range []string{"https", "ht tp", "http\r\nX: y", "file", ""} {
		f := get("/")
		f[3] = v
		all = append(all, bad{fmt.Sprintf("H2-12_scheme_%q", v), f})
	}
	for _, v := range []string{"", "a/b", "a?b", "a b", "u@a", "a,b", "a\r\nx: y", "a\x00"} {
		f := get("/")
		f[5] = v
		all = append(all, bad{fmt.Sprintf("H2-13_authority_%q", v), f})
	}
	for _, n := range []string{"connection", "keep-alive", "proxy-connection", "upgrade",
		"http2-settings"} {
		all = append(all, bad{"HOP-09_" + n, get("/", n, "x-forwarded-user")})
	}
	return all
}

func TestRequestsThatAreInOrderButNotServedHaveARefusal(t *testing.T) {
	p := start(t, options(), func(s *h2.Stream) {
		reason := "none"
		if s.Refusal() != nil {
			reason = s.Refusal().Error()
		}
		_ = s.Answer([]byte("HTTP/1.1 400 Bad\r\n\r\n"), []byte(reason), true)
	})
	crumbs := get("/")
	for range 99 {
		crumbs = append(crumbs, "cookie", "a=b")
	}
	trace := get("/")
	trace[1] = "TRACE"
	for i, c := range []struct {
		name, want string
		fields     []string
	}{
		{"H1-54_trace", "method not allowed", trace},
		{"H2-33_99_crumbs", "none", crumbs},
		{"H2-33_101_crumbs", "header section too large", append(crumbs, "cookie", "a=b", "cookie", "x=y")},
		{"H1-59_large_field", "header section too large", get("/", "x", strings.Repeat("x", 16<<10))},
		{"PATH_long_target", "request target too long", get("/" + strings.Repeat("x", 8<<10))},
		{"H1-41_expectation", "expectation other than 100-continue", get("/", "expect", "y")},
		{"H1-41_expectation_of_nothing", "expectation other than 100-continue",
			get("/", "expect", "100-continue")},
	} {
		if a := p.ask(uint32(2*i+1), c.fields...); string(a.body) != c.want {
			t.Errorf("%s: %+v %s", c.name, a, a.body)
		}
	}
}
