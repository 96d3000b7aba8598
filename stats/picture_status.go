package stats

import "fmt"

// IsUp is the verdict of the checks. A server that is not checked is up.
func (s *Server) IsUp() bool { return !s.Health.Checked || s.Health.Up }

// Usable says that the server takes new requests: it is up, ready, and has a
// weight. A backup server is usable too, though it waits for its turn.
func (s *Server) Usable() bool { return s.IsUp() && s.Admin == "ready" && s.Weight > 0 }

// Status is what HAProxy's page and CSV would say: "UP", "DOWN", "UP 2/3" for one
// that two more failures would take down, "DOWN 1/2" for one that has passed one
// of two checks, "DRAIN" and "DRAIN 2/3", "MAINT", or "no check".
func (s *Server) Status() string {
	h := &s.Health
	switch {
	case s.Admin == "maint":
		return "MAINT"
	case s.Admin == "drain" && s.IsUp():
		return "DRAIN" + h.leftToFall()
	case !h.Checked:
		return "no check"
	case h.Up:
		return "UP" + h.leftToFall()
	case h.Counter > 0:
		return fmt.Sprintf("DOWN %d/%d", h.Counter, h.Rise)
	}
	return "DOWN"
}

// leftToFall is how many failures in a row it takes to go down, of how many; ""
// when it is all of them.
func (h *Health) leftToFall() string {
	left := h.Counter - h.Rise + 1
	if !h.Checked || left >= h.Fall {
		return ""
	}
	return fmt.Sprintf(" %d/%d", left, h.Fall)
}

// Usable is how many servers take new requests, backup servers apart.
func (b *BackendRow) Usable() (active, backup int) {
	for i := range b.Servers {
		switch s := &b.Servers[i]; {
		case !s.Usable():
		case s.Backup:
			backup++
		default:
			active++
		}
	}
	return active, backup
}

// Status is "UP" or "DOWN".
func (b *Backend) Status() string {
	if b.Up {
		return "UP"
	}
	return "DOWN"
}

// Status is "OPEN", or "STOP" for a listener that accepts no more.
func (f *Frontend) Status() string {
	if f.Open {
		return "OPEN"
	}
	return "STOP"
}
