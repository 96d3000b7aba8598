package backend

import (
	"time"

	"doorward/internal/safe"
)

// start sets the server to work if it is not at work yet, and tells whether that
// was the first time.
func (s *Server) start() bool {
	s.lifeMu.Lock()
	defer s.lifeMu.Unlock()
	if s.running || s.life.Err() != nil {
		return false
	}
	s.running = true
	safe.Go(s.log, "server "+s.name, s.tend)
	return true
}

// retire ends the server's own work; claims and their connections go on.
func (s *Server) retire() {
	s.end()
	s.pool.close()
	s.trunks.close()
}

// tend is the one goroutine of a server: it looks the name up, sweeps the pool and
// takes the steps of slow start until the server is retired.
func (s *Server) tend() {
	lookup := time.NewTimer(0)
	defer lookup.Stop()
	if !s.address.named() {
		lookup.Stop()
	}
	sweep := time.NewTimer(s.untilSweep())
	defer sweep.Stop()
	step := time.NewTimer(time.Hour)
	step.Stop()
	defer step.Stop()
	var last time.Time
	for {
		select {
		case <-s.life.Done():
			return
		case <-sweep.C:
			s.survive(s.sweep)
			sweep.Reset(s.untilSweep())
		case <-s.warming:
			step.Reset(0)
		case <-step.C:
			s.survive(func() {
				if next := s.step(); next > 0 {
					step.Reset(next)
				}
			})
		case <-s.soon:
			lookup.Reset(max(0, lookupGap-time.Since(last)))
		case <-lookup.C:
			s.survive(s.lookUp)
			last = time.Now()
			lookup.Reset(s.untilLookup())
		}
	}
}

// survive does one piece of work; a panic in it does not end the others.
func (s *Server) survive(work func()) {
	defer safe.Recover(s.log, "server "+s.name)
	work()
}

// sweep closes idle connections that are too old, that the server has closed, or
// that came back while its addresses were changing.
func (s *Server) sweep() {
	now := s.pool.nextSweep()
	s.pool.drop(func(c *Conn) bool {
		return now-c.kept > idleSweeps || !c.Quiet() || !s.current(c)
	})
	s.trunks.sweep(s.leads)
}

func (s *Server) untilSweep() time.Duration {
	return max(s.live.Load().timeouts.Idle/idleSweeps, time.Millisecond)
}
