package backend

import "sync/atomic"

// maxSchedule bounds the length of a schedule; weights whose sum is larger are
// scaled down, with a share of at least one each.
const maxSchedule = 1 << 14

// roundRobin is weighted round robin along a schedule made beforehand, so that a
// pick is one atomic addition. A server of weight 3 among others is not chosen
// three times in a row, its turns are spread over the schedule.
type roundRobin struct {
	servers  []*Server
	schedule []uint32

	_ [64]byte
	// turn is written by every claim and keeps a cache line to itself.
	turn atomic.Uint64
	_    [56]byte
}

// newRoundRobin goes on where the previous backend was, so that reloads do not
// favour the first server.
func newRoundRobin(servers []*Server, wanted []settings, previous *Backend) *roundRobin {
	r := &roundRobin{}
	var weights []int
	for i, s := range servers {
		if w := wanted[i].weight; w > 0 {
			r.servers = append(r.servers, s)
			weights = append(weights, w)
		}
	}
	r.schedule = spread(weights)
	r.turn.Store(^uint64(0))
	if previous != nil {
		if old, ok := previous.balance.(*roundRobin); ok {
			r.turn.Store(old.turn.Load())
		}
	}
	return r
}

func (r *roundRobin) pick(avoid *Server) *Server {
	n := uint64(len(r.schedule))
	for range r.servers {
		s := r.servers[r.schedule[r.turn.Add(1)%n]]
		if s != avoid && s.take() {
			return s
		}
	}
	// With uneven weights as many turns as there are servers need not have been
	// a turn of each.
	for _, s := range r.servers {
		if s != avoid && s.take() {
			return s
		}
	}
	return nil
}

// spread lists indices of weights, each as often as its weight says in lowest
// terms and as evenly as possible. At each turn every server gains its weight
// and the richest one pays the sum of all.
func spread(weights []int) []uint32 {
	shares, sum := reduce(weights)
	schedule := make([]uint32, 0, sum)
	credit := make([]int, len(shares))
	for range sum {
		best := 0
		for i, share := range shares {
			credit[i] += share
			if credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= sum
		schedule = append(schedule, uint32(best))
	}
	return schedule
}

// reduce brings weights into lowest terms and below maxSchedule.
func reduce(weights []int) (shares []int, sum int) {
	divisor := 0
	for _, w := range weights {
		sum += w
		divisor = gcd(divisor, w)
	}
	limit := max(maxSchedule, len(weights)) * divisor
	shares = make([]int, len(weights))
	total := 0
	for i, w := range weights {
		if sum > limit {
			shares[i] = max(1, int(int64(w)*maxSchedule/int64(sum)))
		} else {
			shares[i] = w / divisor
		}
		total += shares[i]
	}
	return shares, total
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
