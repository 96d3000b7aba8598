package test_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"doorward/internal/edgetest"
)

// TestSecurityRLD has the cases of group RLD: what a reload does to requests and
// connections. What makes one fail is with package app.
func TestSecurityRLD(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"RLD-01_RLD-02_two_hundred_reloads_under_load":  reloadsUnderLoad,
		"RLD-02_request_under_way_keeps_what_it_has":    requestUnderWay,
		"RLD-03_refused_reload_under_load":              refusedUnderLoad,
		"RLD-05_removed_route_ends_on_open_connections": removedRoute,
		"RLD-06_connections_of_a_removed_listener":      removedListener,
		"RLD-10_reloads_race_with_each_other_and_stop":  racingReloads,
	} {
		t.Run(name, test)
	}
}

// generation is a configuration that can be told by its answers: the server, the
// header it gets and the header that the client gets all have its name.
func generation(name string, server *httptest.Server, more string) edgetest.Config {
	return edgetest.Config{Text: fmt.Sprintf(`
		[backends.%[1]s]
		servers = [%[2]q]
		[[route]]
		name = "app-%[1]s"
		hosts = ["app.example"]
		backend = %[1]q
		headers.request.set = { X-Gen = %[1]q }
		headers.response.set = { X-Gen = %[1]q }
		%[3]s
		`, name, server.URL, more)}
}

// ofOneGeneration tells whether an answer comes from one configuration alone.
func ofOneGeneration(r *http.Response, body string) error {
	gen := r.Header.Get("X-Gen")
	if server := r.Header.Get("X-Server"); gen == "" || server != gen ||
		!strings.HasPrefix(body, gen+" "+gen+" /") {
		return fmt.Errorf("X-Gen %q, X-Server %q, body %q", gen, server, body)
	}
	return nil
}

func reloadsUnderLoad(t *testing.T) {
	configs := []edgetest.Config{
		generation("red", website(t, "red"), ""),
		generation("green", website(t, "green"), "timeouts = { server = \"7s\" }"),
		generation("blue", website(t, "blue"), "[limits]\nhead_fields = 50"),
	}
	configs[1].TLS = "min_version = \"1.3\""
	edge := edgetest.Start(t, configs[0])
	l := startLoad(edge, ofOneGeneration)
	for i := range 200 {
		if err := edge.Reload(configs[i%len(configs)]); err != nil {
			t.Fatal(err)
		}
		if !l.wait(3) {
			break
		}
	}
	l.end(t)
}

// requestUnderWay is at its server when everything it was decided by goes away.
func requestUnderWay(t *testing.T) {
	arrived, release := make(chan bool, 4), make(chan bool)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- true
		<-release
		w.Header().Set("X-Server", "slow")
		fmt.Fprintf(w, "slow %s %s", r.Header.Get("X-Gen"), r.URL.Path)
	}))
	t.Cleanup(slow.Close)
	edge := edgetest.Start(t, generation("slow", slow, ""))
	next := generation("next", website(t, "next"), "")
	over(t, edge, func(t *testing.T, c *edgetest.Client) {
		if err := edge.Reload(generation("slow", slow, "")); err != nil {
			t.Fatal(err)
		}
		c.Send(get("/first") + get("/second"))
		<-arrived
		if err := edge.Reload(next); err != nil {
			t.Fatal(err)
		}
		release <- true
		for _, want := range []string{"slow slow /first", "next next /second"} {
			if m := c.Answer(); m.Body != want || m.Get("X-Gen") != strings.Fields(want)[0] {
				t.Errorf("answer %+v, want %q", m, want)
			}
		}
	})
}

