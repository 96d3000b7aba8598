package test_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"doorward/internal/edgetest"
)

// TestSecuritySticky has the cases about clients that belong to servers: by cookie
// and by table.
func TestSecuritySticky(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"BE-08_cookies_that_are_not_ours":            foreignCookies,
		"BE-08_cookies_tell_nothing":                 cookiesTellNothing,
		"BE-08_values_with_dots":                     dottedValues,
		"BE-17_servers_cannot_send_clients_away":     serversSetNoCookie,
		"DOS-07_a_flood_of_keys_in_a_stick_table":    floodOfKeys,
		"DOS-07_a_full_table_keeps_whom_it_knows":    fullTableKeeps,
		"DOS-17_a_queue_has_an_end":                  queueIsBounded,
		"DOS-26_clients_of_one_server_starve_nobody": oneServersClients,
		"RLD-07_tables_limits_and_states_survive":    tablesSurvive,
	} {
		t.Run(name, test)
	}
}

// named is a server that answers with its name.
func named(t *testing.T, name string) *edgetest.Recorder {
	return edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			p.Send(fmt.Sprintf("HTTP/1.1 200 OK⏎Content-Length: %d⏎⏎%s", len(name), name))
		}
	})
}

// pair is a configuration of two servers, one and two, of backend app.
func pair(one, two *edgetest.Recorder, keys string, ofServers ...string) edgetest.Config {
	text := "[backends.app]\n" + keys + "\n"
	for i, rec := range []*edgetest.Recorder{one, two} {
		text += fmt.Sprintf("[[backends.app.server]]\nname = %q\nurl = %q\n%s\n",
			[]string{"one", "two"}[i], rec.URL, strings.Join(ofServers, "\n"))
	}
	return edgetest.Config{Text: text + site}
}

// cookiesOf asks without a cookie until both servers have answered, and gives the
// values they have.
func cookiesOf(t *testing.T, edge *edgetest.Edge) map[string]string {
	t.Helper()
	values := map[string]string{}
	for range 4 {
		m := once(t, edge.HTTP, get("/"))
		pair, _, _ := strings.Cut(m.Get("Set-Cookie"), ";")
		_, values[m.Body], _ = strings.Cut(pair, "=")
	}
	if len(values) != 2 || values["one"] == "" || values["two"] == "" {
		t.Fatalf("the cookies are %v", values)
	}
	return values
}

const cookieOfServer = `cookie = { name = "SRV", secure = false, max_life = "1h" }`

func foreignCookies(t *testing.T) {
	one, two := named(t, "one"), named(t, "two")
	c := pair(one, two, cookieOfServer)
	c.Text += fmt.Sprintf("[[route]]\nhosts = [\"other.example\"]\nbackend = \"other\"\n[backends.other]\n"+
		"servers = [%q, %q]\n%s\n", one.URL, two.URL, cookieOfServer)
	edge := edgetest.Start(t, c)
	values := cookiesOf(t, edge)
	other, _, _ := strings.Cut(once(t, edge.HTTP, to("other.example", "GET", "/")).Get("Set-Cookie"), ";")
	_, other, _ = strings.Cut(other, "=")
	id, dates, _ := strings.Cut(values["one"], ".")
	if len(id) < 12 || dates == "" {
		t.Fatalf("the value is %q", values["one"])
	}
	if err := edge.App.SetAdmin("app", "two", "maint", "test"); err != nil {
		t.Fatal(err)
	}
	take(one)
	take(two)
	for _, value := range []string{
		values["two"], other, "one", "two", "app/one", one.Addr, one.URL, "", " ", "x", "=", ".", "..", id[1:],
		strings.ToUpper(id), id + "x", id + ".", id + "..", id + ".zzzzzzzzzzzzz.zzzzzzzzzzzzz", id + ".-1.-1",
		id + ".0.0", id + ".9999999999.9999999999", id + ".x", id + " " + id, id + "|" + dates, `"` + id + `"`, id + "%0d%0aX:y",
		id + "\u2028", strings.Repeat("a", 8000), strings.Repeat(".", 8000), "../../etc/passwd", "' or 1=1 --",
		"$" + id, id + ",two", "\xff\xfe",
	} {
		for _, cookie := range []string{"SRV=" + value, "a=b; SRV=" + value + "; c=d; SRV=" + value} {
			m := once(t, edge.HTTP, get("/", "Cookie: "+cookie))
			set := m.Get("Set-Cookie")
			if m.Status != 200 || m.Body != "one" || !strings.HasPrefix(set, "SRV="+id+".") ||
				strings.ContainsAny(set, "\r\n") {
				t.Errorf("%.80q: %d from %q sets %q", cookie, m.Status, m.Body, set)
			}
		}
	}
	if n := two.Count(); n > 0 {
		t.Errorf("%d requests went to a server in maintenance", n)
	}
	_, raw := one.Take()
	if strings.Contains(raw, "SRV=") {
		t.Error("a server saw the cookie")
	}
}

