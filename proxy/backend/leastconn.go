package backend

import (
	"math/bits"
	"sync/atomic"
)

// leastConn chooses the server with the fewest requests for its weight, and goes
// round among equals. Requests that wait for a server need not be counted: it is
// full then, and out of the question.
//
// To look at every server takes too long, and a heap would need a lock around each
// claim and each release. So the members stand in rows, about as many as a row is
// long, and for each row the lowest load in it is noted: a pick reads the notes and
// one row. Whoever raises a load writes a new note, whoever lowers one sees that the
// note is no higher. A note that comes out wrong when two write at once is put right
// by the next pick in its row, and is off by a request at most until then.
type leastConn struct {
	members []member
	loads   []load
	// lowest are the notes; a row has 2^rowBits members, the last one may have less.
	lowest  []atomic.Uint64
	rowBits int
	// live tells that servers say here when a load falls; they do so for the newest
	// generation alone.
	live bool

	_    [64]byte
	last atomic.Int64
	_    [56]byte
}

// load is what the search sees of a member: step is what one request means to a
// server of its weight.
type load struct {
	places      *places
	step, limit uint64
	lowest      *atomic.Uint64
}

const (
	// stepScale is the step of the server with the largest weight.
	stepScale = 1 << 10
	maxStep   = stepScale << 17
	// searchBits leave room below a load for the position in a search: one number
	// orders by both, and the loops have no branch to guess.
	searchBits = 16
	searchLow  = 1<<searchBits - 1
	// fullLoad is above all others.
	fullLoad = 1<<(64-searchBits) - 1
)

// now is the load at this moment.
func (l *load) now() uint64 {
	n := l.places.count.Load() & maxActive
	at := n * l.step
	if n >= l.limit {
		at = fullLoad
	}
	return at
}

// fell is called when a request has left.
func (l *load) fell() {
	n := l.now()
	for noted := l.lowest.Load(); n < noted; noted = l.lowest.Load() {
		if l.lowest.CompareAndSwap(noted, n) {
			return
		}
	}
}

// newLeastConn goes round from where the rotation before was.
func newLeastConn(b *Backend, members []member, old balancer) *leastConn {
	l := &leastConn{
		members: members, loads: make([]load, len(members)),
		rowBits: bits.Len(uint(len(members))) / 2,
		live:    b.group.newest.Load() == b,
	}
	l.lowest = make([]atomic.Uint64, (len(members)-1)>>l.rowBits+1)
	most := int64(0)
	for i := range members {
		most = max(most, members[i].weight)
	}
	l.last.Store(int64(len(members) - 1))
	before, goesOn := old.(*leastConn)
	for i := range members {
		m := &members[i]
		l.loads[i] = load{
			places: m.places, limit: uint64(m.limit),
			step:   min(uint64(most*stepScale/m.weight), maxStep),
			lowest: &l.lowest[i>>l.rowBits],
		}
		if l.live {
			m.server.load.Store(&l.loads[i])
		}
		if goesOn && before.members[before.last.Load()].server == m.server {
			l.last.Store(int64(i))
		}
	}
	for row := range l.lowest { // from now on loads that fall are noted
		l.lowest[row].Store(l.scan(row, 0).load)
	}
	return l
}

// hurry is how often a choice that others were quicker to take is made anew.
const hurry = 3

func (l *leastConn) pick(avoid *Server, _ uint64) (*Server, bool) {
	last := int(l.last.Load())
	for range hurry {
		if !l.live {
			break
		}
		f := l.search(last)
		s := l.members[f.at].server
		if f.load == fullLoad || s == avoid {
			break
		}
		if s.take() {
			l.note(f)
			l.last.Store(int64(f.at))
			return s, true
		}
	}
	at := l.leastFree(last+1, avoid)
	if at < 0 {
		return nil, false
	}
	return anyFree(l.members, at, avoid)
}

// found is the best member of a row: its index and load, and the lowest load of
// the others.
type found struct {
	at, row      int
	load, second uint64
}

// search finds the member with the lowest load, the first of them behind last.
func (l *leastConn) search(last int) found {
	here := last >> l.rowBits
	f := l.scan(here, last+1-here<<l.rowBits)
	if f.load == 0 && f.at > last {
		return f
	}
	for range hurry {
		row, lowest := l.lowestRow(here)
		if f.load <= lowest && (row == here || f.at > last) {
			break
		}
		g := f
		if row != here {
			g = l.scan(row, 0)
		}
		if g.load <= lowest {
			return g
		}
		// A claim that did not come through here has raised it.
		l.lowest[row].Store(g.load)
	}
	return f
}

// lowestRow is the first row behind another with the lowest note, and the note.
func (l *leastConn) lowestRow(behind int) (row int, load uint64) {
	best, rank := ^uint64(0), uint64(0)
	for _, part := range [2][]atomic.Uint64{l.lowest[behind+1:], l.lowest[:behind+1]} {
		for i := range part {
			best = min(best, part[i].Load()<<searchBits+rank)
			rank++
		}
	}
	row = behind + 1 + int(best&searchLow)
	if row >= len(l.lowest) {
		row -= len(l.lowest)
	}
	return row, best >> searchBits
}

// scan looks at one row, beginning at a position in it.
func (l *leastConn) scan(row, from int) found {
	start := row << l.rowBits
	loads := l.loads[start:min(start+1<<l.rowBits, len(l.loads))]
	from = min(from, len(loads))
	best, second, rank := ^uint64(0), ^uint64(0), uint64(0)
	for _, part := range [2][]load{loads[from:], loads[:from]} {
		for i := range part {
			key := part[i].now()<<searchBits + rank
			second = min(second, max(best, key))
			best = min(best, key)
			rank++
		}
	}
	at := from + int(best&searchLow)
	if at >= len(loads) {
		at -= len(loads)
	}
	return found{start + at, row, best >> searchBits, second >> searchBits}
}

// note writes down the lowest load of a row of which the best was taken.
func (l *leastConn) note(f found) {
	n := min(f.second, l.loads[f.at].now())
	if l.lowest[f.row].Load() != n {
		l.lowest[f.row].Store(n)
	}
}

// leastFree looks at every member that is not to be avoided; -1 is that none of
// them has a place.
func (l *leastConn) leastFree(from int, avoid *Server) int {
	best, lowest := -1, uint64(fullLoad)
	for i := range l.loads {
		at := from + i
		if at >= len(l.loads) {
			at -= len(l.loads)
		}
		if n := l.loads[at].now(); n < lowest && l.members[at].server != avoid {
			best, lowest = at, n
		}
	}
	return best
}