func refusedUnderLoad(t *testing.T) {
	server := website(t, "good")
	good := generation("good", server, "")
	edge := edgetest.Start(t, good)
	l := startLoad(edge, ofOneGeneration)
	broken := generation("bad", server, "")
	for _, c := range []edgetest.Config{
		{Text: broken.Text + "nonsense = 1"}, {Text: "[["}, {Text: broken.Text, TLS: `certificates = ["/no/such"]`},
		{Text: broken.Text, Listen: `http = ["192.0.2.1:1"]`}, {Text: broken.Text, Log: `output = "/no/such/file"`},
		{Text: strings.Replace(broken.Text, server.URL, "ftp://x", 1)},
	} {
		for range 10 {
			if err := edge.Reload(c); err == nil {
				t.Error("the configuration is accepted")
			}
			l.wait(3)
		}
	}
	l.end(t)
}

func removedRoute(t *testing.T) {
	server := website(t, "here")
	with := generation("here", server, "")
	edge := edgetest.Start(t, with)
	for change, c := range map[string]struct {
		config edgetest.Config
		status int
	}{
		"host gone": {edgetest.Config{
			Text: strings.Replace(with.Text, "app.example", "other.example", 1),
		}, http.StatusMisdirectedRequest},
		"path gone": {generation("here", server, `paths = ["/elsewhere"]`), http.StatusNotFound},
		"closed":    {generation("here", server, `access = { networks = ["192.0.2.0/24"] }`), http.StatusForbidden},
	} {
		t.Run(change, func(t *testing.T) {
			over(t, edge, func(t *testing.T, client *edgetest.Client) {
				if err := edge.Reload(with); err != nil {
					t.Fatal(err)
				}
				if m := client.Send(get("/")).Answer(); m.Status != 200 {
					t.Fatalf("before: %+v", m)
				}
				if err := edge.Reload(c.config); err != nil {
					t.Fatal(err)
				}
				if m := client.Send(get("/")).Answer(); m.Status != c.status {
					t.Errorf("after: %+v, want %d", m, c.status)
				}
			})
		})
	}
}

// removedListener: its connections get an answer to what they are at, and that
// is their last; nobody comes in any more.
func removedListener(t *testing.T) {
	server := website(t, "here")
	with := generation("here", server, "")
	edge := edgetest.Start(t, with)
	plain, secure := edge.Dial(t), edge.DialTLS(t, "app.example")
	for _, c := range []*edgetest.Client{plain, secure} {
		c.Send(get("/")).Answer()
	}
	without := with
	without.Listen = "http = []"
	if err := edge.Reload(without); err != nil {
		t.Fatal(err)
	}
	if m := secure.Send(get("/")).Answer(); m.Status != 200 || m.Get("Connection") != "" {
		t.Errorf("the other listener gives %+v", m)
	}
	m, err := plain.Send(get("/")).TryAnswer("GET")
	if err == nil && (m.Status != 200 || m.Get("Connection") != "close") {
		t.Errorf("the removed listener gives %+v", m)
	}
	wantEnd(t, plain, edgetest.Closed)
	if v := (&visitor{address: edge.HTTP}); v.dial() == nil {
		v.close()
		t.Error("the removed listener still accepts")
	}
}

func racingReloads(t *testing.T) {
	a, b := generation("a", website(t, "a"), ""), generation("b", website(t, "b"), "")
	b.TLS = `min_version = "1.3"`
	edge := edgetest.Start(t, a)
	l := startLoad(edge, ofOneGeneration)
	var all sync.WaitGroup
	var writing sync.Mutex
	for _, c := range []edgetest.Config{a, b} {
		all.Go(func() {
			for range 25 {
				writing.Lock()
				edge.Write(c)
				writing.Unlock()
				if _, err := edge.App.Reload(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	l.end(t)
	reloading := make(chan error)
	go func() {
		var err error
		for err == nil {
			_, err = edge.App.Reload()
		}
		reloading <- err
	}()
	if err := edge.StopWithin(edgetest.Patience); err != nil {
		t.Errorf("stopping during reloads: %v", err)
	}
	select {
	case <-reloading:
	case <-time.After(edgetest.Patience):
		t.Error("a stopped instance reloads")
	}
}
