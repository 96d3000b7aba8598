package proxy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"doorward/proxy"
)

type list = proxy.ChangeList

func fields(pairs ...string) (vs []proxy.HeaderValue) {
	for i := 0; i < len(pairs); i += 2 {
		vs = append(vs, proxy.HeaderValue{Name: pairs[i], Value: pairs[i+1]})
	}
	return vs
}

// changed is the answer that a client gets under the lists, on a listener with
// TLS or without.
func changed(t testing.TB, secure bool, answer string, lists ...list) []string {
	t.Helper()
	s, r := setup(t)
	s.RequestIDHeader = ""
	r.Answer = answers(t, lists...)
	tr, err := proxy.NewTrial(s, &proxy.Listener{TLS: secure}, stranger,
		"GET /p?q HTTP/1.1\r\nHost: A.b.:80\r\n\r\n")
	if err != nil || tr.Decide() != 0 {
		t.Fatal(err, tr.Decide())
	}
	head, err := tr.AnswerHead("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" +
		strings.ReplaceAll(answer, "⏎", "\r\n") + "\r\n")
	if err != nil {
		t.Fatal(err)
	}
	got := lines(head)[1:]
	return slices.DeleteFunc(got, func(l string) bool { return l == "Content-Length: 0" })
}

func TestChanges(t *testing.T) {
	const sent = "Server: x⏎X-A: 1⏎x-a: 2⏎X-B: 3⏎"
	for name, c := range map[string]struct {
		lists []list
		want  string
	}{
		"nothing": {nil, "Server: x⏎X-A: 1⏎x-a: 2⏎X-B: 3"},
		"remove":  {[]list{{Remove: []string{"SERVER", "x-A", "none"}}}, "X-B: 3"},
		"set":     {[]list{{Set: fields("X-a", "n", "X-C", "m")}}, "Server: x⏎X-B: 3⏎X-a: n⏎X-C: m"},
		"add": {[]list{{Add: fields("X-A", "n", "X-C", "m")}},
			"Server: x⏎X-A: 1⏎x-a: 2⏎X-B: 3⏎X-A: n⏎X-C: m"},
		"add twice": {[]list{{Add: fields("C", "1")}, {Add: fields("c", "2")}},
			"Server: x⏎X-A: 1⏎x-a: 2⏎X-B: 3⏎C: 1⏎c: 2"},
		"default of a field that is there": {[]list{{Default: fields("x-b", "n")}},
			"Server: x⏎X-A: 1⏎x-a: 2⏎X-B: 3"},
		"default of one that is not": {[]list{{Default: fields("X-C", "n")}},
			"Server: x⏎X-A: 1⏎x-a: 2⏎X-B: 3⏎X-C: n"},
		"set wins over a default": {[]list{{Default: fields("X-C", "n")}, {Set: fields("X-C", "m")}},
			"Server: x⏎X-A: 1⏎x-a: 2⏎X-B: 3⏎X-C: m"},
		"remove wins over a default": {[]list{{Default: fields("X-B", "n")}, {Remove: []string{"X-B"}}},
			"Server: x⏎X-A: 1⏎x-a: 2"},
		"a later set wins over an earlier one": {[]list{{Set: fields("X-A", "n")}, {Set: fields("X-A", "m")}},
			"Server: x⏎X-B: 3⏎X-A: m"},
		"a later set wins over remove": {[]list{{Remove: []string{"X-A"}}, {Set: fields("X-A", "m")}},
			"Server: x⏎X-B: 3⏎X-A: m"},
		"a later remove wins over set": {[]list{{Set: fields("X-A", "m")}, {Remove: []string{"X-A"}}},
			"Server: x⏎X-B: 3"},
		"remove and add": {[]list{{Remove: []string{"X-A"}, Add: fields("X-A", "m")}},
			"Server: x⏎X-B: 3⏎X-A: m"},
		"fixed lines stand before templates, both by name": {
			[]list{{Set: fields("Z", "1", "T", "{host}", "Q", "{{2}}", "A", "{path}")}},
			"Server: x⏎X-A: 1⏎x-a: 2⏎X-B: 3⏎Q: {2}⏎Z: 1⏎A: /p⏎T: a.b",
		},
		"a template as default": {[]list{{Default: fields("X-B", "{host}", "X-C", "{host}")}},
			"Server: x⏎X-A: 1⏎x-a: 2⏎X-B: 3⏎X-C: a.b"},
	} {
		for _, secure := range []bool{false, true} {
			got := changed(t, secure, sent, c.lists...)
			if want := strings.Split(c.want, "⏎"); !slices.Equal(got, want) {
				t.Errorf("%s:\n got %q\nwant %q", name, got, want)
			}
		}
	}
}

// RFC 6797, section 7.2: not over plain HTTP.
func TestStrictTransportSecurityOnTLSOnly(t *testing.T) {
	for _, l := range []list{
		{Set: fields("Strict-Transport-Security", "max-age=1")},
		{Add: fields("strict-transport-security", "max-age=1")},
		{Default: fields("Strict-Transport-Security", "max-age=1")},
	} {
		if got := changed(t, false, "", l); len(got) > 0 {
			t.Errorf("over plain HTTP: %q", got)
		}
		if got := changed(t, true, "", l); len(got) != 1 {
			t.Errorf("over TLS: %q", got)
		}
	}
}

// The bit masks are a shortcut: whatever names are watched, exactly these are
// found.
func TestEveryWatchedNameIsFound(t *testing.T) {
	var remove []string
	var sent, kept strings.Builder
	for i := range 60 {
		for _, pattern := range []string{"%c-%d-X", "Name%[2]d%[1]c", "%cy%d"} {
			name := fmt.Sprintf(pattern, 'A'+i%26, i)
			if i%2 == 0 {
				remove = append(remove, strings.ToLower(name))
			} else {
				fmt.Fprintf(&kept, "%s: %d⏎", name, i)
			}
			fmt.Fprintf(&sent, "%s: %d⏎", name, i)
		}
	}
	want := strings.Split(strings.TrimSuffix(kept.String(), "⏎"), "⏎")
	if got := changed(t, false, sent.String(), list{Remove: remove}); !slices.Equal(got, want) {
		t.Errorf(" got %q\nwant %q", got, want)
	}
}

// More defaults than the bit set has room for must not be taken for others.
func TestManyDefaults(t *testing.T) {
	var many []proxy.HeaderValue
	for i := range 70 {
		many = append(many, proxy.HeaderValue{Name: fmt.Sprintf("D%03d", i), Value: "x"})
	}
	got := changed(t, false, "D000: mine⏎D063: mine⏎", list{Default: many})
	if !slices.Contains(got, "D000: mine") || slices.Contains(got, "D000: x") ||
		slices.Contains(got, "D063: x") || !slices.Contains(got, "D001: x") {
		t.Errorf("got %q", got)
	}
}

func TestChangesRefuseBadTemplates(t *testing.T) {
	for _, l := range []list{
		{Set: fields("X", "{nothing}")}, {Add: fields("X", "{host")}, {Default: fields("X", "{}")},
		{Set: fields("Host", "{nope}")},
	} {
		if _, err := proxy.CompileChanges(true, l); err == nil {
			t.Errorf("%+v compiles", l)
		}
		if _, err := proxy.CompileAnswerChanges(l); err == nil {
			t.Errorf("%+v compiles for answers", l)
		}
	}
}
