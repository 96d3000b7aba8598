package gate_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// reloadStreams are all ways in which an answer lasts at any host of the house.
func reloadStreams() map[string]func(*lastingHouse, *browser, string) *lasting {
	kinds := lastingKinds()
	delete(kinds, "gRPC") // which has a host of its own
	return kinds
}

// reloadHold opens all of them, which have to go on.
func (h *lastingHouse) reloadHold(b *browser, host string) map[string]*lasting {
	h.t.Helper()
	all := map[string]*lasting{}
	for name, open := range reloadStreams() {
		all[name+" at "+host] = open(h, b, host)
	}
	reloadGo(h.t, all)
	return all
}

func reloadGo(t *testing.T, all map[string]*lasting) {
	t.Helper()
	for name, l := range all {
		if !l.goes() {
			t.Errorf("%s has ended", name)
		}
	}
}

// reloadEnd fails the test unless all end within a second from now.
func reloadEnd(t *testing.T, all map[string]*lasting) {
	t.Helper()
	late := make(chan string)
	for name, l := range all {
		go func() {
			if l.ends() {
				name = ""
			}
			late <- name
		}()
	}
	for range all {
		if name := <-late; name != "" {
			t.Errorf("%s goes on a second later", name)
		}
	}
}

// reloadWith puts a configuration in force that differs in one place.
func (h *lastingHouse) reloadWith(before, after string) {
	h.t.Helper()
	site := h.site
	site.Text = strings.Replace(site.Text, before, after, 1)
	if before != "" && site.Text == h.site.Text {
		h.t.Fatalf("there is no %q in\n%s", before, site.Text)
	}
	if err := h.Edge.Reload(site); err != nil {
		h.t.Fatal(err)
	}
}

// reloadTalk is connections that stay open across reloads, one per protocol.
type reloadTalk struct {
	h    *lastingHouse
	text *edgetest.Client
	f    *edgetest.Frames
	next uint32
}

func (h *lastingHouse) reloadTalk(host string) *reloadTalk {
	return &reloadTalk{h, h.DialTLS(h.t, host), h.DialHTTP2(h.t, host), 1}
}

// expect asks for a page on both, as a program with cookies.
func (k *reloadTalk) expect(t *testing.T, host, cookies, status string) {
	t.Helper()
	request := "GET / HTTP/1.1⏎Host: " + host + "⏎"
	fields := edgetest.Get(host, "/")
	if cookies != "" {
		request += "Cookie: " + cookies + "⏎"
		fields = append(fields, "cookie: "+cookies)
	}
	if m := k.text.Send(request + "⏎").Answer(); http.StatusText(m.Status) != status ||
		m.Get("Location") != "" {
		t.Errorf("over HTTP/1.1: %d, want %s", m.Status, status)
	}
	r := k.f.Ask(k.next, fields...)
	k.next += 2
	if got := map[string]string{"200": "OK", "401": "Unauthorized", "403": "Forbidden",
		"421": "Misdirected Request"}[r.Status]; got != status {
		t.Errorf("over HTTP/2: %s, want %s", r.Status, status)
	}
}

// reloadStaff is the route of the group, as it stands in the file.
func reloadStaff(t *testing.T, h *lastingHouse) string {
	t.Helper()
	parts := strings.SplitAfter(h.site.Text, "[[route]]")
	for _, part := range parts {
		if strings.Contains(part, `name = "staff"`) {
			return "[[route]]" + strings.TrimSuffix(part, "[[route]]")
		}
	}
	t.Fatal("no such route")
	return ""
}

// A reload that takes a route away closes its WebSockets and answers nothing more there,
// on connections that are open already too. What is being answered goes on as it began,
// and for as long as its session does; other routes notice nothing.
func TestAReloadThatRemovesAGatedRoute(t *testing.T) {
	h := newLastingHouse(t, "")
	bob, eve := h.somebody("bob"), h.somebody("eve")
	gone, stays := h.reloadHold(bob, "staff.example"), h.reloadHold(bob, "app.example")
	theirs := h.reloadHold(eve, "staff.example")
	talk := h.reloadTalk("staff.example")
	cookies := bob.cookies("staff.example")
	talk.expect(t, "staff.example", cookies, "OK")
	h.reloadWith(reloadStaff(t, h), "")
	sockets := reloadTake(gone, "WebSocket")
	maps.Copy(sockets, reloadTake(theirs, "WebSocket"))
	reloadEnd(t, sockets)
	reloadGo(t, stays)
	reloadGo(t, gone)
	talk.expect(t, "staff.example", cookies, "Misdirected Request")
	talk.expect(t, "staff.example", "", "Misdirected Request")
	bob.send("/sign_out", url.Values{})
	reloadEnd(t, gone)
	reloadEnd(t, stays)
	reloadGo(t, theirs)
	if _, err := h.LeaveGroup(t.Context(), "staff", "eve"); err != nil {
		t.Fatal(err)
	}
	reloadEnd(t, theirs) // by the rule that they began with
}

