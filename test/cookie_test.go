package test_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"doorward/internal/edgetest"
)

// given is the value of the persistence cookie in an answer, "" for none, and all
// that stands behind it.
func given(t *testing.T, m *edgetest.Message) (value, attributes string) {
	t.Helper()
	for _, line := range m.Values("Set-Cookie") {
		if after, ok := strings.CutPrefix(line, "SRV="); ok {
			if value != "" {
				t.Errorf("two cookies in %+v", m)
			}
			value, attributes, _ = strings.Cut(after, ";")
		}
	}
	return value, attributes
}

// A client gets the cookie once, and comes back with it.
func TestPersistenceCookieIsInsertedOnce(t *testing.T) {
	all := newActors(t, "", "", "")
	edge := edgetest.Start(t, cast(cookies, all...))
	over(t, edge, func(t *testing.T, c *edgetest.Client) {
		for range 6 {
			m := c.Send(get("/")).Answer()
			home := m.Get("X-Server")
			value, attributes := given(t, m)
			if !regexp.MustCompile(`^[0-9a-z]{16}$`).MatchString(value) ||
				attributes != " Path=/; HttpOnly; Secure; SameSite=Lax" || m.Get("Cache-Control") != "private" {
				t.Errorf("the client gets %q with %q: %+v", value, attributes, m)
			}
			for range 2 {
				m = c.Send(get("/", "Cookie: SRV="+value)).Answer()
				if again, _ := given(t, m); again != "" || m.Get("X-Server") != home ||
					len(m.Values("Cache-Control")) > 0 {
					t.Errorf("a client of %s gets %+v", home, m)
				}
			}
		}
		// An upgrade counts as any other request.
		m := c.Send(handshake("/ws")).Answer()
		if value, _ := given(t, m); m.Status != 101 || value == "" {
			t.Errorf("an upgrade gets %+v", m)
		}
	})
}

// What the configuration says about the cookie stands in it.
func TestPersistenceCookieAttributes(t *testing.T) {
	a := newActors(t, "cookie = \"app.1\"")[0]
	edge := edgetest.Start(t, cast(cookies, a))
	for keys, want := range map[string]string{
		`domain = "example"`: " Path=/; Domain=example; HttpOnly; Secure; SameSite=Lax",
		`same_site = "off"`:  " Path=/; HttpOnly; Secure",
		"same_site = \"strict\"\nsecure = false\nhttp_only = false": " Path=/; SameSite=Strict",
		"same_site = \"none\"\nnocache = false":                     " Path=/; HttpOnly; Secure; SameSite=None",
	} {
		if err := edge.Reload(cast(cookies+keys, a)); err != nil {
			t.Fatal(err)
		}
		m := fetch(t, edge, "/")
		value, attributes := given(t, m)
		if private := m.Get("Cache-Control") == "private"; value != "app.1" || attributes != want ||
			private != !strings.Contains(keys, "nocache") {
			t.Errorf("%s: the client gets %q with %q: %+v", keys, value, attributes, m)
		}
		if again, _ := given(t, fetch(t, edge, "/", "Cookie: SRV="+value)); again != "" {
			t.Errorf("%s: the client gets another cookie, %q", keys, again)
		}
	}
}

// The cookie is between the client and the edge: no server sees it, and none sets
// it.
func TestPersistenceCookieIsNotTheServers(t *testing.T) {
	a := newActors(t, "cookie = \"one\"")[0]
	seen := make(chan []string, 1)
	a.play(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header["Cookie"]
		w.Header()["Set-Cookie"] = []string{
			"SRV=evil", "SRV=evil; Path=/", "srv=its own", "SRVX=1", "X=SRV=2",
		}
	})
	edge := edgetest.Start(t, cast(cookies, a))
	for _, c := range []struct {
		sent, indirect, direct []string
	}{
		{[]string{"a=b; SRV=one; c=d"}, []string{"a=b; c=d"}, []string{"a=b; SRV=one; c=d"}},
		{[]string{"SRV=one"}, nil, []string{"SRV=one"}},
		{[]string{"SRV=unknown"}, nil, []string{"SRV=unknown"}},
		{[]string{"SRV=one;a=b"}, []string{"a=b"}, []string{"SRV=one;a=b"}},
		{[]string{"a=SRV=one", "SRV=one", "b=\"; c\""}, []string{"a=SRV=one", "b=\"; c\""}, nil},
		{[]string{"SRVX=1; xSRV=2; srv=3; a=SRV"}, []string{"SRVX=1; xSRV=2; srv=3; a=SRV"}, nil},
	} {
		if c.direct == nil {
			c.direct = c.sent
		}
		var lines []string
		for _, line := range c.sent {
			lines = append(lines, "Cookie: "+line)
		}
		for keys, want := range map[string][]string{"": c.indirect, "indirect = false\n": c.direct} {
			if err := edge.Reload(cast(cookies+keys, a)); err != nil {
				t.Fatal(err)
			}
			m := fetch(t, edge, "/", lines...)
			if got := <-seen; fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
				t.Errorf("%s of %q the server saw %q, want %q", keys, c.sent, got, want)
			}
			if value, _ := given(t, m); value == "evil" || strings.Contains(m.Raw, "evil") ||
				!strings.Contains(m.Raw, "srv=its own") || !strings.Contains(m.Raw, "SRVX=1") ||
				!strings.Contains(m.Raw, "X=SRV=2") {
				t.Errorf("the client gets %+v", m)
			}
		}
	}
}

