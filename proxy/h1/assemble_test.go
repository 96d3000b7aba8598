package h1_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"doorward/proxy/h1"
)

// framed is a request in parts: "GET / host" and fields, where the host "-" is none.
func framed(line string, fields ...string) *h1.Request {
	part := strings.Split(line, " ")
	r := &h1.Request{Method: []byte(part[0]), Target: []byte(part[1])}
	if part[2] != "-" {
		r.Host = []byte(part[2])
	}
	r.Fields = partsOf(fields...)
	return r
}

func partsOf(lines ...string) (fields []h1.Field) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		fields = append(fields, h1.Field{Name: []byte(name), Value: []byte(value)})
	}
	return fields
}

func TestAssembleJudgesPartsAsText(t *testing.T) {
	p := h1.Parser{Limits: h1.Limits{HeadBytes: 1 << 10, HeadFields: 10, TargetBytes: 100}}
	for _, c := range []struct {
		r    *h1.Request
		want string
	}{
		{framed("GET /a?b a", "x: y"), "/a b a -1 false"},
		{framed("POST / a", "content-length: 3", "expect: 100-Continue"), "/  a 3 true"},
		{framed("GET / -", "host: b"), "/  b -1 false"},
		{framed("GET / a", "host: A"), "/  a -1 false"},
		{framed("OPTIONS * a"), "*  a -1 false"},
		{framed("GET / a", "te: Trailers"), "/  a -1 false"},
		{framed("GET / -"), "400"},
		{framed("GET / -", "host: "), "400"},
		{framed("GET / -", "host: a", "host: a"), "400"},
		{framed("GET / a", "host: b"), "400"},
		{framed("GET / a", "content-length: 03"), "400"},
		{framed("GET / a", "content-length: 00"), "400"},
		{framed("GET / a", "content-length: 0"), "/  a 0 false"},
		{framed("GET / a", "content-length: 1", "content-length: 1"), "400"},
		{framed("GET http://a/ a"), "400"},
		{framed("GET * a"), "400"},
		{framed("TRACE / a"), "405"},
		{framed("GET /" + strings.Repeat("x", 100) + " a"), "414"},
		{framed("GET / a", strings.Repeat("x", 257)+": y"), "431"},
		{framed("GET / a", "expect: y"), "417"},
	} {
		var got string
		var e *h1.SyntaxError
		switch err := p.Assemble(c.r); {
		case errors.As(err, &e):
			got = fmt.Sprint(e.Status)
		case err != nil:
			t.Errorf("error %v", err)
		default:
			got = fmt.Sprintf("%s %s %s %d %v", c.r.Path, c.r.Query, c.r.Host, c.r.Length, c.r.Continue)
		}
		if got != c.want {
			t.Errorf("%s %s, %d fields: %s, want %s", c.r.Method, c.r.Target, len(c.r.Fields),
				got, c.want)
		}
	}
}

func TestTrailersOfWeightAreRefusedInFramesToo(t *testing.T) {
	for _, name := range []string{"content-length", "host", "content_length", "transfer-encoding",
		"authorization", "cookie", "expect", "te", "trailer", "connection", "proxy-authorization",
		"X", "a b", "a\r\nb", "", ":path"} {
		f := h1.Field{Name: []byte(name), Value: []byte("x")}
		if err := h1.CheckTrailer(&f); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
	for _, f := range partsOf("x: a\r\nb", "x: a ", "x: \x00") {
		if err := h1.CheckTrailer(&f); err == nil {
			t.Errorf("%q is taken", f.Value)
		}
	}
	for _, f := range partsOf("grpc-status: 0", "date: x", "x: ") {
		if err := h1.CheckTrailer(&f); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}