func cookiesTellNothing(t *testing.T) {
	one, two := named(t, "one"), named(t, "two")
	edge := edgetest.Start(t, pair(one, two, cookieOfServer))
	values := cookiesOf(t, edge)
	for name, value := range values {
		lower := strings.ToLower(value)
		for _, told := range []string{"one", "two", "app", "127", one.Addr, two.Addr} {
			if id, _, _ := strings.Cut(lower, "."); id == told || strings.Contains(value, one.Addr) {
				t.Errorf("the cookie of %s is %q", name, value)
			}
		}
	}
	// Another instance has other values.
	if again := cookiesOf(t, edgetest.Start(t, pair(one, two, cookieOfServer))); again["one"] == values["one"] {
		t.Errorf("two instances without a store in common have %v", again)
	}
}

// dottedValues: a value that somebody chose may hold whatever a cookie may.
func dottedValues(t *testing.T) {
	one, two := named(t, "one"), named(t, "two")
	c := pair(one, two, cookieOfServer)
	for _, name := range []string{"one", "two"} {
		c.Text = strings.Replace(c.Text, fmt.Sprintf("name = %q", name),
			fmt.Sprintf("name = %[1]q\ncookie = \"%[1]s.web-1.~!'()*\"", name), 1)
	}
	edge := edgetest.Start(t, c)
	values := cookiesOf(t, edge)
	for name, value := range values {
		for range 3 {
			m := once(t, edge.HTTP, get("/", "Cookie: SRV="+value))
			if m.Body != name || m.Get("Set-Cookie") != "" {
				t.Errorf("cookie %q leads to %q, which sets %q", value, m.Body, m.Get("Set-Cookie"))
			}
		}
	}
}

// serversSetNoCookie: the cookie is ours, and a server that sets it sends its
// clients nowhere.
func serversSetNoCookie(t *testing.T) {
	var steal string
	one := edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			p.Send("HTTP/1.1 200 OK⏎Set-Cookie: SRV=" + steal + "; Path=/⏎set-cookie:SRV=x;Path=/admin⏎" +
				"Set-Cookie: SRV =" + steal + "⏎Set-Cookie: \tSRV\t=" + steal + "⏎Set-Cookie: =SRV=" + steal +
				"⏎Set-Cookie: app=yes; SRV=x⏎Content-Length: 3⏎⏎one")
		}
	})
	two := named(t, "two")
	edge := edgetest.Start(t, pair(one, two, cookieOfServer))
	values := map[string]string{}
	for range 2 {
		m := once(t, edge.HTTP, get("/"))
		for _, set := range m.Values("Set-Cookie") {
			if value, ours := strings.CutPrefix(set, "SRV="); ours {
				values[m.Body] = value
			}
		}
	}
	steal, _, _ = strings.Cut(values["two"], ";")
	mine, _, _ := strings.Cut(values["one"], ";")
	m := once(t, edge.HTTP, get("/", "Cookie: SRV="+mine))
	if got := m.Values("Set-Cookie"); m.Body != "one" || fmt.Sprint(got) != "[app=yes; SRV=x]" {
		t.Errorf("%q sets %q", m.Body, got)
	}
}

// stickOf is what is known of the table of backend app.
func stickOf(t *testing.T, edge *edgetest.Edge) (used, size int64) {
	t.Helper()
	s := edge.App.View().Backends[0].Stick
	return s.Used, s.Size
}

