package backend

import "sync/atomic"

// places counts the requests that a server has: in the low bits those in flight,
// in the others all that there ever were, so that a claim is one atomic operation.
// The counters of the servers of one backend lie side by side, since leastconn
// reads all of them.
type places struct {
	count atomic.Uint64
}

const (
	activeBits = 20
	// maxActive is the most requests in flight at a server without a limit.
	maxActive = 1<<activeBits - 1
	oneClaim  = 1 << activeBits
)

// newPlaces makes counters for n servers, apart from what others write to.
func newPlaces(n int) []*places {
	const apart = 8 // fill a cache line
	all := make([]places, n+2*apart)
	list := make([]*places, n)
	for i := range list {
		list[i] = &all[apart+i]
	}
	return list
}

func (p *places) active() int64 { return int64(p.count.Load() & maxActive) }

func (p *places) claims() int64 { return int64(p.count.Load() >> activeBits) }

// take takes a place if there is one.
func (s *Server) take() bool {
	p := s.places
	for {
		n, limit := p.count.Load(), s.limit.Load()
		if n&maxActive >= uint64(limit) {
			return false
		}
		if p.count.CompareAndSwap(n, n+oneClaim+1) {
			if active := int64(n&maxActive) + 1; active > s.most.Load() {
				raise(&s.most, active)
			}
			return true
		}
	}
}

// pass counts a place that goes from one request to the next.
func (p *places) pass() { p.count.Add(oneClaim) }

func (p *places) free() { p.count.Add(^uint64(0)) }

// raise keeps the highest value that was seen.
func raise(most *atomic.Int64, n int64) {
	for {
		old := most.Load()
		if n <= old || most.CompareAndSwap(old, n) {
			return
		}
	}
}
