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

// What programs read goes by the server's name, wherever that leads, and never back
// while the name is there.
func TestCountersGoByName(t *testing.T) {
	p := plain(t)
	o := at(p.url())
	b := started(t, o)
	use := func() {
		t.Helper()
		s := claimed(t, b, nil)
		s.Keep(connect(t, s, false))
		s.Keep(connect(t, s, false))
		s.Release()
	}
	for i := range int64(3) {
		use()
		want := backend.Counters{
			Claims: i + 1, Connections: i + 1, Reused: i + 1, Idle: 1,
		}
		if got := b.Server("s1").Counters(); got != want {
			t.Errorf("%+v after %d uses, want %+v", got, i+1, want)
		}
		o.Servers[0].URL = plain(t).url()
		dropped, err := backend.New(o, b) // a reload that comes to nothing
		if err != nil {
			t.Fatal(err)
		}
		dropped.Retire(b)
		b = reloaded(t, b, o)
	}
	o.Servers[0].Name = "other"
	if b = reloaded(t, b, o); b.Server("other").Counters() != (backend.Counters{}) {
		t.Errorf("%+v under a new name", b.Server("other").Counters())
	}
}
