package backend

import "math/bits"

// ring is a consistent hash: a key belongs to the server whose point on the circle
// comes next. Points of servers that do not take requests are passed over, and of
// the others as many as exceed their weight. So when a server leaves only its keys
// move, and to make a ring when something has changed costs no more than a look at
// each server.
type ring struct {
	circle  *circle
	seats   []seat
	members []member
	// reach is how far a look around for a server that has room goes.
	reach int
}

// seat is a server of the backend, and how many of its points count.
type seat struct {
	server *Server
	points uint64
}

// newRing makes the ring of a rotation; the circle is made anew only when there
// are other servers, or larger weights.
func newRing(b *Backend, members []member, old balancer) *ring {
	r := &ring{members: members, seats: make([]seat, len(b.servers)), reach: 8 * len(members)}
	class := b.weightClass()
	seeds, counts := make([]uint64, len(b.servers)), make([]int64, len(b.servers))
	for i, s := range b.servers {
		seeds[i], counts[i] = s.seed, pointsOf(int64(s.Weight())*fullShare, class)
	}
	for i := range members {
		m := &members[i]
		at := b.index[m.server]
		r.seats[at] = seat{m.server, uint64(pointsOf(m.weight, class))}
	}
	if before, ok := old.(*ring); ok && b.circle == nil {
		b.circle = before.circle
	}
	if b.circle == nil || !b.circle.has(seeds, counts) {
		b.circle = newCircle(seeds, counts)
	}
	r.circle = b.circle
	return r
}

// weightClass is the power of two that no configured weight exceeds. Servers that
// are down do not move it, nor weights that are changed later, but for one that
// would have more points than there can be: it moves keys of all.
func (b *Backend) weightClass() int64 {
	most, live := 1, 0
	for i, s := range b.servers {
		most, live = max(most, b.wanted[i].weight), max(live, s.Weight())
	}
	class := int64(1) << bits.Len(uint(most-1))
	for int64(live)*pointsEach > class*maxPoints {
		class *= 2
	}
	return class
}

// pointsOf is how many points a weight stands for, in percents as a member's.
func pointsOf(weight, class int64) int64 {
	return min(max(1, weight*pointsEach/(class*fullShare)), maxPoints)
}

// pick waits for the server that the key belongs to, as HAProxy does. Only when
// that one is to be avoided, or as many wait for it as may, the next on the ring
// stands in.
func (r *ring) pick(avoid *Server, hash uint64) (*Server, bool) {
	hash = mix(hash)
	points := r.circle.points
	at, looks := r.circle.find(hash), 0
	for range points {
		p := points[at]
		if at++; at == len(points) {
			at = 0
		}
		seat := &r.seats[p&ownerMask]
		if p>>ownerBits&(maxPoints-1) >= seat.points || seat.server == avoid {
			continue
		}
		if seat.server.takeFirst() {
			return seat.server, true
		}
		if seat.server.mayQueue() {
			return seat.server, false
		}
		if looks++; looks == r.reach {
			break
		}
	}
	return anyFree(r.members, int(hash%uint64(len(r.members))), avoid)
}
