package h1_test

import (
	"strings"
	"testing"

	"doorward/proxy/h1"
)

// fill is what becomes of pseudo-header fields, each ":name value".
func fill(fields []string, scheme string, websocket bool) (r h1.Request, err error) {
	var p h1.Pseudo
	for _, f := range fields {
		f, late := strings.CutPrefix(f, "late ")
		name, value, _ := strings.Cut(f, " ")
		at, err := p.Place(name, late)
		if err != nil {
			return r, err
		}
		*at = []byte(value)
	}
	return r, p.Fill(&r, scheme, websocket)
}

func TestPseudoMakesTheHeadOfARequest(t *testing.T) {
	get := []string{":method GET", ":scheme https", ":path /a?b"}
	socket := []string{":method CONNECT", ":scheme https", ":path /ws", ":authority a", ":protocol websocket"}
	for title, c := range map[string]struct {
		fields    []string
		websocket bool
		want      string // "METHOD target host upgrade"; else what the error says
	}{
		"without an authority":       {get, false, "GET /a?b - -"},
		"with one":                   {append(get, ":authority a.example:8443"), false, "GET /a?b a.example:8443 -"},
		"a scheme in capitals":       {[]string{":method GET", ":scheme HTTPS", ":path /"}, false, "GET / - -"},
		"a WebSocket":                {socket, true, "GET /ws a websocket"},
		"a WebSocket not offered":    {socket, false, "offered nowhere"},
		"CONNECT to another":         {append(socket[:4:4], ":protocol udp"), true, "offered nowhere"},
		"CONNECT as a proxy":         {socket[:4], true, "offered nowhere"},
		"GET with a protocol":        {append(get, ":protocol websocket"), true, "offered nowhere"},
		"no method":                  {get[1:], false, "missing"},
		"no path":                    {get[:2], false, "missing"},
		"nothing":                    {nil, false, "missing"},
		"H2-16_twice":                {append(get, ":path /c"), false, "twice"},
		"H2-16_late":                 {append(get, "late :authority a"), false, "behind others"},
		"H2-16_unknown":              {append(get, ":status 200"), false, "unknown"},
		"H2-16_in capitals":          {append(get, ":Path /c"), false, "unknown"},
		"another scheme":             {[]string{":method GET", ":scheme http", ":path /"}, false, "scheme"},
		"an empty authority":         {append(get, ":authority "), false, "no host"},
		"an authority with user":     {append(get, ":authority user@a"), false, "no host"},
		"an authority with path":     {append(get, ":authority a/b"), false, "no host"},
		"an authority with a space":  {append(get, ":authority a b"), false, "no host"},
		"an authority not in ASCII":  {append(get, ":authority ä.example"), false, "no host"},
		"an authority with a CR, LF": {append(get, ":authority a\r\nx"), false, "no host"},
	} {
		t.Run(title, func(t *testing.T) {
			r, err := fill(c.fields, "https", c.websocket)
			or := func(b []byte) string {
				if b == nil {
					return "-"
				}
				return string(b)
			}
			got := strings.Join([]string{or(r.Method), or(r.Target), or(r.Host), or(r.Upgrade)}, " ")
			if err != nil {
				got = err.Error()
			}
			if err == nil && got != c.want || err != nil && !strings.Contains(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestJoinCookiesMakesOneFieldOfMany(t *testing.T) {
	cookie := func(value string) h1.Field {
		return h1.Field{Name: []byte("cookie"), Value: []byte(value), Kind: h1.Cookie}
	}
	other := h1.Field{Name: []byte("accept"), Value: []byte("*/*")}
	for want, fields := range map[string][]h1.Field{
		"accept=*/*":                    {other},
		"cookie=a=b":                    {cookie("a=b")},
		"accept=*/*|cookie=a=b; c=d":    {cookie("a=b"), other, cookie("c=d")},
		"cookie=a=b; ; c=d":             {cookie("a=b"), cookie(""), cookie("c=d")},
		"accept=*/*|accept=*/*|cookie=": {other, cookie(""), other},
	} {
		r := h1.Request{Fields: fields}
		arena := h1.JoinCookies(&r, []byte("kept"))
		var got []string
		for _, f := range r.Fields {
			got = append(got, string(f.Name)+"="+string(f.Value))
		}
		if strings.Join(got, "|") != want || !strings.HasPrefix(string(arena), "kept") {
			t.Errorf("%q, want %q; the memory is %q", got, want, arena)
		}
	}
}
