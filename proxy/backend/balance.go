package backend

import "strings"

// Algorithm is a way to share requests out over servers.
type Algorithm uint8

// The algorithms; each is a file of its own.
const (
	// RoundRobin gives turns in proportion to the weights.
	RoundRobin Algorithm = iota
	// LeastConn chooses the server with the fewest requests for its weight.
	LeastConn
	// Random draws two servers by weight and takes the one with fewer requests.
	Random
	// First takes the first server in the file that has a place.
	First
	// Hash sends equal keys to the same server, as long as it is there.
	Hash
)

// HashKey is what of a request Wish.Hash is made of.
type HashKey uint8

// The keys of consistent hashes.
const (
	HashNone   HashKey = iota
	HashSource         // the client's address
	HashURI            // the path
	HashHeader         // the value of a request field
	HashUser           // who is signed in
)

// Balance says how a backend balances. The zero value is round robin.
type Balance struct {
	// Algorithm is the way.
	Algorithm Algorithm
	// Key is what Hash goes by, Header the field for HashHeader.
	Key    HashKey
	Header string
}

// ParseBalance reads roundrobin, leastconn, random, first, source, uri, user or
// header:NAME.
func ParseBalance(text string) (Balance, bool) {
	switch text {
	case "roundrobin":
		return Balance{}, true
	case "leastconn":
		return Balance{Algorithm: LeastConn}, true
	case "random":
		return Balance{Algorithm: Random}, true
	case "first":
		return Balance{Algorithm: First}, true
	case "source":
		return Balance{Algorithm: Hash, Key: HashSource}, true
	case "uri":
		return Balance{Algorithm: Hash, Key: HashURI}, true
	case "user":
		return Balance{Algorithm: Hash, Key: HashUser}, true
	}
	name, ok := strings.CutPrefix(text, "header:")
	return Balance{Algorithm: Hash, Key: HashHeader, Header: name}, ok && name != ""
}

// HashOn tells what Wish.Hash is to be made of, and the name of the field for
// HashHeader. HashNone is that it is not looked at.
func (b *Backend) HashOn() (kind HashKey, name string) {
	return b.options.Balance.Key, b.options.Balance.Header
}

// balancer shares the claims out over the members of one rotation. Pick is called
// by many goroutines and may not allocate.
type balancer interface {
	// pick takes a place on a member other than avoid. When it has taken none, the
	// server that it names is the one to wait for; nil is that any will do.
	pick(avoid *Server, hash uint64) (s *Server, taken bool)
}

// newBalancer makes the balancer of a rotation, which may go on where old was.
func (b *Backend) newBalancer(members []member, old balancer) balancer {
	if len(members) == 0 {
		return first(nil)
	}
	switch b.options.Balance.Algorithm {
	case LeastConn:
		return newLeastConn(b, members, old)
	case Random:
		return newRandom(members)
	case First:
		return first(members)
	case Hash:
		return newRing(b, members, old)
	}
	return newRoundRobin(members, old)
}
