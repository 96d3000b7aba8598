package stats

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// A client that gave so many wrong passwords waits until so much time has passed
// since the last one. So many clients are remembered; among strangers that are
// more, guessing is slowed down by their number already.
const (
	maxFailures = 10
	failureWait = time.Minute
	maxGuessers = 4096
	guesserBits = 64 // of an IPv6 address: those of one subscriber
)

// gate asks for a name and a password. A gate without users lets everybody in.
type gate struct {
	users map[string][sha256.Size]byte

	mu       sync.Mutex
	guessers map[netip.Addr]guesser
}

// guesser is a client that gave wrong passwords.
type guesser struct {
	failures int
	last     time.Time
}

func newGate(users map[string]string) *gate {
	g := &gate{
		users:    map[string][sha256.Size]byte{},
		guessers: map[netip.Addr]guesser{},
	}
	for name, password := range users {
		g.users[name] = sha256.Sum256([]byte(password))
	}
	return g
}

// admit answers who it is; when false, the request has been answered.
func (g *gate) admit(w http.ResponseWriter, r *http.Request) (user string, ok bool) {
	if len(g.users) == 0 {
		return "", true
	}
	name, password, given := r.BasicAuth()
	client := guesserOf(clientOf(r))
	if given && g.waits(client) {
		w.Header().Set("Retry-After", "60")
		refuse(w, http.StatusTooManyRequests)
		return "", false
	}
	if given && g.knows(name, password) {
		g.forget(client)
		return name, true
	}
	if given {
		g.failed(client)
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="Doorward", charset="UTF-8"`)
	refuse(w, http.StatusUnauthorized)
	return "", false
}

// knows takes the same time for a wrong name as for a wrong password: digests are
// compared, and one that nothing has when there is no such user.
func (g *gate) knows(name, password string) bool {
	want, known := g.users[name]
	got := sha256.Sum256([]byte(password))
	same := subtle.ConstantTimeCompare(want[:], got[:]) == 1
	return same && known
}

func guesserOf(a netip.Addr) netip.Addr {
	if a.Is6() {
		if prefix, err := a.WithZone("").Prefix(guesserBits); err == nil {
			return prefix.Addr()
		}
	}
	return a
}

func (g *gate) waits(client netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	known := g.guessers[client]
	return known.failures >= maxFailures && time.Since(known.last) < failureWait
}

func (g *gate) failed(client netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	known, ok := g.guessers[client]
	if now.Sub(known.last) >= failureWait {
		known.failures = 0
	}
	if !ok && len(g.guessers) >= maxGuessers {
		g.makeRoom(now)
	}
	g.guessers[client] = guesser{known.failures + 1, now}
}

// makeRoom forgets those whose wait is over, or anybody when there are none.
func (g *gate) makeRoom(now time.Time) {
	for client, known := range g.guessers {
		if now.Sub(known.last) >= failureWait {
			delete(g.guessers, client)
		}
	}
	for client := range g.guessers {
		if len(g.guessers) < maxGuessers {
			return
		}
		delete(g.guessers, client)
	}
}

func (g *gate) forget(client netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.guessers, client)
}
