package backend

import (
	"hash/fnv"
	"math/bits"
)

const (
	// pointsEach is how many points on the ring a server has whose weight is the
	// whole class of weights: shares are off by some eight percent then.
	pointsEach = 256
	// maxPoints bounds the points of one server whose weight was raised far above
	// the configured ones.
	maxPoints = 16 * pointsEach
	// The low bits of a point are the index of its member.
	ownerBits = 20
	ownerMask = 1<<ownerBits - 1
)

// ring is a consistent hash. Each server has points on a circle of 2^64, made of
// its name alone, as many as its weight asks for; a key belongs to the server
// whose point comes next. When a server leaves, only its keys move. Every process
// with the same servers has the same ring.
type ring struct {
	members []member
	points  []uint64
	// start is the first point at or above each of 2^n equal parts of the circle.
	start []uint32
	shift int
	reach int
}

// weightClass is the power of two that no configured weight exceeds. Weights that
// are changed later, and servers that are down, do not move it: it would move the
// points of all.
func (b *Backend) weightClass() int64 {
	most := 1
	for i := range b.wanted {
		most = max(most, b.wanted[i].weight)
	}
	return 1 << bits.Len(uint(most-1))
}

func newRing(members []member, class int64) *ring {
	r := &ring{members: members}
	var loose []uint64
	for i := range members {
		m := &members[i]
		n := min(max(1, m.weight*pointsEach/(class*fullShare)), maxPoints)
		for k := range uint64(n) {
			at := mix(m.server.seed + k*0x9e3779b97f4a7c15)
			loose = append(loose, at&^ownerMask|uint64(i))
		}
	}
	r.sort(loose)
	// As far as a look around for a server that has room goes.
	r.reach = min(len(r.points), 8*len(members))
	return r
}

// sort puts the points in order: first by the part of the circle, then within it,
// where there is hardly more than one.
func (r *ring) sort(loose []uint64) {
	parts := bits.Len(uint(len(loose)))
	r.shift = 64 - parts
	r.start = make([]uint32, 1<<parts+1)
	for _, p := range loose {
		r.start[p>>r.shift+1]++
	}
	for i := range r.start[1:] {
		r.start[i+1] += r.start[i]
	}
	next := make([]uint32, 1<<parts)
	copy(next, r.start)
	r.points = make([]uint64, len(loose))
	for _, p := range loose {
		part := p >> r.shift
		i := next[part]
		next[part]++
		for ; i > r.start[part] && r.points[i-1] > p; i-- {
			r.points[i] = r.points[i-1]
		}
		r.points[i] = p
	}
}

// find is the index of the point that comes next.
func (r *ring) find(hash uint64) int {
	i := int(r.start[hash>>r.shift])
	for ; i < len(r.points); i++ {
		if r.points[i] >= hash {
			return i
		}
	}
	return 0
}

// pick waits for the server that the key belongs to, as HAProxy does. Only when
// that one is to be avoided, or as many wait for it as may, the next on the ring
// stands in.
func (r *ring) pick(avoid *Server, hash uint64) (*Server, bool) {
	at := r.find(mix(hash))
	for range r.reach {
		if s := r.members[r.points[at]&ownerMask].server; s != avoid {
			if s.takeFirst() {
				return s, true
			}
			if s.mayQueue() {
				return s, false
			}
		}
		if at++; at == len(r.points) {
			at = 0
		}
	}
	return anyFree(r.members, int(r.points[at]&ownerMask), avoid)
}

// seedOf is where the points of a server begin.
func seedOf(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return mix(h.Sum64())
}

// mix spreads the bits of x (the finalizer of SplitMix64): keys that are alike lie
// apart, whatever hash they come from.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
