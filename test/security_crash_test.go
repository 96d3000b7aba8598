package test_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"doorward/internal/edgetest"
)

// TestSecurityCRASH has the cases of group CRASH that need a whole instance;
// panics are with the package that survives them, parsers with theirs.
func TestSecurityCRASH(t *testing.T) {
	t.Run("CRASH-05_bodies_over_the_limit_and_early_answers", limitRace)
	t.Run("CRASH-08_empty_everything", emptyEverything)
}

// limitRace: what killed others is a body that reaches its limit in the moment in
// which the server answers.
func limitRace(t *testing.T) {
	rec := edgetest.Record(t, func(p *edgetest.Peer) {
		for m := p.Head(); m != nil; m = p.Head() {
			p.Send("HTTP/1.1 200 OK⏎Content-Length: 2⏎⏎ok")
			if !p.Body(m) {
				return
			}
		}
	})
	edge := edgetest.Start(t, tunnelSite(rec, "[limits]\nbody_bytes = \"64KiB\"\n"))
	piece := "800⏎" + strings.Repeat("x", 2048) + "⏎"
	text := chunked(strings.Repeat(piece, 40) + "0⏎⏎")
	end := time.Now().Add(2 * time.Second)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for time.Now().Before(end) {
				c := edge.Dial(t)
				go c.Send(text)
				m, err := c.TryAnswer("POST")
				if err == nil && m.Status != 200 && m.Status != http.StatusRequestEntityTooLarge {
					t.Errorf("answer %+v", m)
				}
				c.Close()
			}
		})
	}
	all.Wait()
	edge.Canaries(t)
	if strings.Contains(edge.Log(), "panic") {
		t.Errorf("the log tells of a panic:\n%s", edge.Log())
	}
}

func emptyEverything(t *testing.T) {
	edge, rec := startSite(t, edgetest.Echo, "")
	edgetest.Run(t, edge, rec, []edgetest.Case{
		refused("CRASH-08_no_request_line", "⏎⏎", "Host: app.example⏎⏎", ":⏎⏎", " ⏎⏎", "GET⏎⏎", "/⏎⏎",
			"GET /⏎Host: app.example⏎⏎", "CONNECT⏎⏎", "CONNECT ⏎⏎", "CONNECT  HTTP/1.1⏎⏎", "\x00⏎⏎", "⏎ ⏎⏎"),
		{
			Name: "CRASH-08_CONNECT", Status: http.StatusMethodNotAllowed, Closes: true, Send: []string{
				"CONNECT / HTTP/1.1⏎⏎", "CONNECT : HTTP/1.1⏎⏎", "CONNECT * HTTP/1.1⏎Host:⏎⏎",
				"CONNECT ? HTTP/1.0⏎⏎",
			},
		},
		refused("CRASH-08_nothing_where_something_belongs", "GET / HTTP/1.1⏎⏎", "GET / HTTP/1.1⏎Host:⏎⏎",
			"GET / HTTP/1.1⏎:⏎⏎", "GET http:// HTTP/1.1⏎Host:⏎⏎", "GET ? HTTP/1.1⏎Host: app.example⏎⏎",
			"POST / HTTP/1.1⏎Host: app.example⏎Content-Length:⏎⏎",
			"POST / HTTP/1.1⏎Host: app.example⏎Transfer-Encoding:⏎⏎",
			"POST / HTTP/1.1⏎Host: app.example⏎Transfer-Encoding: chunked⏎⏎⏎⏎",
			"OPTIONS * HTTP/1.1⏎Host:⏎⏎"),
		served("CRASH-08_empty_values_that_may_be", wantPath("/"), get("/", "Connection:"), get("/", "X:"),
			get("/", "Cookie:"), get("/", "Upgrade:"), get("/", "TE:"), get("/", "X-Forwarded-For:")),
		served("CRASH-08_empty_query", wantPath("/?"), get("/?")),
	})
}
