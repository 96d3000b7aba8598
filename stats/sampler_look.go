package stats

import (
	"time"
)

// observe takes the view in. It is false when too little time has passed since
// the last one.
func (s *Sampler) observe(v *View) bool {
	now := v.Node.Now
	passed := now.Sub(s.at)
	if s.at.IsZero() || passed < 0 { // a clock that went back tells nothing
		s.begin(v)
		return true
	}
	if passed < shortest {
		return false
	}
	s.round++
	seconds := passed.Seconds()
	var sum gain
	for i := range v.Frontends {
		f := &v.Frontends[i]
		gained := s.look(rowKey{frontendRow, "", f.Name}, f.glance(), now, seconds)
		sum.totals.Add(&gained.totals)
		sum.connections += gained.connections
		sum.sessions += gained.sessions
	}
	s.all.take(&sum, v.Node.Connections, now, seconds)
	for i := range v.Routes {
		r := &v.Routes[i]
		s.look(rowKey{routeRow, "", r.Name}, glance{totals: &r.Traffic}, now, seconds)
	}
	for i := range v.Backends {
		s.lookAtBackend(&v.Backends[i], now, seconds)
	}
	s.cpu = max(0, (v.Node.CPU-s.used).Seconds()/seconds)
	s.at, s.used = now, v.Node.CPU
	s.sweep()
	s.closePoints(now)
	return true
}

// begin is the first look: there is nothing to compare with.
func (s *Sampler) begin(v *View) {
	s.at, s.point, s.used = v.Node.Now, v.Node.Now, v.Node.CPU
	s.all.seen.SessionsMax = max(s.all.seen.SessionsMax, v.Node.Connections)
	for i := range v.Frontends {
		f := &v.Frontends[i]
		s.row(rowKey{frontendRow, "", f.Name}).meet(f.glance())
	}
	for i := range v.Routes {
		r := &v.Routes[i]
		s.row(rowKey{routeRow, "", r.Name}).meet(glance{totals: &r.Traffic})
	}
	for i := range v.Backends {
		b := &v.Backends[i]
		s.row(rowKey{backendRow, "", b.Name}).meet(b.glance())
		for j := range b.Servers {
			server := &b.Servers[j]
			s.row(rowKey{serverRow, b.Name, server.Name}).meet(server.glance())
		}
	}
}

// lookAtBackend adds up what the servers gained, and not what they have: a sum of
// counters would jump when a server comes or goes.
func (s *Sampler) lookAtBackend(b *Backend, now time.Time, seconds float64) {
	key, g := rowKey{backendRow, "", b.Name}, b.glance()
	if r := s.rows[key]; r != nil {
		g.connections, g.sessions = r.connections, r.sessions
	}
	for i := range b.Servers {
		server := &b.Servers[i]
		gained := s.look(rowKey{serverRow, b.Name, server.Name}, server.glance(), now, seconds)
		g.connections += gained.connections
		g.sessions += gained.sessions
	}
	s.look(key, g, now, seconds)
}

// look looks at one row. One that is new has gained nothing.
func (s *Sampler) look(key rowKey, g glance, now time.Time, seconds float64) gain {
	r, known := s.rows[key]
	if !known {
		s.row(key).meet(g)
		return gain{}
	}
	r.round = s.round
	return r.look(g, now, seconds)
}

// row is the row of that name, new if there is none.
func (s *Sampler) row(key rowKey) *row {
	r := s.rows[key]
	if r == nil {
		r = &row{}
		if key.kind == frontendRow || key.kind == backendRow {
			r.chart = &chart{}
		}
		s.rows[key] = r
	}
	r.round = s.round
	return r
}

// sweep forgets rows that the last look did not find.
func (s *Sampler) sweep() {
	for key, r := range s.rows {
		if r.round != s.round {
			delete(s.rows, key)
		}
	}
}

// closePoints ends the open point of every chart when its time is over. After a
// pause it stands for all that were missed.
func (s *Sampler) closePoints(now time.Time) {
	n := int(now.Sub(s.point) / Step)
	if n == 0 {
		return
	}
	s.point = s.point.Add(time.Duration(n) * Step)
	s.all.chart.close(n)
	for _, r := range s.rows {
		if r.chart != nil {
			r.chart.close(n)
		}
	}
}

func (f *Frontend) glance() glance {
	return glance{&f.Traffic, f.ConnectionsTotal, f.ConnectionsTotal, f.Connections}
}

func (b *Backend) glance() glance {
	return glance{totals: &b.Traffic, now: max(b.Active, b.ActiveMax)}
}

func (s *Server) glance() glance {
	return glance{&s.Traffic, s.Connections, s.Claims, max(s.Active, s.ActiveMax)}
}

// join puts together what the view says and what is known of its rows.
func (s *Sampler) join(v *View) Picture {
	p := Picture{
		Node: v.Node, Reload: v.Reload, All: s.all.seen, CPU: s.cpu,
		Frontends: make([]FrontendRow, len(v.Frontends)),
		Routes:    make([]RouteRow, len(v.Routes)),
		Backends:  make([]BackendRow, len(v.Backends)),
		Limits:    v.Limits, Certificates: v.Certificates, SignIn: v.SignIn,
	}
	p.All.SessionsMax = max(p.All.SessionsMax, v.Node.Connections)
	for i, f := range v.Frontends {
		p.Frontends[i] = FrontendRow{f, s.seen(rowKey{frontendRow, "", f.Name}, f.glance())}
	}
	for i, r := range v.Routes {
		key := rowKey{routeRow, "", r.Name}
		p.Routes[i] = RouteRow{r, s.seen(key, glance{totals: &r.Traffic})}
	}
	for i, b := range v.Backends {
		row := BackendRow{
			Backend: b, Seen: s.seen(rowKey{backendRow, "", b.Name}, b.glance()),
			Servers: make([]ServerRow, len(b.Servers)),
		}
		row.Backend.Servers = nil
		for j, server := range b.Servers {
			key := rowKey{serverRow, b.Name, server.Name}
			row.Servers[j] = ServerRow{server, s.seen(key, server.glance())}
		}
		p.Backends[i] = row
	}
	return p
}

// seen is what is known of a row, the view of this moment included.
func (s *Sampler) seen(key rowKey, g glance) Seen {
	var seen Seen
	if r := s.rows[key]; r != nil {
		seen = r.seen
	}
	seen.SessionsMax = max(seen.SessionsMax, g.now)
	return seen
}
