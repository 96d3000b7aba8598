package backend

import "math/rand/v2"

// random draws two servers by weight and takes the one with fewer requests for
// its weight. That is nearly as even as leastconn, and nothing is shared by those
// who draw.
//
// A draw looks at one column of an alias table (Walker's method): each column is
// as wide as the average weight and holds at most two servers.
type random struct {
	members []member
	columns []column
}

// column is one server up to a height, in 1/2^32, and another above it.
type column struct {
	height uint32
	above  uint32
}

func newRandom(members []member) *random {
	n := uint64(len(members))
	r := &random{members: members, columns: make([]column, n)}
	total := uint64(0)
	for i := range members {
		total += uint64(members[i].weight)
	}
	// Weights times n, so that the average is the total.
	left := make([]uint64, n)
	var small, large []uint32
	for i := range members {
		left[i] = uint64(members[i].weight) * n
		r.columns[i] = column{height: 1<<32 - 1, above: uint32(i)}
		if left[i] < total {
			small = append(small, uint32(i))
		} else {
			large = append(large, uint32(i))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		low, high := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		r.columns[low] = column{height: fraction(left[low], total), above: high}
		if left[high] -= total - left[low]; left[high] < total {
			large = large[:len(large)-1]
			small = append(small, high)
		}
	}
	return r
}

// fraction is part/total in 1/2^32, for a part that is smaller.
func fraction(part, total uint64) uint32 {
	return uint32(float64(part) / float64(total) * (1 << 32))
}

func (r *random) draw(x uint64) uint32 {
	at := uint32(x >> 32 * uint64(len(r.columns)) >> 32)
	if c := &r.columns[at]; uint32(x) >= c.height {
		return c.above
	}
	return at
}

func (r *random) pick(avoid *Server, _ uint64) (*Server, bool) {
	var at uint32
	for range hurry {
		x := rand.Uint64()
		at = r.draw(x)
		a, b := &r.members[at], &r.members[r.draw(mix(x))]
		if b.places.active()*a.weight < a.places.active()*b.weight {
			a, b = b, a
		}
		if a.server != avoid && a.server.take() {
			return a.server, true
		}
		if b.server != avoid && b.server.take() {
			return b.server, true
		}
	}
	return anyFree(r.members, int(at), avoid)
}
