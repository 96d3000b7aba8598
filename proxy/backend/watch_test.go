package backend_test

import (
	"slices"
	"testing"

	"doorward/proxy/backend"
)

// seen is a watcher that keeps what it is told.
type seen []backend.Event

func (s *seen) Saw(e backend.Event) { *s = append(*s, e) }

func TestWatcherIsTold(t *testing.T) {
	s := started(t, at(nowhere(1)...)).Servers()[0]
	s.Saw(backend.BadStatus) // to nobody
	var first, second seen
	s.Observe(&first)
	s.Saw(backend.OK)
	s.Saw(backend.TimedOut)
	s.Observe(&second)
	s.Saw(backend.NoAnswer)
	s.Observe(nil)
	s.Saw(backend.ConnectFailed)
	if !slices.Equal(first, seen{backend.OK, backend.TimedOut}) ||
		!slices.Equal(second, seen{backend.NoAnswer}) {
		t.Errorf("told %v and then %v", first, second)
	}
	words := map[string]bool{}
	for e := range backend.TimedOut + 2 {
		words[e.String()] = true
	}
	if len(words) != 6 || !words["unknown"] {
		t.Errorf("events are called %v", words)
	}
}

func TestTalliesGoByName(t *testing.T) {
	o := at(nowhere(2)...)
	b := started(t, o)
	b.Tally().At(0).Request(200, 1, 1)
	b.Server("s1").Tally().At(0).Request(200, 1, 1)
	o.Servers[0].URL = "http://192.0.2.99"
	next := reloaded(t, b, o)
	if next.Tally().Sum().Requests != 1 || next.Server("s1").Tally().Sum().Requests != 1 ||
		next.Server("s2").Tally().Sum().Requests != 0 {
		t.Error("counters of a name were lost or mixed up")
	}
}
