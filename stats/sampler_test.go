package stats_test

import (
	"context"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"doorward/internal/tally"
	"doorward/stats"

	"go.uber.org/zap"
)

// stage is an instance whose counters a test turns. Each look sees the moment that
// the test has moved to.
type stage struct {
	now      time.Time
	cpu      time.Duration
	frontend *tally.Tally
	backend  *tally.Tally
	clients  int64 // that connected
	servers  []stageServer
}

type stageServer struct {
	name                string
	tally               *tally.Tally
	claims, connections int64
	active              int64
}

func newStage(servers ...string) *stage {
	s := &stage{
		now:      time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
		frontend: tally.New(), backend: tally.New(),
	}
	for _, name := range servers {
		s.servers = append(s.servers, stageServer{name: name, tally: tally.New()})
	}
	return s
}

func (s *stage) View() stats.View {
	v := stats.View{Node: stats.Node{Now: s.now, CPU: s.cpu, ConnectionsTotal: s.clients}}
	v.Frontends = []stats.Frontend{
		{Name: ":443", ConnectionsTotal: s.clients, Traffic: s.frontend.Sum()},
	}
	v.Routes = []stats.Route{{Name: "all", Traffic: s.frontend.Sum()}}
	b := stats.Backend{Name: "app", Traffic: s.backend.Sum()}
	for _, server := range s.servers {
		b.Active += server.active
		b.Servers = append(b.Servers, stats.Server{
			Name: server.name, Traffic: server.tally.Sum(), Claims: server.claims,
			Connections: server.connections, Active: server.active,
		})
	}
	v.Backends = []stats.Backend{b}
	return v
}

// serve lets requests pass that took so long each, through server i.
func (s *stage) serve(n, i int, took time.Duration) {
	for range n {
		for _, t := range []*tally.Tally{s.frontend, s.backend, s.servers[i].tally} {
			t.At(0).Request(200, 100, 1000)
			t.At(0).Took(tally.Response, took/2)
			t.At(0).Took(tally.Total, took)
		}
		s.servers[i].claims++
	}
}

