package directory

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"doorward/auth/user"
)

// usedEvery is how many seconds a use of a token is exact to.
const usedEvery = 60

// token is a token in memory. Only lastUsed changes.
type token struct {
	user.Token
	hash     tokenHash
	person   *user.Person // nil: the user is gone
	lastUsed atomic.Int64 // seconds since 1970, 0: never
}

// shown is the token as others see it.
func (t *token) shown() user.Token {
	c := t.Token
	c.LastUsed = time.Time{}
	if at := t.lastUsed.Load(); at > 0 {
		c.LastUsed = time.Unix(at, 0).UTC()
	}
	return c
}

// raise notes a use unless a later one is known.
func (t *token) raise(at int64) {
	for {
		old := t.lastUsed.Load()
		if old >= at || t.lastUsed.CompareAndSwap(old, at) {
			return
		}
	}
}

// shardCount keeps what is copied for a change small.
const shardCount = 256

type shard = map[tokenHash]*token

// tokens finds tokens by their hash without a lock: maps are copied to be changed.
type tokens struct {
	shards [shardCount]atomic.Pointer[shard]

	mu      sync.Mutex // of writers and of the rest
	ids     map[string]*token
	users   map[string]map[*token]struct{}
	touched []*token // used, and not written yet
}

func (s *tokens) find(hash tokenHash) *token {
	m := s.shards[hash[0]].Load()
	if m == nil {
		return nil
	}
	return (*m)[hash]
}

// touch notes a use now, at most every usedEvery seconds.
func (s *tokens) touch(t *token, now int64) {
	old := t.lastUsed.Load()
	if now-old < usedEvery || !t.lastUsed.CompareAndSwap(old, now) {
		return
	}
	s.mu.Lock()
	s.touched = append(s.touched, t)
	s.mu.Unlock()
}

// takeTouched returns what was used since the last call.
func (s *tokens) takeTouched() []*token {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.touched
	s.touched = nil
	return list
}

// untake gives back what could not be written. A token that was replaced or used
// again meanwhile may be in the list twice, which does no harm.
func (s *tokens) untake(list []*token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched = append(list, s.touched...)
}

// used takes the uses that another instance has seen.
func (s *tokens) used(uses map[string]int64) {
	for text, at := range uses {
		if hash, ok := parseHash(text); ok {
			if t := s.find(hash); t != nil {
				t.raise(at)
			}
		}
	}
}

// put adds a token. One that is there stays, with its last use, unless it was
// without a user.
func (s *tokens) put(t *token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.find(t.hash); old != nil {
		if old.person == t.person {
			return
		}
		t.raise(old.lastUsed.Load())
		s.forget(old)
	}
	s.edit(t.hash, func(m shard) { m[t.hash] = t })
	s.note(t)
}

// drop removes a token by the text of its hash and returns it, nil if there was none.
func (s *tokens) drop(text string) *token {
	hash, ok := parseHash(text)
	if !ok {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.find(hash)
	if t != nil {
		s.edit(hash, func(m shard) { delete(m, hash) })
		s.forget(t)
	}
	return t
}

// dropUser removes all tokens of a user.
func (s *tokens) dropUser(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range maps.Clone(s.users[id]) {
		s.edit(t.hash, func(m shard) { delete(m, t.hash) })
		s.forget(t)
	}
}

// replace makes the list all tokens there are.
func (s *tokens) replace(list []*token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var shards [shardCount]shard
	s.ids, s.users = map[string]*token{}, map[string]map[*token]struct{}{}
	for _, t := range list {
		if old := s.find(t.hash); old != nil {
			t.raise(old.lastUsed.Load())
		}
		m := &shards[t.hash[0]]
		if *m == nil {
			*m = shard{}
		}
		(*m)[t.hash] = t
		s.note(t)
	}
	for i := range shards {
		s.shards[i].Store(&shards[i])
	}
}

// edit changes a copy of the hash's shard.
func (s *tokens) edit(hash tokenHash, change func(shard)) {
	next := shard{}
	if old := s.shards[hash[0]].Load(); old != nil {
		maps.Copy(next, *old)
	}
	change(next)
	s.shards[hash[0]].Store(&next)
}

func (s *tokens) note(t *token) {
	s.ids[t.ID] = t
	of := s.users[t.UserID]
	if of == nil {
		of = map[*token]struct{}{}
		s.users[t.UserID] = of
	}
	of[t] = struct{}{}
}

func (s *tokens) forget(t *token) {
	delete(s.ids, t.ID)
	of := s.users[t.UserID]
	delete(of, t)
	if len(of) == 0 {
		delete(s.users, t.UserID)
	}
}

func (s *tokens) byID(id string) *token {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids[id]
}

func (s *tokens) of(userID string) []user.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]user.Token, 0, len(s.users[userID]))
	for t := range s.users[userID] {
		list = append(list, t.shown())
	}
	return list
}

// hashes is the texts of the hashes of a user's tokens.
func (s *tokens) hashes(userID string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for t := range s.users[userID] {
		list = append(list, t.hash.text())
	}
	return list
}

// all returns every token.
func (s *tokens) all() []*token {
	var list []*token
	for i := range s.shards {
		if m := s.shards[i].Load(); m != nil {
			for _, t := range *m {
				list = append(list, t)
			}
		}
	}
	return list
}
