package backend

import (
	"slices"
	"sync/atomic"
)

// maxSchedule bounds the length of a schedule; weights whose sum is larger are
// scaled down, with a share of at least one each.
const maxSchedule = 1 << 14

// maxTurns is how many turns may go to full servers before a claim takes what is
// free.
const maxTurns = 8

// roundRobin is weighted round robin along a schedule made beforehand, so that a
// pick is one atomic addition. A server of weight 3 among others is not chosen
// three times in a row, its turns are spread over the schedule.
type roundRobin struct {
	members  []member
	shares   []int64
	due      []float64
	schedule []uint32

	_ [64]byte
	// turn is written by every claim and keeps a cache line to itself.
	turn atomic.Uint64
	_    [56]byte
}

// newRoundRobin goes on where the rotation before was: a server that was halfway
// to its next turn still is, also when it comes back. So neither reloads nor
// servers that come and go favour anybody.
func newRoundRobin(members []member, old balancer) *roundRobin {
	r := &roundRobin{members: members, due: make([]float64, len(members))}
	if before, ok := old.(*roundRobin); ok {
		before.settle()
	}
	for i := range members {
		s := members[i].server
		if !s.rotated {
			// Newcomers begin at different points, in the order of the file.
			s.rotated, s.due = true, (float64(i)+0.5)/float64(len(members))
		}
		r.due[i] = s.due
	}
	r.shares = reduce(members)
	r.schedule = schedule(r.shares, r.due)
	r.turn.Store(^uint64(0))
	return r
}

// settle notes with each server the part of a round that it has yet to wait.
func (r *roundRobin) settle() {
	n := uint64(len(r.schedule))
	done := (r.turn.Load() + 1) % n
	for i := range r.members {
		past := float64(r.shares[i]) * float64(done) / float64(n)
		r.members[i].server.due = r.due[i] - past
	}
	for _, i := range r.schedule[:done] {
		r.members[i].server.due++
	}
	for i := range r.members {
		s := r.members[i].server
		s.due = min(max(s.due, 0), 1)
	}
}

func (r *roundRobin) pick(avoid *Server, _ uint64) (*Server, bool) {
	n := uint64(len(r.schedule))
	for range min(len(r.members), maxTurns) {
		s := r.members[r.schedule[r.turn.Add(1)%n]].server
		if s != avoid && s.take() {
			return s, true
		}
	}
	return anyFree(r.members, int(r.turn.Load()%uint64(len(r.members))), avoid)
}

// schedule lists indices of shares, each as often as its share says and as evenly
// as possible. A server's first turn comes when the part of its round that is due
// has passed, the others a round apart; a round is long for a small share.
func schedule(shares []int64, due []float64) []uint32 {
	const (
		indexBits = 24
		one       = 1 << (62 - indexBits) // the length of the schedule; times reach twice that
	)
	var turns []uint64 // time and index in one number, which sorts quickest
	for i, share := range shares {
		for k := range share {
			at := (float64(k) + due[i]) / float64(share)
			turns = append(turns, uint64(at*one)<<indexBits|uint64(i))
		}
	}
	slices.Sort(turns)
	order := make([]uint32, len(turns))
	for i, turn := range turns {
		order[i] = uint32(turn & (1<<indexBits - 1))
	}
	return order
}

// reduce brings weights into lowest terms and their sum below maxSchedule.
func reduce(members []member) []int64 {
	sum, divisor := int64(0), int64(0)
	for i := range members {
		sum += members[i].weight
		divisor = gcd(divisor, members[i].weight)
	}
	limit := int64(max(maxSchedule, len(members))) * divisor
	shares := make([]int64, len(members))
	for i := range members {
		if w := members[i].weight; sum > limit {
			shares[i] = max(1, w*maxSchedule/sum)
		} else {
			shares[i] = w / divisor
		}
	}
	return shares
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
