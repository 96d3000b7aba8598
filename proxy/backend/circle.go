package backend

import (
	"hash/fnv"
	"math/bits"
	"slices"
)

const (
	// pointsEach is how many points a server has whose weight is the whole class of
	// weights: shares are off by some six percent then.
	pointsEach = 256
	// A point is its place on the circle, the rank among its server's points, and
	// that server's place in the file.
	rankBits  = 12
	ownerBits = 20
	ownerMask = 1<<ownerBits - 1
	maxPoints = 1 << rankBits
)

// circle is the points of all servers of a backend on a circle of 2^64, those of
// servers that are down included. They are made of the server's name alone, so
// that every process with the same servers has the same circle. It never changes.
type circle struct {
	seeds  []uint64
	counts []int64
	points []uint64
	// start is the first point at or above each of 2^n equal parts of the circle.
	start []uint32
	shift int
}

// newCircle makes a circle on which each server has so many points.
func newCircle(seeds []uint64, counts []int64) *circle {
	c := &circle{seeds: seeds, counts: counts}
	sum := int64(0)
	for _, n := range counts {
		sum += n
	}
	loose := make([]uint64, 0, sum)
	for i, seed := range seeds {
		for rank := range uint64(counts[i]) {
			at := mix(seed + rank*0x9e3779b97f4a7c15)
			at &^= 1<<(rankBits+ownerBits) - 1
			loose = append(loose, at|rank<<ownerBits|uint64(i))
		}
	}
	c.sort(loose)
	return c
}

// has tells whether these servers have at least so many points.
func (c *circle) has(seeds []uint64, counts []int64) bool {
	if !slices.Equal(c.seeds, seeds) {
		return false
	}
	for i, n := range counts {
		if n > c.counts[i] {
			return false
		}
	}
	return true
}

// sort puts the points in order: first by the part of the circle, then within it,
// where there is hardly more than one.
func (c *circle) sort(loose []uint64) {
	parts := bits.Len(uint(len(loose)))
	c.shift = 64 - parts
	c.start = make([]uint32, 1<<parts+1)
	for _, p := range loose {
		c.start[p>>c.shift+1]++
	}
	for i := range c.start[1:] {
		c.start[i+1] += c.start[i]
	}
	next := slices.Clone(c.start)
	c.points = make([]uint64, len(loose))
	for _, p := range loose {
		part := p >> c.shift
		i := next[part]
		next[part]++
		for ; i > c.start[part] && c.points[i-1] > p; i-- {
			c.points[i] = c.points[i-1]
		}
		c.points[i] = p
	}
}

// find is the index of the point that comes next.
func (c *circle) find(hash uint64) int {
	i := int(c.start[hash>>c.shift])
	for ; i < len(c.points); i++ {
		if c.points[i] >= hash {
			return i
		}
	}
	return 0
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
