package test_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"doorward/internal/edgetest"
	"doorward/internal/porttest"
)

// mortal is a server that can be killed, with all its connections, and started
// again where it was.
type mortal struct {
	t       *testing.T
	address string
	server  *http.Server
}

func newMortal(t *testing.T) *mortal {
	m := &mortal{t: t, address: porttest.Address(t)}
	m.live()
	t.Cleanup(m.die)
	return m
}

func (m *mortal) live() {
	l, err := net.Listen("tcp", m.address)
	if err != nil {
		m.t.Fatal(err)
	}
	m.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", m.address, r.URL.Path)
	})}
	go func(s *http.Server) { _ = s.Serve(l) }(m.server)
}

func (m *mortal) die() { _ = m.server.Close() }

func urls(servers ...*mortal) string {
	var quoted []string
	for _, m := range servers {
		quoted = append(quoted, fmt.Sprintf("%q", "http://"+m.address))
	}
	return "servers = [" + strings.Join(quoted, ", ") + "]\n"
}

// Servers die in the middle of everything, one after the other, and come back.
// As long as one is there, nobody who asks for something harmless notices.
func TestServersKilledAndRestartedUnderLoad(t *testing.T) {
	servers := []*mortal{newMortal(t), newMortal(t), newMortal(t)}
	edge := edgetest.Start(t, siteOf(urls(servers...)+
		`retry_on = ["connect", "empty-response"]`))
	l := startLoad(edge, func(_ *http.Response, body string) error {
		if !strings.HasPrefix(body, "127.0.0.1:") {
			return fmt.Errorf("body %q", body)
		}
		return nil
	})
	for i := range 30 {
		victim := servers[i%len(servers)]
		victim.die()
		if !l.wait(40) {
			break
		}
		victim.live()
		if !l.wait(20) {
			break
		}
	}
	l.end(t)
}

// A server that stays away for good takes no request with it.
func TestServerThatIsGone(t *testing.T) {
	here, gone := newMortal(t), newMortal(t)
	edge := edgetest.Start(t, siteOf(urls(gone, here)))
	gone.die()
	over(t, edge, func(t *testing.T, c *edgetest.Client) {
		for i := range 20 {
			text := get("/")
			if i%2 == 1 {
				text = sized("hello")
			}
			if m := c.Send(text).Answer(); m.Status != 200 || !strings.HasPrefix(m.Body, here.address) {
				t.Errorf("answer %+v", m)
			}
		}
	})
}

// Without another server the retries wait for the one there is.
func TestServerThatComesBackInTime(t *testing.T) {
	only := newMortal(t)
	c := siteOf(urls(only) + "redispatch = false\nretries = 5\ntimeouts = { connect = \"200ms\" }\n")
	c.Text += "[backends.once]\n" + urls(only) + "retries = 0\n" +
		"[[route]]\nhosts = [\"once.example\"]\nbackend = \"once\"\n"
	edge := edgetest.Start(t, c)
	only.die()
	waiting := []*edgetest.Client{
		edge.Dial(t).Send(get("/")), edge.DialTLS(t, "app.example").Send(sized("hello")),
	}
	if m := edge.Dial(t).Send(to("once.example", "GET", "/")).Answer(); m.Status != 503 {
		t.Errorf("without retries: %+v", m)
	}
	only.live()
	for _, c := range waiting {
		if m := c.Answer(); m.Status != 200 {
			t.Errorf("answer %+v", m)
		}
	}
}
