package app

import (
	"cmp"
	"os"
	"runtime"
	"time"

	"doorward/config"
	"doorward/health"
	"doorward/proxy/backend"
	"doorward/stats"
)

// View is what the instance does now, for whoever shows it. It implements
// stats.Source.
func (a *App) View() stats.View {
	a.mu.Lock()
	defer a.mu.Unlock()
	g := a.current
	v := stats.View{Node: a.viewNode(), Reload: a.reloads}
	for _, address := range addresses(g.cfg) {
		v.Frontends = append(v.Frontends, a.viewListener(address))
	}
	for _, r := range g.snapshot.Routes {
		row := stats.Route{Name: r.Name, Traffic: r.Tally.Sum()}
		if r.Backend != nil {
			row.Backend = r.Backend.Name()
		}
		v.Routes = append(v.Routes, row)
	}
	for _, c := range sortedBackends(g.cfg) {
		b := a.viewBackend(c, g, v.Node.Now)
		a.outages.follow(&b, v.Node.Now)
		v.Backends = append(v.Backends, b)
	}
	v.Limits = g.viewLimits(v.Node.Now)
	v.Certificates = g.viewCertificates()
	v.SignIn = g.viewSignIn()
	return v
}

func (a *App) viewNode() stats.Node {
	counters := a.engine.Counters()
	host, _ := os.Hostname()
	use := usage()
	return stats.Node{
		Host: host, Version: a.options.Version, Go: runtime.Version(), PID: os.Getpid(),
		Started: a.started, Now: time.Now(), Draining: a.stopped,
		Connections: a.engine.Open(), MaxConnections: int64(a.places.limit()),
		ConnectionsTotal: counters.Connections.Load(), Refused: counters.Refused.Load(),
		FailedHandshakes: counters.Handshakes.Load(), Abuses: counters.Abuses.Load(),
		Panics:     counters.Panics.Load(),
		Processors: runtime.GOMAXPROCS(0), Goroutines: runtime.NumGoroutine(),
		Memory: use.memory, CPU: use.processor,
	}
}

func (a *App) viewListener(address string) stats.Frontend {
	f := stats.Frontend{Name: address, Limit: int64(a.places.limit())}
	if l := a.listeners[address]; l != nil {
		f.TLS, f.Open = l.face.Load().TLS, !l.closed.Load()
		f.Connections, f.ConnectionsTotal = l.counts.Open(), l.counts.Total()
		f.Traffic = l.counts.Tally.Sum()
	}
	return f
}

func (a *App) viewBackend(c *config.Backend, g *generation, now time.Time) stats.Backend {
	b := g.backends[c.Name]
	v := stats.Backend{
		Name: c.Name, Description: c.Description, Algorithm: string(c.Balance),
		Queued: b.Waiting(), QueuedMax: b.QueueMax(), QueueLimit: int64(c.QueueLimit),
		Active: b.Active(), ActiveMax: b.ActiveMax(), Traffic: b.Tally().Sum(),
	}
	gone := a.departed[c.Name]
	v.Traffic.Add(&gone)
	if c.Cookie != nil {
		v.Cookie = c.Cookie.Name
	}
	if t := g.persistence[c.Name].Table; t != nil {
		v.Stick = viewStick(t, now)
	}
	for i, s := range b.Servers() {
		row := a.viewServer(c, &c.Servers[i], s)
		if cookie := g.persistence[c.Name].Cookie; cookie != nil {
			row.Cookie = cookie.Value(s)
		}
		v.Up = v.Up || s.Usable()
		v.Traffic.Add(&row.Traffic)
		v.Servers = append(v.Servers, row)
	}
	return v
}

func (a *App) viewServer(b *config.Backend, c *config.Server, s *backend.Server) stats.Server {
	n := s.Counters()
	v := stats.Server{
		Name: s.Name(), Address: s.Address(), URL: c.URL, Backup: s.Backup(),
		Health: a.viewHealth(b.Name, s), Admin: s.Admin().String(),
		Weight: s.Weight(), ConfiguredWeight: s.ConfiguredWeight(), Share: s.Share(),
		Active: s.Active(), ActiveMax: s.ActiveMax(), Limit: int64(s.MaxConnections()),
		Queued: s.Queued(), QueuedMax: s.QueuedMax(), QueueLimit: int64(c.QueueLimit),
		Claims: n.Claims, Connections: n.Connections, Reused: n.Reused, Failures: n.Failures,
		Idle: int64(n.Idle), Traffic: s.Tally().Sum(),
	}
	if r, ok := a.admin.find(b.Name, s.Name()); ok {
		v.AdminBy, v.AdminAt = r.By, r.At
	}
	return v
}

func (a *App) viewHealth(backendName string, s *backend.Server) stats.Health {
	h, ok := a.monitor.Status(backendName, s.Name())
	if !ok {
		return stats.Health{Up: s.Up()}
	}
	return stats.Health{
		Checked: true, Up: s.Up(), Rise: h.Rise, Fall: h.Fall, Counter: h.Value,
		Status: h.Last.Outcome.String(), Code: h.Last.Code, Took: h.Last.Took,
		Description: describeCheck(&h.Last), At: h.Last.At, Running: h.Running, Fails: h.Fails,
		Downs: h.Downs, Downtime: h.Downtime, LastChange: h.LastChange,
	}
}

// describeCheck is a line about a check: what is known of it, or what its outcome
// means.
func describeCheck(r *health.Result) string {
	return cmp.Or(r.Description, r.Outcome.Meaning())
}
