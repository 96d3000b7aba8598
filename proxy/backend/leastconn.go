package backend

import "sync/atomic"

// leastConn chooses the server with the fewest requests for its weight, and goes
// round among equals. Requests that wait for a server need not be counted: it is
// full then, and out of the question.
//
// It reads the counters of all servers, which lie side by side in a few cache
// lines, and writes nothing but whom it chose: that is quicker than a heap under a
// lock that every claim and every release would have to take.
type leastConn struct {
	members []member

	_    [64]byte
	last atomic.Int64
	_    [56]byte
}

// newLeastConn goes round from where the rotation before was.
func newLeastConn(members []member, old balancer) *leastConn {
	l := &leastConn{members: members}
	l.last.Store(int64(len(members) - 1))
	before, ok := old.(*leastConn)
	if !ok {
		return l
	}
	last := before.members[before.last.Load()].server
	for i := range members {
		if members[i].server == last {
			l.last.Store(int64(i))
		}
	}
	return l
}

// hurry is how often a choice that others were quicker to take is made anew.
const hurry = 3

func (l *leastConn) pick(avoid *Server, _ uint64) (*Server, bool) {
	from := int(l.last.Load()) + 1
	for range hurry {
		at := l.least(from, avoid)
		if at < 0 {
			return nil, false
		}
		if s := l.members[at].server; s.take() {
			l.last.Store(int64(at))
			return s, true
		}
	}
	return anyFree(l.members, from%len(l.members), avoid)
}

// least is the index of the best member, the first of the best from an index on;
// -1 is that all are full.
func (l *leastConn) least(from int, avoid *Server) int {
	best := -1
	load, weight := int64(1), int64(0) // more than any load
	for i := range l.members {
		at := from + i
		if at >= len(l.members) {
			at -= len(l.members)
		}
		m := &l.members[at]
		active := m.places.active()
		if active*weight >= load*m.weight {
			continue
		}
		if m.server == avoid || active >= m.limit {
			continue
		}
		if best, load, weight = at, active, m.weight; active == 0 {
			break
		}
	}
	return best
}