// reloadTake takes those out whose names begin so.
func reloadTake(all map[string]*lasting, prefix string) map[string]*lasting {
	taken := map[string]*lasting{}
	for name, l := range all {
		if strings.HasPrefix(name, prefix) {
			taken[name] = l
			delete(all, name)
		}
	}
	return taken
}

// Whatever a rule comes to demand, those who do not have it are out at once, and those
// who do stay.
func TestAReloadThatDemandsMore(t *testing.T) {
	h := newLastingHouse(t, "")
	const before = `access = { groups = ["staff"] }`
	bob := h.somebody("bob")
	talk := h.reloadTalk("staff.example")
	cookies := bob.cookies("staff.example")
	for name, c := range map[string]struct {
		access string
		may    bool
	}{
		"another_group":    {`{ groups = ["chiefs"] }`, false},
		"a_role":           {`{ roles = ["Chief"] }`, false},
		"other_users":      {`{ users = ["eve"] }`, false},
		"nobody":           {`{ groups = [] }`, false},
		"another_network":  {`{ groups = ["staff"], networks = ["192.0.2.0/24"] }`, false},
		"a_second_factor":  {`{ groups = ["staff"], mfa = true }`, false},
		"one_of_two":       {`{ groups = ["chiefs", "staff"] }`, true},
		"this_user":        {`{ users = ["bob"] }`, true},
		"whoever_it_is":    {`"any-user"`, true},
		"nobody_is_asked":  {`"public"`, true},
		"with_a_password":  {`{ groups = ["staff"], providers = ["local"] }`, true},
		"only_for_reading": {`{ groups = ["staff"], methods = ["GET"] }`, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := h.endsAs(t)
			h.reloadWith("", "")
			open := h.reloadHold(&browser{bob.Client, t, bob.host}, "staff.example")
			elsewhere := h.reloadHold(&browser{bob.Client, t, bob.host}, "app.example")
			h.reloadWith(before, "access = "+c.access)
			if c.may {
				reloadGo(t, open)
				talk.expect(t, "staff.example", cookies, "OK")
			} else {
				reloadEnd(t, open)
				talk.expect(t, "staff.example", cookies, "Forbidden")
			}
			reloadGo(t, elsewhere)
		})
	}
}

// A reload that puts a public route behind the gate asks everybody from then on, on
// connections that are open already too, and closes the WebSockets of strangers. What is
// being answered goes on as it began.
func TestAReloadThatGatesAPublicRoute(t *testing.T) {
	h := newLastingHouse(t, "")
	const before = `access = { groups = ["staff"] }`
	bob, nobody := h.somebody("bob"), h.browser()
	h.reloadWith(before, `access = "public"`)
	begun, mine := h.reloadHold(nobody, "staff.example"), h.reloadHold(bob, "app.example")
	talk := h.reloadTalk("staff.example")
	cookies := bob.cookies("staff.example")
	talk.expect(t, "staff.example", "", "OK")
	h.reloadWith(before, before+"\npublic_paths = [\"=/ws\"]")
	talk.expect(t, "staff.example", "", "Unauthorized")
	reloadGo(t, begun)
	h.reloadWith("", "")
	reloadEnd(t, reloadTake(begun, "WebSocket"))
	talk.expect(t, "staff.example", "", "Unauthorized")
	talk.expect(t, "staff.example", "__Host-doorward="+strings.Repeat("x", 44), "Unauthorized")
	talk.expect(t, "staff.example", cookies, "OK")
	if p := nobody.open("https://staff.example/"); !strings.HasPrefix(p.url, "https://login.example/") {
		t.Errorf("a page: %d at %s", p.status, p.url)
	}
	m := h.DialTLS(t, "staff.example").Send("GET /ws HTTP/1.1⏎Host: staff.example⏎" +
		"Origin: https://staff.example⏎Connection: upgrade⏎Upgrade: websocket⏎" +
		"Sec-WebSocket-Version: 13⏎Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==⏎⏎").Answer()
	if m.Status != http.StatusUnauthorized {
		t.Errorf("a WebSocket of nobody: %d", m.Status)
	}
	reloadGo(t, begun)
	reloadGo(t, mine)
	bob.send("/sign_out", url.Values{})
	reloadEnd(t, mine)
	talk.expect(t, "staff.example", cookies, "Unauthorized")
}
