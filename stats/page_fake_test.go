package stats_test

import (
	"fmt"
	"math"
	"sync"
	"time"

	"doorward/internal/tally"
	"doorward/stats"
)

// edge is an instance that never was: its servers are in every state there is, and
// its clock goes on when a test says so.
type edge struct {
	mu    sync.Mutex
	view  stats.View
	tick  int
	calls []string
	deny  error // what SetAdmin answers
}

var _ stats.Source = (*edge)(nil)
var _ stats.Steward = (*edge)(nil)

// View implements stats.Source.
func (e *edge) View() stats.View {
	e.mu.Lock()
	defer e.mu.Unlock()
	v := e.view
	v.Frontends = append([]stats.Frontend(nil), v.Frontends...)
	v.Routes = append([]stats.Route(nil), v.Routes...)
	v.Backends = append([]stats.Backend(nil), v.Backends...)
	for i := range v.Backends {
		b := &v.Backends[i]
		b.Servers = append([]stats.Server(nil), b.Servers...)
		if b.Stick != nil {
			stick := *b.Stick
			b.Stick = &stick
		}
	}
	return v
}

// SetAdmin implements stats.Steward.
func (e *edge) SetAdmin(backend, server, state, by string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, fmt.Sprintf("%s/%s %s by %s", backend, server, state, by))
	if e.deny != nil {
		return e.deny
	}
	for i := range e.view.Backends {
		b := &e.view.Backends[i]
		for j := range b.Servers {
			if s := &b.Servers[j]; b.Name == backend && s.Name == server {
				s.Admin, s.AdminBy, s.AdminAt = state, by, e.view.Node.Now
				return nil
			}
		}
	}
	return fmt.Errorf("there is no server %s in %s", server, backend)
}

func (e *edge) called() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.calls...)
}

func (e *edge) change(f func(*stats.View)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(&e.view)
}

// pass lets seconds go by, with traffic that comes and goes like that of a day.
func (e *edge) pass(seconds int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tick += seconds
	n := &e.view.Node
	n.Now = n.Now.Add(time.Duration(seconds) * time.Second)
	n.CPU += time.Duration(seconds) * (180 + time.Duration(e.tick%70)) * time.Millisecond
	for i := range e.view.Frontends {
		f := &e.view.Frontends[i]
		requests := e.serve(&f.Traffic, seconds, 40*(i+1))
		f.Connections = requests/int64(seconds)/3 + int64(i)
		f.ConnectionsTotal += requests / 9
		n.ConnectionsTotal += requests / 9
	}
	for i := range e.view.Routes {
		e.serve(&e.view.Routes[i].Traffic, seconds, 30)
	}
	for i := range e.view.Backends {
		e.passBackend(&e.view.Backends[i], seconds)
	}
}

func (e *edge) passBackend(b *stats.Backend, seconds int) {
	b.Active = 0
	for j := range b.Servers {
		s := &b.Servers[j]
		if s.Admin != "ready" || s.Health.Checked && !s.Health.Up || s.Backup {
			continue
		}
		requests := e.serve(&s.Traffic, seconds, 25*s.Share/100)
		s.Claims += requests
		s.Connections += requests / 40
		s.Reused += requests - requests/40
		s.Active = requests / int64(seconds) / 8
		b.Active += s.Active
		b.Traffic.Requests += requests
		b.Traffic.Classes[2] += requests
		if b.Stick != nil {
			b.Stick.Matched += requests / 2
		}
	}
}

func (e *edge) serve(t *tally.Totals, seconds, base int) int64 {
	wave := 1 + 0.5*math.Sin(float64(e.tick)/420) + 0.2*math.Sin(float64(e.tick)/37)
	requests := int64(float64(base*seconds) * wave)
	wrong := int64(0)
	if e.tick%900 > 780 { // a server is sick for two minutes of each quarter of an hour
		wrong = requests / 12
	}
	t.Requests += requests
	t.Classes[2] += requests - wrong - requests/50
	t.Classes[4] += requests / 50
	t.Classes[5] += wrong
	t.BytesIn += requests * 640
	t.BytesOut += requests * 23_400
	for timer, bucket := range []int{0, 1, 5, 6} {
		h := &t.Timers[timer]
		h.Counts[bucket] += requests * 9 / 10
		h.Counts[bucket+1+int(wrong%3)] += requests - requests*9/10
		h.Sum += time.Duration(requests) * tally.Bound(bucket) * 8 / 10
	}
	return requests
}