// letters is the part of a line in HAProxy's form that tells how a request ended
// and what became of its cookie.
func letters(t *testing.T, edge *edgetest.Edge, path string) string {
	t.Helper()
	line := ""
	wait(t, "a line about "+path, func() bool {
		for each := range strings.Lines(edge.Log()) {
			if strings.Contains(each, "GET "+path+" HTTP") {
				line = each
			}
		}
		return line != ""
	})
	if fields := strings.Fields(line); len(fields) > 9 {
		return fields[9]
	}
	return line
}

// What a client sends in place of a value that is good for nothing is nobody's: it
// is balanced and replaced, and nothing of it comes back.
func TestPersistenceCookieForged(t *testing.T) {
	all := newActors(t, "", "")
	c := cast(cookies, all...)
	c.Text += "[backends.other]\nservers = [\"http://" + all[0].address + "\"]\n" +
		"[backends.other.cookie]\nname = \"SRV\"\n" +
		"[[route]]\nhosts = [\"other.example\"]\nbackend = \"other\"\n"
	c.Log = `access = "haproxy"`
	edge := edgetest.Start(t, c)
	mine, _ := given(t, fetch(t, edge, "/"))
	foreign, _ := given(t, edge.Dial(t).Send(to("other.example", "GET", "/")).Answer())
	if foreign == "" || foreign == mine {
		t.Fatalf("values %q and %q of two backends", mine, foreign)
	}
	forged := map[string]string{
		"nobody": "nobody", "empty": "", "name": "s1", "address": all[0].address,
		"another backend's": foreign, "8 KiB": strings.Repeat("x", 8<<10),
		"cut": mine[:len(mine)-1], "longer": mine + "0", "case": strings.ToUpper(mine),
		"quoted": `"` + mine + `"`, "padded": mine + " x", "header": `x%0d%0aSet-Cookie:%20a=b`,
		"markup": `<script>'"` + "`", "bytes": "\xff\xfe\x80", "tab": "x\ty", "list": mine + "," + mine,
	}
	i := 0
	for name, value := range forged {
		t.Run("BE-08_"+strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			if name == "case" && value == mine {
				t.Skip("the value has no letter")
			}
			by := map[string]int{}
			for range 4 {
				i++
				path := fmt.Sprintf("/%d", i)
				m := fetch(t, edge, path, "Cookie: SRV="+value)
				fresh, _ := given(t, m)
				rest := strings.ReplaceAll(m.Raw, fresh, "")
				if m.Status != 200 || len(fresh) != len(mine) || fresh == value ||
					len(value) > 2 && strings.Contains(rest, value) {
					t.Errorf("%.100q gets %+v", value, m)
				}
				by[m.Get("X-Server")]++
			}
			if by["s1"] != 2 || by["s2"] != 2 {
				t.Errorf("%.100q is sent to %v", value, by)
			}
		})
	}
	for ; i > 0; i-- {
		if got := letters(t, edge, fmt.Sprintf("/%d", i)); got != "--II" {
			t.Errorf("request %d is logged as %s", i, got)
		}
	}
	for name, value := range map[string]string{"NUL": "a\x00b", "CR": "a\rb", "LF": "a\nb", "escape": "\x1b[2J"} {
		t.Run("BE-08_"+name, func(t *testing.T) {
			if m := fetch(t, edge, "/bad", "Cookie: SRV="+value); m.Status != 400 {
				t.Errorf("%q gets %+v", value, m)
			}
		})
	}
}

