package stats

import (
	"context"
	"sync"
	"time"

	"doorward/internal/safe"

	"go.uber.org/zap"
)

// MaxSubscribers is how many may follow the pictures at a time.
const MaxSubscribers = 128

// shortest is the least time between two looks: a rate over less would be noise,
// and noise would stay in the maxima.
const shortest = 500 * time.Millisecond

// SamplerOptions describes a Sampler. The zero value is fit for use.
type SamplerOptions struct {
	// Log is told when a look panics; nil writes that to standard error.
	Log *zap.Logger
}

// Sampler looks at a Source every second and remembers what a single View cannot
// tell: rates, maxima, means, and the last hour. Its methods may be called by many
// goroutines. What is gone from the views is forgotten.
type Sampler struct {
	source Source
	log    *zap.Logger

	mu    sync.Mutex // for all below
	rows  map[rowKey]*row
	all   row
	round uint64
	at    time.Time // of the last look; zero for none
	point time.Time // when the open point of the charts began
	used  time.Duration
	cpu   float64

	subscribers map[chan Picture]struct{}
}

// NewSampler makes a Sampler of the source. It does nothing until Run.
func NewSampler(source Source, o SamplerOptions) *Sampler {
	return &Sampler{
		source: source, log: o.Log,
		rows:        map[rowKey]*row{},
		all:         row{chart: &chart{}},
		subscribers: map[chan Picture]struct{}{},
	}
}

// Run looks at once and then every second, until ctx is done. A panic in a look is
// logged, and the next one happens all the same.
func (s *Sampler) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		s.Sample()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Sample takes one look. Run does so every second; without Run, whoever calls it
// decides on the times. A View less than half a second younger than the last one
// is left out.
func (s *Sampler) Sample() {
	defer safe.Recover(s.log, "sampler")
	view := s.source.View()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.observe(&view) || len(s.subscribers) == 0 {
		return
	}
	s.tell(s.join(&view))
}

// Picture is the instance now, with rates as of the last look.
func (s *Sampler) Picture() Picture {
	view := s.source.View()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.join(&view)
}

// Subscribe gives a channel on which a Picture comes with every look. Who is slow
// gets the latest one and misses those before. The channel is closed when ctx is
// done. It is nil, and false, when there are MaxSubscribers already.
func (s *Sampler) Subscribe(ctx context.Context) (<-chan Picture, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.subscribers) >= MaxSubscribers {
		return nil, false
	}
	c := make(chan Picture, 1)
	s.subscribers[c] = struct{}{}
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.subscribers, c)
		close(c)
	})
	return c, true
}

// tell never waits: only this function sends, with s.mu held, so there is room
// after the old picture was taken out.
func (s *Sampler) tell(p Picture) {
	for c := range s.subscribers {
		select {
		case <-c:
		default:
		}
		c <- p
	}
}

// History is the last hour.
func (s *Sampler) History() History {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := History{
		All:       s.all.chart.ring.series(s.point),
		Frontends: map[string]Series{},
		Backends:  map[string]Series{},
	}
	for key, row := range s.rows {
		switch key.kind {
		case frontendRow:
			h.Frontends[key.name] = row.chart.ring.series(s.point)
		case backendRow:
			h.Backends[key.name] = row.chart.ring.series(s.point)
		}
	}
	return h
}
