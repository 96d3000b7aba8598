package auth

import (
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// maxGrants is how many verified tokens a gate remembers.
	maxGrants = 8192
	// grantLife is how long one is believed without being verified again: whose it is may
	// change, and a signature costs little.
	grantLife = time.Minute
)

// grant is a provider's token that was verified.
type grant struct {
	Caller
	by     *Bearer // the entry of the route that it was verified for
	enough bool    // its scopes are those that the route asks for
	until  time.Time
}

// UserName implements gate.Pass.
func (g *grant) UserName() string { return g.Person.View().User.Name }

// grants remembers verified tokens, by their hash, until they end. Only good tokens are
// kept, so nobody fills it with others.
type grants struct {
	now func() time.Time
	mu  sync.RWMutex
	all map[[sha256.Size]byte]*grant
}

func newGrants(now func() time.Time) *grants {
	return &grants{now: now, all: map[[sha256.Size]byte]*grant{}}
}

// find returns the grant of a token, nil when there is none any more. It allocates
// nothing.
func (g *grants) find(token []byte) *grant {
	hash := sha256.Sum256(token)
	g.mu.RLock()
	found := g.all[hash]
	g.mu.RUnlock()
	if found == nil || !g.now().Before(found.until) {
		return nil
	}
	return found
}

func (g *grants) keep(token []byte, made *grant) {
	now := g.now()
	made.until = now.Add(grantLife)
	if made.Expires.Before(made.until) {
		made.until = made.Expires
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.all) >= maxGrants {
		g.makeRoom(now)
	}
	g.all[sha256.Sum256(token)] = made
}

// makeRoom drops what has ended, or else any: it can be verified again.
func (g *grants) makeRoom(now time.Time) {
	for hash, old := range g.all {
		if !now.Before(old.until) {
			delete(g.all, hash)
		}
	}
	for hash := range g.all {
		if len(g.all) < maxGrants {
			return
		}
		delete(g.all, hash)
	}
}
