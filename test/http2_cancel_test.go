package test_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"doorward/internal/edgetest"
)

// Clients that give streams up leave traces under their own letter: they are no reason
// to ask again, nor to take a server for a bad one.
func TestStreamsThatAreGivenUpAreNoFaultOfServers(t *testing.T) {
	a := newActors(t, "")[0]
	arrived, left := make(chan string, 100), make(chan bool, 100)
	a.play(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/fine"):
			return
		case strings.HasPrefix(r.URL.Path, "/half"):
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
		case strings.HasPrefix(r.URL.Path, "/body"):
			_, _ = r.Body.Read(make([]byte, 1))
		}
		arrived <- r.URL.Path
		if _, err := io.Copy(io.Discard, r.Body); err == nil { // else it ended within the body
			<-r.Context().Done()
		}
		left <- true
	})
	edge := edgetest.Start(t, cast(
		hardly+"error_limit = 3\non_error = \"mark-down\"\nobserve = \"layer7\"\n", a))
	goes(t, edge, "s1", true)
	f, id := edge.DialHTTP2(t, "app.example"), uint32(1)
	f.Ask(id, edgetest.Get("app.example", "/fine")...) // so that there is a connection
	for i := range 15 {
		id += 2
		kind, phase := []string{"/hang", "/half", "/body"}[i/5], []string{"CH", "CD", "CD"}[i/5]
		path := fmt.Sprint(kind, i)
		if kind == "/body" {
			f.Headers(id, false, edgetest.Post("app.example", path)...).Data(id, false, "x")
		} else {
			f.Headers(id, true, edgetest.Get("app.example", path)...)
		}
		if got := <-arrived; got != path {
			t.Fatalf("the server got %s, want %s", got, path)
		}
		for kind == "/half" && len(f.Reply(id).Body) == 0 {
			f.Check(f.Read())
		}
		f.Check(f.Framer.WriteRSTStream(id, http2.ErrCodeCancel))
		<-left
		if line := recordOf(t, edge, path); line["termination"] != phase || line["retries"] != 0.0 {
			t.Errorf("%s: %v, want %v", path, line, phase)
		}
	}
	if h := row(t, edge, "s1").Health; !h.Up {
		t.Errorf("the server is taken for a bad one: %+v", h)
	}
	select {
	case path := <-arrived:
		t.Errorf("%s was sent again", path)
	default:
	}
}
