package test_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"doorward/internal/edgetest"
)

// However a request ends, its place is free afterwards: after errors, refusals,
// answers cut short, and clients that leave at any moment.
func TestPlacesAreFreeAfterAStorm(t *testing.T) {
	for name, over := range map[string]string{
		"reject": "over = \"reject\"\n", "queue": "over = \"queue\"\nqueue = \"100ms\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			a := newActors(t, "max_connections = 2")[0]
			config := func() edgetest.Config {
				return limited(a, hurried+"[rate_limits.never]\nrequests = 1\nper = \"1h\"\n"+
					"[rate_limits.three]\nconcurrent = 3\n"+over, `"three"`,
					map[string]string{"never.example": `"three", "never"`})
			}
			edge := edgetest.Start(t, config())
			for part, play := range map[string]http.HandlerFunc{
				"errors": status(500), "silence": silent, "torrent": torrent, "answers cut short": cutShort,
				"no answers": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			} {
				a.play(play)
				storm(t, edge)
				calm(t, edge, a, part)
			}
			a.part.Store(nil)
			storm(t, edge)
			calm(t, edge, a, "a server that is well")
			a.die()
			storm(t, edge)
			a.live()
			calm(t, edge, a, "a server that is gone")
			a.keys = ""
			if err := edge.Reload(config()); err != nil {
				t.Fatal(err)
			}
			wantRoom(t, edge, a, 3)
		})
	}
}

const hurried = `
	[timeouts]
	server = "150ms"
	client = "150ms"
	tunnel = "150ms"
	queue = "100ms"
	request_head = "100ms"
	keep_alive = "50ms"
	`

func cutShort(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, "hardly begun")
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// torrent ends when nobody takes any more.
func torrent(w http.ResponseWriter, _ *http.Request) {
	for {
		if _, err := io.WriteString(w, strings.Repeat("x", 32<<10)); err != nil {
			return
		}
	}
}

// storm is clients that each leave in a way of its own, all at the same time.
func storm(t *testing.T, edge *edgetest.Edge) {
	t.Helper()
	var all sync.WaitGroup
	for _, text := range []string{
		get("/"), get("/whole") + get("/and-another"), get("/")[:20],
		sized("the whole body"), sized(strings.Repeat("x", 100_000))[:1000],
		chunked("5⏎hello⏎0⏎⏎"), chunked("5⏎hello⏎5⏎"), chunked("5⏎hello⏎no chunk⏎"),
		handshake("/ws"), handshake("/ws") + "and bytes", to("never.example", "GET", "/"),
	} {
		for _, leave := range []func(*edgetest.Client){
			(*edgetest.Client).Reset,
			(*edgetest.Client).Close,
			(*edgetest.Client).CloseWrite,
			func(c *edgetest.Client) { _, _ = c.Rest().Read(make([]byte, 1)) },
			func(c *edgetest.Client) { _, _ = io.CopyN(io.Discard, c.Rest(), 64<<10) },
		} {
			c := edge.Dial(t).Send(text)
			all.Go(func() {
				leave(c)
				c.Reset()
			})
		}
	}
	all.Wait()
}

// calm waits until nobody is at the server any more, or on the way there.
func calm(t *testing.T, edge *edgetest.Edge, a *actor, part string) {
	t.Helper()
	wait(t, "the end of the storm after "+part, func() bool {
		s := row(t, edge, "s1")
		return a.now.Load() == 0 && s.Active == 0 && s.Queued == 0 && waiting(edge) == 0 &&
			limit(t, edge, "three").Queued == 0
	})
}