// The dates in the cookie say how long it is good.
func TestPersistenceCookieAges(t *testing.T) {
	all := newActors(t, "cookie = \"one\"", "cookie = \"two\"")
	c := cast(cookies+"max_idle = \"1h\"\nmax_life = \"24h\"\n", all...)
	c.Log = `access = "haproxy"`
	edge := edgetest.Start(t, c)
	at := func(ago time.Duration) string {
		return strconv.FormatInt(time.Now().Add(-ago).Unix(), 36)
	}
	first, _ := given(t, fetch(t, edge, "/"))
	want := map[string]string{}
	for path, c := range map[string]struct {
		value, letters string
		stays, renewed bool
	}{
		"/own":     {first, "--VN", true, false},
		"/fresh":   {"one." + at(time.Minute) + "." + at(time.Hour), "--VN", true, false},
		"/renewed": {"one." + at(20*time.Minute) + "." + at(5*time.Hour), "--VU", true, true},
		"/idle":    {"one." + at(2*time.Hour) + "." + at(5*time.Hour), "--EI", false, true},
		"/old":     {"one." + at(time.Minute) + "." + at(25*time.Hour), "--OI", false, true},
		"/undated": {"one", "--VU", true, true},
		"/forged":  {"one.x.-1", "--EI", false, true},
		"/future":  {"one." + at(-48*time.Hour) + "." + at(time.Hour), "--EI", false, true},
		"/nobody":  {"nine." + at(time.Minute) + "." + at(time.Hour), "--II", false, true},
	} {
		m := fetch(t, edge, path, "Cookie: SRV="+c.value)
		value, _ := given(t, m)
		server := map[string]string{"s1": "one", "s2": "two"}[m.Get("X-Server")]
		if name, _, _ := strings.Cut(c.value, "."); c.stays && server != name || (value != "") != c.renewed {
			t.Errorf("%s: %q gets %q from %s", path, c.value, value, server)
		}
		if value != "" && (!strings.HasPrefix(value, server+".") || strings.Count(value, ".") != 2) {
			t.Errorf("%s: the new value is %q, of %s", path, value, server)
		}
		if begun := strings.LastIndex(c.value, "."); begun > 0 && c.stays && c.renewed &&
			!strings.HasSuffix(value, c.value[begun:]) {
			t.Errorf("%s: %q is renewed as %q, and forgets when it began", path, c.value, value)
		}
		want[path] = c.letters
	}
	for path, state := range want {
		if got := letters(t, edge, path); got != state {
			t.Errorf("%s is logged as %s, want %s", path, got, state)
		}
	}
}

// The cookie leads to a server that drains or is not to be had as HAProxy has it.
func TestPersistenceCookieOfAServerThatIsGone(t *testing.T) {
	all := newActors(t, "cookie = \"one\"", "cookie = \"two\"")
	c := cast(cookies+watched, all...)
	c.Log = `access = "haproxy"`
	edge := edgetest.Start(t, c)
	meets := func(path, server, want string) {
		t.Helper()
		m := fetch(t, edge, path, "Cookie: SRV=one")
		value, _ := given(t, m)
		moved := map[string]string{"s1": "", "s2": "two"}[server]
		if m.Status != 200 || m.Get("X-Server") != server || value != moved {
			t.Errorf("%s: %+v, want %s", path, m, server)
		}
		if got := letters(t, edge, path); got != want {
			t.Errorf("%s is logged as %s, want %s", path, got, want)
		}
	}
	meets("/ready", "s1", "--VN")
	administer(t, edge, "s1", "drain", "ops")
	meets("/drains", "s1", "--VN")
	if err := edge.App.SetWeight("app", "s1", 0, "ops"); err != nil {
		t.Fatal(err)
	}
	meets("/weightless", "s1", "--VN")
	administer(t, edge, "s1", "maint", "ops")
	meets("/maintained", "s2", "--DI")
	administer(t, edge, "s1", "ready", "ops")
	meets("/again", "s1", "--VN")
	all[0].ails(status(500))
	goes(t, edge, "s1", false)
	meets("/down", "s2", "--DI")
	all[0].heals()
	goes(t, edge, "s1", true)
	// Nobody knows yet that it is gone: the request finds out, and goes elsewhere.
	unchecked := cast(cookies, all...)
	unchecked.Log = c.Log
	if err := edge.Reload(unchecked); err != nil {
		t.Fatal(err)
	}
	all[0].die()
	meets("/refused", "s2", "--DI")
}
