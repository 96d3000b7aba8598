package stats_test

import (
	"testing"
	"time"

	"doorward/internal/tally"
	"doorward/stats"
)

// pass lets seconds pass, each with so many requests through server 0.
func (s *stage) pass(sampler *stats.Sampler, seconds, requests int, took time.Duration) {
	for range seconds {
		s.serve(requests, 0, took)
		s.now = s.now.Add(time.Second)
		sampler.Sample()
	}
}

func TestHistoryHasAPointForEachStep(t *testing.T) {
	edge := newStage("a")
	start := edge.now
	sampler := stats.NewSampler(edge, stats.SamplerOptions{})
	sampler.Sample()
	edge.pass(sampler, 10, 5, 3*time.Millisecond)
	for range 20 {
		edge.frontend.At(0).Request(404, 0, 0)
		edge.backend.At(0).Request(502, 0, 0)
	}
	edge.pass(sampler, 15, 0, 0) // one more step, and half of another

	h := sampler.History()
	if len(h.Frontends) != 1 || len(h.Backends) != 1 {
		t.Fatalf("%d listeners, %d backends", len(h.Frontends), len(h.Backends))
	}
	for name, series := range map[string]stats.Series{
		"all": h.All, "listener": h.Frontends[":443"], "backend": h.Backends["app"],
	} {
		if len(series.Points) != 2 || !series.Start.Equal(start) {
			t.Errorf("%s: %d points from %v, want 2 from %v", name,
				len(series.Points), series.Start, start)
			continue
		}
		first, second := series.Points[0], series.Points[1]
		if first.Requests != 5 || first.ClientErrors != 0 || first.ServerErrors != 0 {
			t.Errorf("%s: first point %+v", name, first)
		}
		if !(0.002 < first.P50 && first.P50 < first.P95 && first.P95 < first.P99 &&
			first.P99 <= 0.004) {
			t.Errorf("%s: times %+v, want between 2 and 4 ms", name, first)
		}
		wrong := second.ClientErrors
		if name == "backend" {
			wrong = second.ServerErrors
		}
		if second.Requests != 2 || wrong != 2 || second.P99 != 0 {
			t.Errorf("%s: second point %+v", name, second)
		}
	}
}

func TestHistoryIsAnHour(t *testing.T) {
	edge := newStage("a")
	sampler := stats.NewSampler(edge, stats.SamplerOptions{})
	sampler.Sample()
	edge.pass(sampler, 30, 9, 0)
	edge.pass(sampler, 3590, 1, 0)
	points := sampler.History().All
	if len(points.Points) != stats.Points {
		t.Fatalf("%d points", len(points.Points))
	}
	if got := points.Start; !got.Equal(edge.now.Add(-time.Hour)) {
		t.Errorf("from %v, now is %v", got, edge.now)
	}
	if a, b := points.Points[0].Requests, points.Points[1].Requests; a != 9 || b != 1 {
		t.Errorf("the oldest points are %v and %v", a, b)
	}
}

func TestAPauseIsFilled(t *testing.T) {
	for _, pause := range []time.Duration{35 * time.Second, 48 * time.Hour} {
		edge := newStage("a")
		sampler := stats.NewSampler(edge, stats.SamplerOptions{})
		sampler.Sample()
		edge.serve(60, 0, 0)
		edge.now = edge.now.Add(pause) // the machine slept
		sampler.Sample()
		points := sampler.History().All.Points
		want := min(int(pause/stats.Step), stats.Points)
		if len(points) != want {
			t.Fatalf("after %v: %d points, want %d", pause, len(points), want)
		}
		perSecond := float32(60) / float32((pause / stats.Step * stats.Step).Seconds())
		if points[0] != points[want-1] || points[0].Requests != perSecond {
			t.Errorf("after %v: %+v, want %v a second", pause, points[0], perSecond)
		}
	}
}

func TestQuantilesOfLongTimes(t *testing.T) {
	edge := newStage("a")
	sampler := stats.NewSampler(edge, stats.SamplerOptions{})
	sampler.Sample()
	edge.serve(1, 0, time.Hour)
	edge.now = edge.now.Add(stats.Step)
	sampler.Sample()
	want := float32(tally.Bound(tally.Buckets - 2).Seconds())
	if got := sampler.History().All.Points[0]; got.P50 != want || got.P99 != want {
		t.Errorf("%+v, want the last bound, %v", got, want)
	}
}
