package session

import (
	"maps"
	"sync"
	"sync/atomic"
)

// shards finds sessions by ticket. To read takes no lock: each shard is a map that is
// never changed, only replaced. With 256 of them a sign-in copies a small part.
type shards [256]shard

type shard struct {
	mu  sync.Mutex // of writers
	all atomic.Pointer[map[ticketID]entry]
}

// entry is a ticket with its session.
type entry struct {
	session *Session
	ticket  ticket
}

func (s *shards) find(id ticketID) (entry, bool) {
	all := s[id[0]].all.Load()
	if all == nil {
		return entry{}, false
	}
	e, ok := (*all)[id]
	return e, ok
}

func (s *shards) put(e entry) {
	s[e.ticket.ID[0]].replace(func(m map[ticketID]entry) { m[e.ticket.ID] = e })
}

func (s *shards) drop(id ticketID) {
	s[id[0]].replace(func(m map[ticketID]entry) { delete(m, id) })
}

func (s *shard) replace(change func(map[ticketID]entry)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := map[ticketID]entry{}
	if all := s.all.Load(); all != nil {
		next = maps.Clone(*all)
	}
	change(next)
	s.all.Store(&next)
}