func TestRatesAreThoseOfTheLastSecond(t *testing.T) {
	edge := newStage("a", "b")
	edge.serve(500, 0, 0) // before anybody looked
	sampler := stats.NewSampler(edge, stats.SamplerOptions{})
	sampler.Sample()
	look := func(after time.Duration) stats.Picture {
		edge.now = edge.now.Add(after)
		sampler.Sample()
		return sampler.Picture()
	}

	edge.serve(20, 0, time.Millisecond)
	edge.serve(10, 1, time.Millisecond)
	edge.clients += 6
	edge.servers[1].connections += 4
	edge.cpu += 250 * time.Millisecond
	p := look(time.Second)
	if got := p.Backends[0].Servers[0]; got.RequestRate != 20 || got.BytesInRate != 2000 ||
		got.BytesOutRate != 20_000 || got.ConnectionRate != 0 || !got.LastSession.Equal(edge.now) {
		t.Errorf("server a: %+v", got.Seen)
	}
	if got := p.Backends[0].Servers[1]; got.RequestRate != 10 || got.ConnectionRate != 4 {
		t.Errorf("server b: %+v", got.Seen)
	}
	if got := p.Backends[0]; got.RequestRate != 30 || got.ConnectionRate != 4 {
		t.Errorf("backend: %+v", got.Seen)
	}
	for name, got := range map[string]stats.Seen{"listener": p.Frontends[0].Seen, "all": p.All} {
		if got.RequestRate != 30 || got.ConnectionRate != 6 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := p.Routes[0].Seen; got.RequestRate != 30 || p.CPU != 0.25 {
		t.Errorf("route: %+v; %v processors", got, p.CPU)
	}

	was := edge.now
	edge.serve(5, 0, time.Millisecond)
	p = look(2 * time.Second) // a look that is late is no peak
	if got := p.Backends[0].Servers[0]; got.RequestRate != 2.5 || got.RequestRateMax != 20 {
		t.Errorf("after two seconds: %+v", got.Seen)
	}
	if got := p.Backends[0].Servers[1]; got.RequestRate != 0 || !got.LastSession.Equal(was) {
		t.Errorf("idle server: %+v", got.Seen)
	}
}

func TestALookTooSoonWaitsForTheNext(t *testing.T) {
	edge := newStage("a")
	sampler := stats.NewSampler(edge, stats.SamplerOptions{})
	sampler.Sample()
	edge.serve(10, 0, 0)
	edge.now = edge.now.Add(100 * time.Millisecond)
	sampler.Sample()
	if got := sampler.Picture().All; got.RequestRate != 0 || got.RequestRateMax != 0 {
		t.Errorf("after 100 ms: %+v", got)
	}
	edge.now = edge.now.Add(900 * time.Millisecond)
	sampler.Sample()
	if got := sampler.Picture().All; got.RequestRate != 10 {
		t.Errorf("after a second: %+v", got)
	}
}

func TestRatesAreNeverNegative(t *testing.T) {
	edge := newStage("a", "b")
	edge.serve(1000, 0, time.Second)
	edge.servers[0].connections = 300
	sampler := stats.NewSampler(edge, stats.SamplerOptions{})
	sampler.Sample()

	// A server is replaced by another of the same name, and one goes.
	edge.servers = []stageServer{{name: "a", tally: tally.New()}}
	edge.serve(7, 0, 0)
	edge.servers[0].connections = 2
	edge.now = edge.now.Add(time.Second)
	sampler.Sample()
	p := sampler.Picture()
	if got := p.Backends[0].Servers[0]; got.RequestRate != 7 || got.ConnectionRate != 2 {
		t.Errorf("new server: %+v", got.Seen)
	}
	if got := p.Backends[0]; got.RequestRate != 7 || got.ConnectionRateMax != 2 {
		t.Errorf("backend: %+v", got.Seen)
	}

	edge.now = edge.now.Add(-time.Hour) // the clock was set
	sampler.Sample()
	edge.serve(3, 0, 0)
	edge.now = edge.now.Add(time.Second)
	sampler.Sample()
	if got := sampler.Picture().All; got.RequestRate != 3 || got.RequestRateMax != 7 {
		t.Errorf("after the clock went back: %+v", got)
	}
}

func TestWhatIsGoneIsForgotten(t *testing.T) {
	edge := newStage("a")
	sampler := stats.NewSampler(edge, stats.SamplerOptions{})
	step := func() {
		edge.now = edge.now.Add(time.Second)
		sampler.Sample()
	}
	step()
	edge.serve(50, 0, 0)
	step()
	server := edge.servers[0]
	edge.servers = nil
	step()
	edge.servers = []stageServer{server}
	step()
	if got := sampler.Picture().Backends[0].Servers[0].Seen; got != (stats.Seen{}) {
		t.Errorf("a server that came back: %+v", got)
	}
	if got := sampler.Picture().Backends[0].RequestRateMax; got != 50 {
		t.Errorf("the backend stayed, its peak is %v", got)
	}
}

func TestPeaksCoverTheMomentOfThePicture(t *testing.T) {
	edge := newStage("a")
	sampler := stats.NewSampler(edge, stats.SamplerOptions{})
	edge.servers[0].active = 5
	sampler.Sample()
	edge.servers[0].active = 9
	p := sampler.Picture()
	if p.Backends[0].Servers[0].SessionsMax != 9 || p.Backends[0].SessionsMax != 9 {
		t.Errorf("peaks %+v", p.Backends[0])
	}
	edge.servers[0].active = 0
	if got := sampler.Picture().Backends[0].SessionsMax; got != 5 {
		t.Errorf("peak %d, want that of the look", got)
	}
	if p.Backends[0].Backend.Servers != nil {
		t.Error("the servers are there twice")
	}
}

func TestTimings(t *testing.T) {
	tests := []struct {
		name   string
		counts []int // of requests in each second
		took   []time.Duration
		mean   time.Duration
		max    time.Duration
	}{
		{"none", []int{0}, []time.Duration{0}, 0, 0},
		{"one", []int{1}, []time.Duration{30 * time.Millisecond}, 30 * time.Millisecond,
			30 * time.Millisecond},
		{"few count the same", []int{1, 3}, []time.Duration{40 * time.Millisecond, 0},
			10 * time.Millisecond, 40 * time.Millisecond},
		{"the end of the bucket is the most", []int{100}, []time.Duration{9 * time.Millisecond},
			9 * time.Millisecond, 16 * time.Millisecond},
		{"the last bucket has no end", []int{1}, []time.Duration{time.Hour}, time.Hour, time.Hour},
		{"tunnels that end together", []int{100}, []time.Duration{time.Hour}, time.Hour, time.Hour},
		{"old ones fade", []int{1024, 1024}, []time.Duration{time.Second, 0},
			time.Duration(math.Pow(1-1.0/1024, 1024) * float64(time.Second)),
			1024 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			edge := newStage("a")
			sampler := stats.NewSampler(edge, stats.SamplerOptions{})
			sampler.Sample()
			for i, n := range test.counts {
				edge.serve(n, 0, test.took[i])
				edge.now = edge.now.Add(time.Second)
				sampler.Sample()
			}
			got := sampler.Picture().Backends[0].Servers[0].Total
			if (got.Mean-test.mean).Abs() > time.Microsecond || got.Max != test.max {
				t.Errorf("%+v, want mean %v and max %v", got, test.mean, test.max)
			}
		})
	}
}

