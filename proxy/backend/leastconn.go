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
	loads   []load

	_    [64]byte
	last atomic.Int64
	_    [56]byte
}

// load is a member as the search sees it: step is what one request means to a
// server of its weight, shifted by rankShift.
type load struct {
	places *places
	step   uint64
}

const (
	// rankShift leaves room below a load for the position in the search.
	rankShift = 16
	// stepScale is the step of the server with the largest weight.
	stepScale = 1 << 10
)

// newLeastConn goes round from where the rotation before was.
func newLeastConn(members []member, old balancer) *leastConn {
	l := &leastConn{members: members, loads: make([]load, len(members))}
	most := int64(0)
	for i := range members {
		most = max(most, members[i].weight)
	}
	for i := range members {
		m := &members[i]
		l.loads[i] = load{m.places, uint64(most*stepScale/m.weight) << rankShift}
	}
	l.last.Store(int64(len(members) - 1))
	if before, ok := old.(*leastConn); ok {
		last := before.members[before.last.Load()].server
		for i := range members {
			if members[i].server == last {
				l.last.Store(int64(i))
			}
		}
	}
	return l
}

// hurry is how often a choice that others were quicker to take is made anew.
const hurry = 3

func (l *leastConn) pick(avoid *Server, _ uint64) (*Server, bool) {
	from := int(l.last.Load()) + 1
	at := l.least(from)
	for range hurry {
		if s := l.members[at].server; s != avoid && s.take() {
			l.last.Store(int64(at))
			return s, true
		}
		if at = l.leastFree(from, avoid); at < 0 {
			return nil, false
		}
	}
	return anyFree(l.members, at, avoid)
}

// least is the index of the member with the lowest load, the first of them from an
// index on. It is one number, load above position, so that the loop has no branch
// to guess.
func (l *leastConn) least(from int) int {
	best, rank := ^uint64(0), uint64(0)
	for _, part := range [2][]load{l.loads[from:], l.loads[:from]} {
		for i := range part {
			p := &part[i]
			best = min(best, (p.places.count.Load()&maxActive)*p.step+rank)
			rank++
		}
	}
	at := from + int(best&(1<<rankShift-1))
	if at >= len(l.loads) {
		at -= len(l.loads)
	}
	return at
}

// leastFree is the same among those that are not full and not to be avoided; -1 is
// that there are none.
func (l *leastConn) leastFree(from int, avoid *Server) int {
	best, lowest := -1, ^uint64(0)
	for i := range l.loads {
		at := from + i
		if at >= len(l.loads) {
			at -= len(l.loads)
		}
		m := &l.members[at]
		active := m.places.active()
		if n := uint64(active) * l.loads[at].step; n < lowest && active < m.limit && m.server != avoid {
			best, lowest = at, n
		}
	}
	return best
}
