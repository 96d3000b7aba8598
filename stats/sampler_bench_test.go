package stats_test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"testing"
	"time"

	"doorward/internal/tally"
	"doorward/stats"
)

// fleet is a thousand servers in twenty backends, each of which served something
// since the last look.
type fleet struct {
	view stats.View
}

func newFleet() *fleet {
	f := &fleet{}
	for i := range 20 {
		b := stats.Backend{Name: fmt.Sprint("backend", i), Up: true}
		for j := range 50 {
			b.Servers = append(b.Servers, stats.Server{
				Name: fmt.Sprint("server", j), Address: "10.0.0.1:80", Admin: "ready",
				Weight: 1, Share: 100, Health: stats.Health{
					Checked: true, Up: true, Rise: 2, Fall: 3, Counter: 4, Status: "L7OK",
				},
			})
		}
		f.view.Backends = append(f.view.Backends, b)
	}
	return f
}

func (f *fleet) View() stats.View {
	f.view.Node.Now = f.view.Node.Now.Add(time.Second)
	for i := range f.view.Backends {
		for j := range f.view.Backends[i].Servers {
			t := &f.view.Backends[i].Servers[j].Traffic
			t.Requests++
			t.Classes[2]++
			t.Timers[tally.Total].Counts[3]++
			t.Timers[tally.Total].Sum += time.Millisecond
		}
	}
	return f.view
}

// BenchmarkSample is what a second costs: 10 ms would be one percent of a
// processor.
func BenchmarkSample(b *testing.B) {
	sampler := stats.NewSampler(newFleet(), stats.SamplerOptions{})
	sampler.Sample()
	b.ReportAllocs()
	for b.Loop() {
		sampler.Sample()
	}
}

func BenchmarkPicture(b *testing.B) {
	sampler := stats.NewSampler(newFleet(), stats.SamplerOptions{})
	sampler.Sample()
	b.ReportAllocs()
	for b.Loop() {
		sampler.Picture()
	}
}

func BenchmarkCSV(b *testing.B) {
	p := stats.NewSampler(newFleet(), stats.SamplerOptions{}).Picture()
	b.ReportAllocs()
	for b.Loop() {
		stats.CSV(&p)
	}
}

func BenchmarkJSON(b *testing.B) {
	p := stats.NewSampler(newFleet(), stats.SamplerOptions{}).Picture()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := stats.JSON(&p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMetrics(b *testing.B) {
	serve := stats.Metrics(stats.NewSampler(newFleet(), stats.SamplerOptions{}))
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		serve.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		if n, _ := io.Copy(io.Discard, w.Body); n == 0 {
			b.Fatal("no metrics")
		}
	}
}