func TestSubscribersGetTheLatestPicture(t *testing.T) {
	edge := newStage("a")
	sampler := stats.NewSampler(edge, stats.SamplerOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	pictures, ok := sampler.Subscribe(ctx)
	if !ok {
		t.Fatal("no room")
	}
	for range 3 { // nobody receives, and nothing waits for that
		edge.now = edge.now.Add(time.Second)
		sampler.Sample()
	}
	if p := <-pictures; !p.Node.Now.Equal(edge.now) {
		t.Errorf("a picture of %v, want %v", p.Node.Now, edge.now)
	}
	cancel()
	for range pictures {
		t.Error("a picture twice")
	}
	sampler.Sample() // nobody is left
}

func TestSubscribersAreBounded(t *testing.T) {
	sampler := stats.NewSampler(newStage(), stats.SamplerOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	first, _ := sampler.Subscribe(ctx)
	for range stats.MaxSubscribers - 1 {
		if _, ok := sampler.Subscribe(t.Context()); !ok {
			t.Fatal("refused too early")
		}
	}
	if c, ok := sampler.Subscribe(t.Context()); ok || c != nil {
		t.Error("one too many")
	}
	cancel()
	<-first // closed: the place is free
	if _, ok := sampler.Subscribe(t.Context()); !ok {
		t.Error("a place that was given back is not given away")
	}
}

// clockwork counts looks and panics at the second. With each look more than a
// second has passed.
type clockwork struct {
	mu    sync.Mutex
	looks int
}

func (c *clockwork) View() stats.View {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.looks++; c.looks == 2 {
		panic("a mistake in the source")
	}
	v := newStage("a").View()
	v.Node.Now = time.Now().Add(time.Duration(c.looks) * time.Second)
	return v
}

func TestRunLooksEverySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &clockwork{}
		sampler := stats.NewSampler(source, stats.SamplerOptions{Log: zap.NewNop()})
		ctx, cancel := context.WithTimeout(t.Context(), 5500*time.Millisecond)
		defer cancel()
		pictures, _ := sampler.Subscribe(ctx)
		sampler.Run(ctx) // returns when ctx is done
		if source.looks != 6 {
			t.Errorf("%d looks in 5.5 seconds", source.looks)
		}
		synctest.Wait()
		if _, open := <-pictures; !open {
			t.Error("the last picture is lost")
		}
	})
}

// TestAllAtOnce is for the race detector: page, exports and subscribers ask while
// the sampler looks.
func TestAllAtOnce(t *testing.T) {
	sampler := stats.NewSampler(&clockwork{looks: 2}, stats.SamplerOptions{})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			pictures, _ := sampler.Subscribe(ctx)
			for range 50 {
				sampler.Sample()
				sampler.Picture()
				sampler.History()
				select {
				case <-pictures:
				default:
				}
			}
			cancel()
			for range pictures { // until it is closed
			}
		})
	}
	group.Wait()
}
