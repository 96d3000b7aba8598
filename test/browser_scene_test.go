package test_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"doorward/internal/browsertest"
	"doorward/internal/edgetest"
)

// scene is a page with something of everything: an edge whose servers are up, down,
// drained, in maintenance and not checked, with limits, a stick table and names of
// all lengths.
type scene struct {
	edge *edgetest.Edge
	all  map[string]*actor
}

// troupe are the backends of a scene with their keys and servers, in the order of
// the page.
var troupe = []struct {
	backend, keys string
	servers       []string
}{
	{
		"a-backend-that-somebody-gave-a-rather-long-name", "[backends.a-backend-that-somebody-gave-a-rather-long-name.check]",
		[]string{"api1", "a-server-whose-name-somebody-made-rather-long.rack-17.fra.example.com"},
	},
	{"intranet", "balance = \"header:X-Tenant\"\ndescription = \"Wiki, tickets, files\"", []string{"legacy"}},
	{"reports", "[backends.reports.check]", []string{"rep1"}},
	{
		"shop", `description = "What customers see"
			balance = "leastconn"
			queue_limit = "10k"
			[backends.shop.cookie]
			name = "SRV"
			[backends.shop.stick]
			on = "src"
			[backends.shop.check]`,
		[]string{"web1", "web2", "web3", "web4", "web5", "spare1"},
	},
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{all: map[string]*actor{}}
	var b strings.Builder
	b.WriteString("[rate_limits.login]\nrequests = 40\nper = \"10s\"\nsize = \"10k\"\n" +
		"[rate_limits.partners-of-ours]\nconcurrent = 20\nby = \"route\"\nlog_only = true\n")
	for _, part := range troupe {
		fmt.Fprintf(&b, "[backends.%s]\n%s\n", part.backend, part.keys)
		if strings.Contains(part.keys, ".check]") {
			b.WriteString(strings.TrimPrefix(strings.TrimSpace(watched), "[backends.app.check]"))
		}
		for _, name := range part.servers {
			a := newActors(t, "")[0]
			a.name = name
			s.all[name] = a
			fmt.Fprintf(&b, "\n[[backends.%s.server]]\nname = %q\nurl = \"http://%s\"\nbackup = %v\n"+
				"max_connections = 200\n", part.backend, name, a.address, name == "spare1")
		}
		fmt.Fprintf(&b, "[[route]]\nname = %[1]q\nhosts = [\"%[1]s.example\"]\nbackend = %[1]q\n"+
			"rate_limits = [\"login\", \"partners-of-ours\"]\n", part.backend)
	}
	s.edge = edgetest.Start(t, shown(edgetest.Config{Text: b.String()}, ""))
	return s
}

// act brings the servers into their states.
func (s *scene) act(t *testing.T) {
	t.Helper()
	for server, state := range map[string]string{"web4": "drain", "web5": "maint"} {
		if err := s.edge.App.SetAdmin("shop", server, state, "anna.of.the.night.shift@example.com"); err != nil {
			t.Fatal(err)
		}
	}
	s.all["web3"].die()
	s.all["rep1"].ails(status(500))
	wait(t, "two servers are down", func() bool {
		down := 0
		for _, b := range s.edge.App.View().Backends {
			for _, server := range b.Servers {
				if server.Health.Checked && !server.Health.Up {
					down++
				}
			}
		}
		return down == 2
	})
}

// ask sends some requests to every backend, and returns how many.
func (s *scene) ask(t *testing.T) {
	t.Helper()
	for _, part := range troupe {
		c := s.edge.Dial(t)
		for range 12 {
			c.Send(to(part.backend+".example", "GET", "/")).Answer()
		}
		c.Close()
	}
}

func looksOnPhone(t *testing.T, browser *browsertest.Browser) {
	s := newScene(t)
	s.act(t)
	s.ask(t)
	tab := visits(t, browser, at(s.edge, "stats.example"))
	for _, size := range []browsertest.Step{
		chromedp.EmulateViewport(1440, 900), chromedp.EmulateViewport(800, 600), browsertest.Phone(844, 1),
	} {
		tab.Do(size)
		for _, step := range []string{
			"scrollTo(0, 0)", `document.querySelector(".legend").open = true`,
			`document.getElementById("all").click()`, `document.querySelector("#b0s1 .name button").click()`,
			`document.querySelector("#b3s4 .name button").click()`,
			`document.querySelector(":popover-open").hidePopover()`,
			`document.getElementById("all").click(); document.querySelector(".legend").open = false`,
		} {
			tab.Do(chromedp.Evaluate[chromedp.Void](step))
			if got := tab.Overflow(); got != "" {
				t.Errorf("%d wide, after %q: too wide is\n%s",
					browsertest.Value[int](tab, "innerWidth"), step, got)
			}
		}
	}
	says(tab, "b3s2-status", "DOWN")
	stayed(t, tab)
	if browsertest.Pictures() != "" {
		s.pictures(t, tab)
	}
}

// pictures are for people: see browsertest.Pictures.
func (s *scene) pictures(t *testing.T, tab *browsertest.Tab) {
	url := at(s.edge, "stats.example")
	for _, name := range []string{"light", "dark"} {
		s.ask(t)
		tab.Do(browsertest.Theme(name), chromedp.EmulateViewport(1440, 900), chromedp.Navigate(url))
		tab.Until(isLive)
		tab.Screenshot("real-"+name, true)
		tab.Click("#b3s4 .name button")
		tab.Screenshot("real-"+name+"-panel", false)
		tab.Do(browsertest.Phone(844, 2), chromedp.Navigate(url))
		tab.Until(isLive)
		tab.Screenshot("real-"+name+"-phone", true)
		tab.Click("#b3s4 .name button")
		tab.Screenshot("real-"+name+"-phone-panel", false)
	}
}
