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
	for _, scheme := range []string{"http", "h2c"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			arrived, freed := make(chan bool, 1), make(chan bool, 1)
			slow := func(_ http.ResponseWriter, r *http.Request) {
				arrived <- true
				<-r.Context().Done()
				freed <- true
			}
			server := speaksHTTP2
			if scheme == "http" {
				server = func(t *testing.T, h http.HandlerFunc) string {
					s := httptest.NewServer(h)
					t.Cleanup(s.Close)
					return s.URL
				}
			}
			e := edgetest.Start(t, edgetest.Config{Text: fmt.Sprintf(
				"[timeouts]\nserver = \"1h\"\n[backends.app]\nservers = [%q]\n", server(t, slow)) + site})
			c := e.DialTLS(t, "app.example")
			c.Send("GET / HTTP/1.1⏎Host: app.example⏎⏎")
			<-arrived
			c.Close()
			select {
			case <-freed:
			case <-time.After(3 * edgetest.Patience):
				t.Fatal("the server is still at work")
			}
		})
	}
}
