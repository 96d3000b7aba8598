package test_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"doorward/internal/edgetest"
)

// A client of HTTP/1.1 that leaves ends what a slow server does for it, long before
// timeouts.server: no stop has to wait for that.
func TestNobodyWorksForClientsThatLeft(t *testing.T) {
	arrived, freed := make(chan string, 2), make(chan string, 2)
	slow := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- r.Proto
		<-r.Context().Done()
		freed <- r.Proto
	})
	one := httptest.NewServer(slow)
	t.Cleanup(one.Close)
	e := edgetest.Start(t, edgetest.Config{Text: fmt.Sprintf(`
		[timeouts]
		server = "1h"
		[[route]]
		hosts = ["one.example"]
		backend = "one"
		[[route]]
		hosts = ["two.example"]
		backend = "two"
		[backends.one]
		servers = [%q]
		[backends.two]
		servers = [%q]
	`, one.URL, speaksHTTP2(t, slow))})
	for _, host := range []string{"one.example", "two.example"} {
		c := e.DialTLS(t, host)
		c.Send("GET / HTTP/1.1⏎Host: " + host + "⏎⏎")
		<-arrived
		c.Close()
	}
	late := time.After(3 * edgetest.Patience)
	for range 2 {
		select {
		case <-freed:
		case <-late:
			t.Fatal("a server is still at work")
		}
	}
}