// pipeline sends many requests on one connection, and gives how often each status
// came.
func pipeline(t *testing.T, edge *edgetest.Edge, many int, text func(int) string) map[int]int {
	t.Helper()
	const burst = 50
	c := edge.Dial(t)
	defer c.Close()
	statuses := map[int]int{}
	for from := 0; from < many; from += burst {
		var b strings.Builder
		for i := from; i < min(from+burst, many); i++ {
			b.WriteString(text(i))
		}
		c.Send(b.String())
		for i := from; i < min(from+burst, many); i++ {
			statuses[c.Answer().Status]++
		}
	}
	return statuses
}

func floodOfKeys(t *testing.T) {
	for name, c := range map[string]struct {
		stick string
		key   func(int) string
	}{
		"header": {`on = "header:X-Key"`, func(n int) string {
			return fmt.Sprintf("X-Key: %d%s", n, strings.Repeat("k", 7000))
		}},
		"cookie": {`on = "cookie:SID"`, func(n int) string { return fmt.Sprintf("Cookie: SID=%x", n) }},
		"IPv6 addresses": {`on = "src"`, func(n int) string {
			return fmt.Sprintf("X-Forwarded-For: 2001:db8:%x:%x::%x", n>>8, n&255, n)
		}},
		"one subscriber": {"on = \"src\"\nipv6_prefix = 64", func(n int) string {
			return fmt.Sprintf("X-Forwarded-For: 2001:db8::%x:%x", n>>8, n)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			one, two := named(t, "one"), named(t, "two")
			config := pair(one, two, "[backends.app.stick]\nsize = 500\n"+c.stick)
			config.Listen = `trusted_proxies = ["127.0.0.1"]`
			edge := edgetest.Start(t, config)
			ask := func(from, many int) {
				got := pipeline(t, edge, many, func(i int) string { return get("/", c.key(from+i)) })
				if got[200] != many {
					t.Errorf("answers %v", got)
				}
				take(one)
				take(two)
			}
			ask(0, 600)
			before := heap()
			ask(600, 1000)
			if grown := heap() - before; grown > 2<<20 {
				t.Errorf("1000 more keys hold %d bytes", grown)
			}
			used, size := stickOf(t, edge)
			if used > size || size > 1000 || name == "one subscriber" && used != 1 {
				t.Errorf("%d of %d entries are used", used, size)
			}
		})
	}
}

func fullTableKeeps(t *testing.T) {
	one, two := named(t, "one"), named(t, "two")
	edge := edgetest.Start(t, pair(one, two,
		"[backends.app.stick]\nsize = 100\nfull = \"refuse\"\non = \"header:X-Key\""))
	with := func(key string) string { return get("/", "X-Key: "+key) }
	home := once(t, edge.HTTP, with("first")).Body
	pipeline(t, edge, 1001, func(i int) string { return with(fmt.Sprint(i)) })
	for range 5 {
		if got := once(t, edge.HTTP, with("first")).Body; got != home {
			t.Fatalf("a client of %s is sent to %s after a flood", home, got)
		}
	}
	take(one)
	take(two)
}

// holding is a server that keeps requests for /held until it is told.
func holding(t *testing.T, name string) (*edgetest.Recorder, func()) {
	release := make(chan bool)
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Request(); m != nil; m = p.Request() {
			if m.Path == "/held" {
				<-release
			}
			p.Send(fmt.Sprintf("HTTP/1.1 200 OK⏎Content-Length: %d⏎⏎%s", len(name), name))
		}
	})
	return rec, sync.OnceFunc(func() { close(release) })
}

