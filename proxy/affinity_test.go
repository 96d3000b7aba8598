package proxy_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"doorward/proxy"
	"doorward/proxy/backend"
)

// withCookie is a flow with two servers whose values are one and two.
func withCookie(t *testing.T, server script, change func(*proxy.AffinityCookie)) *flow {
	a := &proxy.AffinityCookie{Name: "SRV", Attributes: "; Path=/", Indirect: true, Private: true}
	if change != nil {
		change(a)
	}
	return newFlow(t, flowOptions{
		server: server,
		backend: backend.Options{Servers: []backend.ServerOptions{
			{Name: "s1", Weight: 1}, {Name: "s2", Weight: 1},
		}},
		snapshot: func(_ *proxy.Snapshot, r *proxy.Route) {
			a.Bind(r.Backend.Server("s1"), "one")
			a.Bind(r.Backend.Server("s2"), "two")
			r.Persistence.Cookie = a
		},
	})
}

const emptyAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

// getWith is a request with a Cookie field, none if it is empty.
func getWith(cookie string) string {
	if cookie != "" {
		cookie = "Cookie: " + cookie + "\r\n"
	}
	return "GET / HTTP/1.1\r\nHost: a\r\n" + cookie + "Connection: close\r\n\r\n"
}

func TestPersistenceCookie(t *testing.T) {
	for name, c := range map[string]struct {
		cookie string
		server string // "" is any
		state  string
		set    bool
	}{
		"none":               {"", "", "NI", true},
		"another one":        {"SRVX=two; XSRV=two", "", "NI", true},
		"valid":              {"SRV=two", "s2", "VN", false},
		"valid among others": {"a=b; SRV=one; c=d", "s1", "VN", false},
		"unknown":            {"SRV=three", "", "II", true},
		"empty":              {"SRV=", "", "II", true},
		"a server's name":    {"SRV=s2", "", "II", true},
		"4 KiB":              {"SRV=" + strings.Repeat("x", 4<<10), "", "II", true},
		"the first counts":   {"SRV=two; SRV=one", "s2", "VN", false},
		"dates that are not": {"SRV=two.x.y", "s2", "VN", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := withCookie(t, answering(emptyAnswer), nil)
			got := f.ask(getWith(c.cookie))
			r := f.record()
			if c.server != "" && r.Server != c.server {
				t.Errorf("server %q, want %q", r.Server, c.server)
			}
			if string(r.Cookie[:]) != c.state {
				t.Errorf("state %q, want %q", r.Cookie, c.state)
			}
			value := map[string]string{"s1": "one", "s2": "two"}[r.Server]
			want := "\r\nSet-Cookie: SRV=" + value + "; Path=/\r\nCache-Control: private\r\n"
			if strings.Contains(got, want) != c.set || strings.Contains(got, "Set-Cookie") != c.set {
				t.Errorf("answer %q, cookie wanted: %v", got, c.set)
			}
		})
	}
}

func TestPersistenceCookieIsOurs(t *testing.T) {
	for name, c := range map[string]struct{ sent, seen string }{
		"alone":     {"SRV=two", ""},
		"first":     {"SRV=two; a=b", "a=b"},
		"between":   {"a=b;SRV=two;c=d", "a=b; c=d"},
		"twice":     {"SRV=two; a=b; SRV=one", "a=b"},
		"malformed": {"; ;SRV=two", ""},
		"unknown":   {"SRV=nobody; a=b", "a=b"},
	} {
		t.Run(name, func(t *testing.T) {
			seen := make(chan string, 1)
			f := withCookie(t, func(_ int64, w net.Conn, r *http.Request) bool {
				seen <- strings.Join(r.Header.Values("Cookie"), "|")
				_, err := io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"+
					"Set-Cookie: SRV=evil; Path=/\r\nSet-Cookie: app=1\r\n\r\n")
				return err == nil
			}, nil)
			got := f.ask(getWith(c.sent))
			if cookie := <-seen; cookie != c.seen {
				t.Errorf("the server saw %q, want %q", cookie, c.seen)
			}
			if strings.Contains(got, "evil") || !strings.Contains(got, "Set-Cookie: app=1") {
				t.Errorf("answer %q", got)
			}
		})
	}
}

