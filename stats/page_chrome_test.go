package stats_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"doorward/internal/browsertest"
	"doorward/stats"
)

// tab is a page in a browser.
type tab = browsertest.Tab

// chromeHost is the name that browsers of these tests ask for. It is not
// "localhost", for which they make exceptions.
const chromeHost = "edge.example.com"

// site is a page of an edge that browsers can reach.
type site struct {
	*edge
	sampler *stats.Sampler
	url     string
}

// newSite makes one that had traffic for so many seconds.
func newSite(t *testing.T, e *edge, seconds int, o stats.PageOptions) *site {
	t.Helper()
	sampler := stats.NewSampler(e, stats.SamplerOptions{})
	for range seconds {
		e.pass(1)
		sampler.Sample()
	}
	o.Sampler = sampler
	if o.Steward == nil {
		o.Steward = e
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := httptest.NewServer(stats.NewPage(ctx, o))
	t.Cleanup(server.Close)
	t.Cleanup(cancel) // before Close, which waits for event streams
	server.Config.ErrorLog = nil
	return &site{e, sampler, strings.Replace(server.URL, "127.0.0.1", chromeHost, 1)}
}

// live lets a second go by every so often, until the test ends.
func (s *site) live(t *testing.T, every time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				s.pass(1)
				s.sampler.Sample()
			}
		}
	})
	t.Cleanup(group.Wait)
	t.Cleanup(cancel)
}