func queueIsBounded(t *testing.T) {
	rec, release := holding(t, "one")
	defer release()
	edge := edgetest.Start(t, siteOf(fmt.Sprintf("queue_limit = 5\ntimeouts = { queue = \"1m\" }\n"+
		"[[backends.app.server]]\nurl = %q\nmax_connections = 1\n", rec.URL)))
	edge.Dial(t).Send(get("/held"))
	if !edgetest.Until(func() bool { return rec.Count() == 1 }) {
		t.Fatal("the server got no request")
	}
	waiting := func() int64 { return edge.App.View().Backends[0].Queued }
	var all sync.WaitGroup
	for i := range 5 {
		c := edge.Dial(t).Send(get("/queued"))
		if !edgetest.Until(func() bool { return waiting() == int64(i)+1 }) {
			t.Fatalf("%d wait, want %d", waiting(), i+1)
		}
		all.Go(func() {
			if m, err := c.TryAnswer("GET"); err != nil || m.Status != 200 {
				t.Errorf("who waited got %+v, %v", m, err)
			}
		})
	}
	before := heap()
	got := pipeline(t, edge, 1000, func(int) string { return get("/too-many") })
	if got[http.StatusServiceUnavailable] != 1000 || waiting() != 5 {
		t.Errorf("answers %v, %d wait", got, waiting())
	}
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("they hold %d bytes", grown)
	}
	release()
	all.Wait()
}

// oneServersClients: whoever names one server, by its cookie, fills the queue of
// that one and of no other.
func oneServersClients(t *testing.T) {
	one, release := holding(t, "one")
	defer release()
	two := named(t, "two")
	edge := edgetest.Start(t, pair(one, two,
		cookieOfServer+"\ntimeouts = { queue = \"1m\" }\nqueue_limit = 50",
		"max_connections = 1\nqueue_limit = 3"))
	values := cookiesOf(t, edge)
	take(one)
	pinned := "Cookie: SRV=" + values["one"]
	edge.Dial(t).Send(get("/held", pinned))
	if !edgetest.Until(func() bool { return one.Count() == 1 }) {
		t.Fatal("the server got no request")
	}
	var all sync.WaitGroup
	elsewhere := make(chan string, 40)
	for range 40 {
		c := edge.Dial(t).Send(get("/mine", pinned))
		all.Go(func() {
			if m, err := c.TryAnswer("GET"); err == nil {
				elsewhere <- m.Body
			}
		})
	}
	// All but those that may wait are served by the other.
	for range 37 {
		if got := <-elsewhere; got != "two" {
			t.Errorf("a client of one got %q", got)
		}
	}
	for range 20 {
		if m := once(t, edge.HTTP, get("/")); m.Status != 200 || m.Body != "two" {
			t.Errorf("somebody else got %+v", m)
		}
	}
	release()
	all.Wait()
}

// tablesSurvive: what a reload must not forget, or it would be a way out.
func tablesSurvive(t *testing.T) {
	one, two := named(t, "one"), named(t, "two")
	limits := "[rate_limits.few]\nrequests = 3\nper = \"1h\"\n[[route]]\nname = \"few\"\nhosts = [\"few.example\"]\n" +
		"backend = \"app\"\nrate_limits = [\"few\"]\n"
	c := pair(one, two, cookieOfServer+"\n[backends.app.stick]\non = \"header:X-Key\"")
	c.Text = limits + c.Text
	edge := edgetest.Start(t, c)
	few := to("few.example", "GET", "/")
	for range 4 {
		once(t, edge.HTTP, few)
	}
	homes := map[string]string{}
	for i := range 20 {
		key := fmt.Sprintf("X-Key: %d", i)
		homes[key] = once(t, edge.HTTP, get("/", key)).Body
	}
	values := cookiesOf(t, edge)
	if err := edge.App.SetAdmin("app", "two", "drain", "test"); err != nil {
		t.Fatal(err)
	}
	c.Text = strings.Replace(c.Text, "[backends.app]\n", "[backends.app]\nretries = 1\nbalance = \"random\"\n", 1)
	for range 3 {
		if err := edge.Reload(c); err != nil {
			t.Fatal(err)
		}
		if m := once(t, edge.HTTP, few); m.Status != http.StatusTooManyRequests {
			t.Errorf("who was blocked got %+v", m)
		}
		for key, home := range homes {
			if got := once(t, edge.HTTP, get("/", key)).Body; got != home {
				t.Errorf("%s: a client of %s is sent to %s", key, home, got)
			}
		}
		for home, value := range values {
			if got := once(t, edge.HTTP, get("/", "Cookie: SRV="+value)).Body; got != home {
				t.Errorf("the cookie of %s leads to %s", home, got)
			}
		}
		if now := states(edge); now != "app/one ready; app/two drain; " {
			t.Errorf("the states are %s", now)
		}
	}
}
