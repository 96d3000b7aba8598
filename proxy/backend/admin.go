package backend

import (
	"sync/atomic"

	"doorward/internal/tally"
)

// Admin is what people have decided about a server.
type Admin uint8

// The decisions, with HAProxy's names.
const (
	// Ready takes requests as its health allows.
	Ready Admin = iota
	// Drain takes only those that persistence sends.
	Drain
	// Maint takes none.
	Maint
)

// String is "ready", "drain" or "maint".
func (a Admin) String() string {
	switch a {
	case Ready:
		return "ready"
	case Drain:
		return "drain"
	case Maint:
		return "maint"
	}
	return "unknown"
}

// ParseAdmin reads what String writes.
func ParseAdmin(text string) (Admin, bool) {
	for a := Ready; a <= Maint; a++ {
		if a.String() == text {
			return a, true
		}
	}
	return Ready, false
}

// MaxWeight is the largest weight that SetWeight gives.
const MaxWeight = 256

// named is what goes by a server's name: it outlives a change of the URL, since
// whoever drains a server means the one that he calls so.
type named struct {
	admin atomic.Uint32
	// weight is in force, configured is what it was before somebody changed it.
	weight, configured atomic.Int64
	tally              *tally.Tally
	// What servers counted that had the name before.
	claims, connections, reused, failures atomic.Int64
}

func newNamed(weight int) *named {
	n := &named{tally: tally.New()}
	n.configure(weight)
	return n
}

// configure puts a configured weight in force. One that is as before leaves a
// weight alone that was set since.
func (n *named) configure(weight int) {
	if n.configured.Swap(int64(weight)) != int64(weight) {
		n.weight.Store(int64(weight))
	}
}

// inherit adds what a server counted that is not in use any more.
func (n *named) inherit(c Counters) {
	n.claims.Add(c.Claims)
	n.connections.Add(c.Connections)
	n.reused.Add(c.Reused)
	n.failures.Add(c.Failures)
}

// Admin is what people have decided about the server.
func (s *Server) Admin() Admin { return Admin(s.named.admin.Load()) }

// SetAdmin puts a decision in force: claims that begin after it obey, and requests
// that wait for a server in maintenance go elsewhere. It survives reloads, for as
// long as the backend has a server of that name.
func (s *Server) SetAdmin(a Admin) {
	if Admin(s.named.admin.Swap(uint32(a))) != a {
		s.group.changed(s)
	}
}

// Weight is the server's share of the requests in proportion to the other
// weights; 0 is no share.
func (s *Server) Weight() int { return int(s.named.weight.Load()) }

// ConfiguredWeight is the weight in the file.
func (s *Server) ConfiguredWeight() int { return int(s.named.configured.Load()) }

// SetWeight changes the weight, within 0 and MaxWeight, until the configured one
// changes.
func (s *Server) SetWeight(weight int) {
	to := int64(min(max(weight, 0), MaxWeight))
	if s.named.weight.Swap(to) != to {
		s.group.changed(s)
	}
}

// Up tells whether the server is well; one that nobody checks is.
func (s *Server) Up() bool { return !s.down.Load() }

// Usable tells whether the server takes requests that are balanced: it is up,
// ready and has a weight. A backup server takes them only when no other does.
func (s *Server) Usable() bool { return s.Up() && s.Admin() == Ready && s.Weight() > 0 }

// KeepsClients tells whether requests that belong to this server still come here:
// it is up and not in maintenance. One that drains or has no weight does keep
// them.
func (s *Server) KeepsClients() bool { return s.Up() && s.Admin() != Maint }

// Backup tells whether the server steps in when no other is left.
func (s *Server) Backup() bool { return s.live.Load().backup }

// Cookie is the configured value of the persistence cookie for the server, empty
// for none.
func (s *Server) Cookie() string { return s.live.Load().cookie }

// Tally counts the server's requests. It goes by name, as Admin does.
func (s *Server) Tally() *tally.Tally { return s.named.tally }