func TestPersistenceCookieIsPassedOnUnlessIndirect(t *testing.T) {
	seen := make(chan string, 1)
	f := withCookie(t, func(_ int64, w net.Conn, r *http.Request) bool {
		seen <- r.Header.Get("Cookie")
		_, err := io.WriteString(w, emptyAnswer)
		return err == nil
	}, func(a *proxy.AffinityCookie) { a.Indirect, a.Private = false, false })
	got := f.ask(getWith("a=b;SRV=nobody"))
	if cookie := <-seen; cookie != "a=b;SRV=nobody" {
		t.Errorf("the server saw %q", cookie)
	}
	if strings.Contains(got, "Cache-Control") {
		t.Errorf("answer %q", got)
	}
}

func TestPersistenceCookieAges(t *testing.T) {
	ago := func(d time.Duration) string {
		return strconv.FormatInt(time.Now().Add(-d).Unix(), 36)
	}
	dates := regexp.MustCompile(`SRV=(one|two)\.([0-9a-z]+)\.([0-9a-z]+);`)
	for name, c := range map[string]struct {
		last, first string
		state       string
		keepsFirst  bool
	}{
		"fresh":              {ago(time.Second), ago(time.Minute), "VN", true},
		"seen a while ago":   {ago(10 * time.Minute), ago(20 * time.Minute), "VU", true},
		"idle too long":      {ago(2 * time.Hour), ago(3 * time.Hour), "EI", false},
		"old":                {ago(time.Second), ago(25 * time.Hour), "OI", false},
		"from the future":    {ago(-48 * time.Hour), ago(time.Second), "EI", false},
		"another clock":      {ago(-time.Hour), ago(time.Second), "VN", true},
		"no dates":           {"", "", "EI", false},
		"too large a number": {strings.Repeat("z", 40), ago(time.Second), "EI", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := withCookie(t, answering(emptyAnswer), func(a *proxy.AffinityCookie) {
				a.MaxIdle, a.MaxLife = time.Hour, 24*time.Hour
			})
			got := f.ask(getWith(fmt.Sprintf("SRV=two.%s.%s", c.last, c.first)))
			r := f.record()
			if string(r.Cookie[:]) != c.state {
				t.Errorf("state %q, want %q", r.Cookie, c.state)
			}
			m := dates.FindStringSubmatch(got)
			if (m != nil) != (c.state[1] != 'N') {
				t.Fatalf("answer %q", got)
			}
			if m != nil && (m[3] == c.first) != c.keepsFirst {
				t.Errorf("first seen %s, was %s", m[3], c.first)
			}
		})
	}
}

// A cookie from before there were dates is good, as HAProxy has it, and gets some.
func TestPersistenceCookieWithoutDates(t *testing.T) {
	for name, age := range map[string]func(*proxy.AffinityCookie){
		"max idle": func(a *proxy.AffinityCookie) { a.MaxIdle = time.Hour },
		"max life": func(a *proxy.AffinityCookie) { a.MaxLife = time.Hour },
	} {
		f := withCookie(t, answering(emptyAnswer), age)
		for range 2 {
			got := f.ask(getWith("SRV=two"))
			dates := regexp.MustCompile(`SRV=two(\.[0-9a-z]{6,}){2};`).MatchString(got)
			if r := f.record(); r.Server != "s2" || string(r.Cookie[:]) != "VU" || !dates {
				t.Errorf("%s: %s, %s, %q", name, r.Server, r.Cookie, got)
			}
		}
	}
}

func TestPersistenceCookieOfAServerThatIsAway(t *testing.T) {
	f := withCookie(t, answering(emptyAnswer), nil)
	s2 := f.backend.Server("s2")
	for _, step := range []struct {
		does   func()
		server string
		state  string
	}{
		{func() { s2.SetAdmin(backend.Drain) }, "s2", "VN"},
		{func() { s2.SetWeight(0) }, "s2", "VN"},
		{func() { s2.SetAdmin(backend.Maint) }, "s1", "DI"},
		{func() { s2.SetAdmin(backend.Ready); s2.SetUp(false, false) }, "s1", "DI"},
	} {
		step.does()
		f.ask(getWith("SRV=two"))
		if r := f.record(); r.Server != step.server || string(r.Cookie[:]) != step.state {
			t.Errorf("server %s, state %q, want %s, %q", r.Server, r.Cookie, step.server, step.state)
		}
	}
}
