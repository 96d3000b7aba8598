package stats_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"doorward/stats"

	"golang.org/x/net/html"
)

// stream is an event stream as a browser sees it.
type stream struct {
	t      *testing.T
	header http.Header
	status int
	parts  chan string
	leave  context.CancelFunc
}

// Header implements http.ResponseWriter.
func (s *stream) Header() http.Header { return s.header }

// WriteHeader implements http.ResponseWriter.
func (s *stream) WriteHeader(status int) { s.status = status }

// Write implements http.ResponseWriter. It waits for whoever reads.
func (s *stream) Write(p []byte) (int, error) {
	s.parts <- string(p)
	return len(p), nil
}

// Flush implements http.Flusher.
func (s *stream) Flush() {}

// follow opens a stream. Its parts end when the page ends it.
func follow(t *testing.T, page http.Handler) *stream {
	ctx, cancel := context.WithCancel(t.Context())
	s := &stream{t: t, header: http.Header{}, parts: make(chan string), leave: cancel}
	go func() {
		defer close(s.parts)
		page.ServeHTTP(s, httptest.NewRequestWithContext(ctx, http.MethodGet, "/events", nil))
	}()
	if first := <-s.parts; first != "retry: 2000\n\n" && s.status == 0 {
		t.Fatalf("the stream begins with %q", first)
	}
	synctest.Wait()
	return s
}

// event is what the page gets to know at once.
type event struct {
	Key   string            `json:"k"`
	Text  map[string]string `json:"t"`
	State map[string]string `json:"s"`
	Hint  map[string]string `json:"h"`
	Path  map[string]string `json:"d"`
}

func (s *stream) next() event {
	s.t.Helper()
	part := <-s.parts
	data, ok := strings.CutPrefix(part, "data: ")
	data, ended := strings.CutSuffix(data, "\n\n")
	var e event
	if err := json.Unmarshal([]byte(data), &e); err != nil || !ok || !ended || strings.Contains(data, "\n") {
		s.t.Fatalf("%v: %q", err, part)
	}
	return e
}

// The stream and the page must agree on every element, or the page would change
// into something else than a new one.
func TestEventsSayWhatThePageSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge()
		page, sampler := newPage(t, e, stats.PageOptions{Actions: true})
		s := follow(t, page)
		defer s.leave()
		e.pass(1)
		sampler.Sample()
		got := s.next()
		d := parse(t, get(page, "/"))
		elements := map[string]*html.Node{}
		for _, n := range d.all(func(n *html.Node) bool { return attribute(n, "id") != "" }) {
			elements[attribute(n, "id")] = n
		}
		for id, text := range got.Text {
			if n := elements[id]; n == nil || strings.TrimSpace(textOf(n)) != text {
				t.Errorf("%s is %q in the stream, and %v on the page", id, text, n)
			}
		}
		for name, values := range map[string]map[string]string{"data-state": got.State, "title": got.Hint, "d": got.Path} {
			for id, value := range values {
				if n := elements[id]; n == nil || attribute(n, name) != value {
					t.Errorf("%s of %s is %q in the stream", name, id, value)
				}
			}
		}
		for id, n := range elements {
			if _, ok := got.Text[id]; n.Data == "td" && !ok {
				t.Errorf("the stream leaves %s out", id)
			}
		}
		main := d.all(func(n *html.Node) bool { return n.Data == "main" })[0]
		if attribute(main, "data-key") != got.Key {
			t.Errorf("the key is %q", got.Key)
		}
	})
}

func TestLaterEventsHoldOnlyChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge()
		page, sampler := newPage(t, e, stats.PageOptions{})
		s := follow(t, page)
		defer s.leave()
		sample := func() { e.pass(1); sampler.Sample() }
		sample()
		first := s.next()
		sample()
		second := s.next()
		if second.Text["f0-stot"] == "" || len(second.Text) > len(first.Text)/2 {
			t.Errorf("%d texts of %d: %v", len(second.Text), len(first.Text), second.Text)
		}
		for id, text := range second.Text {
			if first.Text[id] == text {
				t.Errorf("%s is %q again", id, text)
			}
		}
		if _, ok := second.Text["b0s3-econ"]; ok || len(second.State) > 0 {
			t.Errorf("what did not change is sent: %v", second.State)
		}
		e.change(func(v *stats.View) { v.Backends[0].Servers[0].Admin = "drain" })
		sample()
		third := s.next()
		want := map[string]string{"b0s0": "drain", "b0s0-fstat": "drain", "b0s0-admin": "drain"}
		if third.Text["b0s0-status"] != "DRAIN" || !maps.Equal(third.State, want) {
			t.Errorf("the drained server: %q, %v", third.Text["b0s0-status"], third.State)
		}
		e.change(func(v *stats.View) { v.Backends[1].Servers = v.Backends[1].Servers[1:] })
		sample()
		if fourth := s.next(); fourth.Key == third.Key || len(fourth.Text) < len(first.Text)/2 {
			t.Errorf("after a server went: key %q, %d texts", fourth.Key, len(fourth.Text))
		}
	})
}

// A browser that does not keep up must not be left with half of the changes.
func TestSlowListenersGetEverythingInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge()
		page, sampler := newPage(t, e, stats.PageOptions{})
		s := follow(t, page)
		defer s.leave()
		sample := func() { e.pass(1); sampler.Sample(); synctest.Wait() }
		for range 5 { // one is being written, one waits, the others are lost
			sample()
		}
		whole := len(s.next().Text)
		s.next()
		synctest.Wait()
		sample()
		if got := s.next(); len(got.Text) != whole {
			t.Errorf("%d texts of %d", len(got.Text), whole)
		}
		sample()
		if got := s.next(); len(got.Text) >= whole {
			t.Errorf("all %d texts again", whole)
		}
	})
}

func TestListenersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page, _ := newPage(t, newEdge(), stats.PageOptions{Listeners: 2})
		streams := []*stream{follow(t, page), follow(t, page)}
		w := get(page, "/events")
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("the third: %d", w.Code)
		}
		streams[0].leave()
		synctest.Wait()
		third := follow(t, page)
		third.leave()
		streams[1].leave()
		synctest.Wait()
		if third.header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
			t.Errorf("the third after one left: %v", third.header)
		}
	})
}

func TestASilentStreamBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page, _ := newPage(t, newEdge(), stats.PageOptions{})
		s := follow(t, page)
		defer s.leave()
		before := time.Now()
		if part := <-s.parts; part != ":\n\n" || time.Since(before) != 15*time.Second {
			t.Errorf("%q after %v", part, time.Since(before))
		}
	})
}

func TestStreamsEndWithTheInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(context.Background())
		e := newEdge()
		sampler := stats.NewSampler(e, stats.SamplerOptions{})
		page := stats.NewPage(ctx, stats.PageOptions{Sampler: sampler})
		streams := []*stream{follow(t, page), follow(t, page)}
		stop()
		for _, s := range streams {
			if part, open := <-s.parts; open {
				t.Errorf("after the end: %q", part)
			}
		}
		if w := get(page, "/events"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("a new one: %d", w.Code)
		}
	})
}

// Who comes when the last one has just left meets a hub that works.
func TestListenersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge()
		page, sampler := newPage(t, e, stats.PageOptions{})
		var seen []int
		for range 3 {
			s := follow(t, page)
			e.pass(1)
			sampler.Sample()
			seen = append(seen, len(s.next().Text))
			s.leave()
			synctest.Wait()
		}
		if slices.Min(seen) != slices.Max(seen) || seen[0] == 0 {
			t.Errorf("the first events have %v texts", seen)
		}
	})
}

func TestEventsAreOnlyRead(t *testing.T) {
	page, _ := newPage(t, newEdge(), stats.PageOptions{})
	if w := call(page, http.MethodHead, "/events", nil); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("HEAD: %d", w.Code)
	}
}