func newEdge() *edge {
	now := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	return &edge{view: stats.View{
		Node: stats.Node{
			Host: "edge-fra-1", Version: "0.3.0", Go: "go1.27.4", PID: 41822,
			Started: now.Add(-77 * time.Hour), Now: now, Connections: 1_284, MaxConnections: 60_000,
			ConnectionsTotal: 48_211_903, Refused: 12, FailedHandshakes: 3_419, Processors: 8,
			Goroutines: 2_611, Memory: 148_300_000, CPU: 9 * time.Hour,
		},
		Reload: stats.Reload{Done: 7, At: now.Add(-5 * time.Hour)},
		Frontends: []stats.Frontend{
			{Name: ":80", Open: true, Limit: 60_000, ConnectionsTotal: 2_113_008},
			{Name: ":443", TLS: true, Open: true, Limit: 60_000, ConnectionsTotal: 44_001_772},
			{Name: "10.20.0.4:8443", TLS: true, Limit: 60_000, ConnectionsTotal: 91_442},
		},
		Routes: []stats.Route{
			{Name: "shop", Backend: "shop"}, {Name: "api", Backend: "api"},
			{Name: "wiki and intranet", Backend: "intranet"}, {Name: "redirect to www"},
		},
		Backends: edgeBackends(now),
		Limits: []stats.Limit{
			{Name: "login", By: "client", Keys: 812, Passed: 91_224, Refused: 371},
			{Name: "api", By: "user", LogOnly: true, Keys: 96, Passed: 1_200_331, Refused: 18, Delayed: 4, Queued: 2},
		},
		Certificates: []stats.Certificate{
			{Names: []string{"shop.example.com", "www.shop.example.com"}, Source: "/etc/doorward/certs/shop.pem",
				Issuer: "Example Public CA R3", NotAfter: now.Add(61 * 24 * time.Hour)},
			{Names: []string{"*.intranet.example.com"}, Source: "/etc/doorward/certs/intranet.pem",
				Issuer: "Example Internal CA", NotAfter: now.Add(5*24*time.Hour + time.Hour)},
		},
	}}
}

func edgeBackends(now time.Time) []stats.Backend {
	since := now.Add(-77 * time.Hour)
	up := stats.Health{
		Checked: true, Up: true, Rise: 2, Fall: 3, Counter: 4, Status: "L7OK", Code: 200,
		Took: 3 * time.Millisecond, At: now, LastChange: since,
	}
	health := func(f func(*stats.Health)) stats.Health {
		h := up
		f(&h)
		return h
	}
	server := func(name, address string, h stats.Health) stats.Server {
		return stats.Server{
			Name: name, Address: address, URL: "http://" + address, Health: h, Admin: "ready",
			Weight: 100, ConfiguredWeight: 100, Share: 100, Limit: 200,
		}
	}
	down := health(func(h *stats.Health) {
		h.Up, h.Counter, h.Status, h.Code, h.Fails, h.Downs = false, 0, "L4CON", 0, 9, 3
		h.Description, h.Took = "connection refused", 400*time.Microsecond
		h.Downtime, h.LastChange = 25*time.Minute, now.Add(-12*time.Minute)
	})
	rising := health(func(h *stats.Health) {
		h.Up, h.Counter, h.Downs, h.Fails, h.Downtime = false, 1, 1, 3, 4*time.Minute
	})
	falling := health(func(h *stats.Health) {
		h.Counter, h.Fails, h.Status, h.Code = 3, 1, "L7STS", 503
		h.Description = "want 2xx or 3xx"
	})
	warm := server("web3", "10.1.0.13:8080", up)
	warm.Share = 35
	drained := server("web5", "10.1.0.15:8080", up)
	drained.Admin, drained.AdminBy, drained.AdminAt = "drain", "ops", now.Add(-40*time.Minute)
	maint := server("web6", "10.1.0.16:8080", down)
	maint.Admin, maint.AdminBy, maint.AdminAt = "maint", "anna", now.Add(-3*time.Hour)
	backup := server("spare1", "10.1.0.90:8080", up)
	backup.Backup = true
	sick := server("spare2", "10.1.0.91:8080", down)
	sick.Backup = true
	long := server("a-server-whose-name-somebody-made-rather-long.rack-17.fra.example.com",
		"[2001:db8:17:4::a:113]:8443", up)
	long.URL, long.Weight = "https://a-server-whose-name-somebody-made-rather-long.rack-17.fra.example.com:8443", 40
	return []stats.Backend{
		{
			Name: "shop", Description: "What customers see", Algorithm: "leastconn", Cookie: "SRV",
			QueueLimit: 10_000, Up: true, LastChange: since,
			Stick: &stats.Stick{On: "src", Size: 100_000, Used: 41_207, Expire: 30 * time.Minute,
				Matched: 2_118_001, Stored: 96_331, Evicted: 12},
			Servers: []stats.Server{
				server("web1", "10.1.0.11:8080", up), server("web2", "10.1.0.12:8080", falling), warm,
				server("web4", "10.1.0.14:8080", down), drained, maint, backup, sick,
			},
		},
		{
			Name: "api", Algorithm: "roundrobin", QueueLimit: 10_000, Up: true, LastChange: since,
			Servers: []stats.Server{
				server("api1", "10.1.1.11:9000", up), server("api2", "10.1.1.12:9000", rising), long,
			},
		},
		{
			Name: "intranet", Description: "Wiki, tickets, files", Algorithm: "header:X-Tenant", Up: true,
			LastChange: since, Servers: []stats.Server{server("legacy", "10.1.2.11:80", stats.Health{})},
		},
		{
			Name: "reports", Algorithm: "first", LastChange: now.Add(-time.Hour), Downs: 2,
			Downtime: time.Hour,
			Servers:  []stats.Server{server("rep1", "10.1.3.11:8080", down)},
		},
	}
}
