package cookie_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"doorward/auth/cookie"
)

func TestInReadsOneValueOrNone(t *testing.T) {
	const name = cookie.Host
	for title, c := range map[string]struct {
		lines []string
		value string
		given bool
		many  bool
	}{
		"none":                   {lines: []string{"a=b"}},
		"alone":                  {[]string{name + "=x"}, "x", true, false},
		"among others":           {[]string{"a=b; " + name + "=x ;c=d"}, "x", true, false},
		"of another field":       {[]string{"a=b", name + "=x"}, "x", true, false},
		"empty":                  {[]string{name + "="}, "", true, false},
		"twice the same":         {[]string{name + "=x; " + name + "=x"}, "x", true, false},
		"COOK-04_two values":     {[]string{name + "=x; " + name + "=y"}, "", true, true},
		"COOK-04_in two fields":  {[]string{name + "=x", name + "=y"}, "", true, true},
		"another case":           {lines: []string{strings.ToLower(name) + "=x"}},
		"with something before":  {lines: []string{"x" + name + "=x"}},
		"with something behind":  {lines: []string{name + "x=x"}},
		"without a value":        {lines: []string{name}},
		"in another's value":     {lines: []string{"a=" + name + "=x"}},
		"quotes are part of it":  {[]string{name + `="x"`}, `"x"`, true, false},
		"separators and nothing": {lines: []string{";; ;", " "}},
	} {
		t.Run(title, func(t *testing.T) {
			f := cookie.In(cookie.Header{"Cookie": c.lines}, name)
			if string(f.Value()) != c.value || f.Given != c.given || f.Many != c.many {
				t.Errorf("%q, given %v, many %v", f.Value(), f.Given, f.Many)
			}
			r := &http.Request{Header: http.Header{"Cookie": c.lines}}
			if cookie.Ours(r) != c.given {
				t.Errorf("ours: %v", cookie.Ours(r))
			}
		})
	}
}

func TestTicketIsTakenAwayAsItWasGiven(t *testing.T) {
	for domain, want := range map[string]string{
		"":             "__Host-doorward=t; Path=/; HttpOnly; Secure; SameSite=Lax",
		"corp.example": "__Secure-doorward=t; Path=/; Domain=corp.example; HttpOnly; Secure; SameSite=Lax",
	} {
		w := httptest.NewRecorder()
		cookie.Ticket(w, domain, "t")
		cookie.Ticket(w, domain, "")
		got := w.Header().Values("Set-Cookie")
		gone := strings.Replace(strings.Replace(want, "=t;", "=;", 1), "; HttpOnly", "; Max-Age=0; HttpOnly", 1)
		if got[0] != want || got[1] != gone {
			t.Errorf("%q, want %q and %q", got, want, gone)
		}
	}
}

func TestABrowserIsKnownByWhatItWasGiven(t *testing.T) {
	r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
	first := cookie.Bind(w, r)
	given := w.Result().Cookies()
	if len(given) != 1 || given[0].Name != cookie.Browser || given[0].Value != first || given[0].MaxAge <= 0 {
		t.Fatalf("given %v", given)
	}
	r.AddCookie(given[0])
	w = httptest.NewRecorder()
	if cookie.Bind(w, r) != first || len(w.Result().Cookies()) != 0 || cookie.BrowserOf(r) != first {
		t.Errorf("a browser that is known was given %v", w.Result().Cookies())
	}
	known, again := cookie.Public(first), cookie.Public(cookie.BrowserOf(r))
	if known == first || known != again {
		t.Errorf("others know %q, and then %q", known, again)
	}
	for _, bad := range []string{"x", strings.Repeat("!", len(first)), first + "A"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: cookie.Browser, Value: bad})
		if got := cookie.BrowserOf(r); got != "" {
			t.Errorf("%q is taken for a browser: %q", bad, got)
		}
	}
}
