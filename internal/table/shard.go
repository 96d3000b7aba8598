package table

import (
	"hash/maphash"
	"math/bits"
	"sync"
)

// Stay says how firmly an entry keeps its place.
type Stay uint8

const (
	// Plain entries expire, and go first when room is needed.
	Plain Stay = iota
	// Protected entries expire, and go when there is no plain one left, or when
	// they and the pinned ones have more than three quarters of their shard:
	// newcomers must have some place too.
	Protected
	// Pinned entries go like protected ones, and do not expire.
	Pinned

	// vacant marks a slot without an entry.
	vacant
)

// Ref leads to one entry for as long as that exists. The zero Ref leads nowhere.
type Ref struct{ shard, slot, born uint32 }

// Shard is a small number that tells in which part of the table the entry is.
// Counters that go by it are shared by few.
func (r Ref) Shard() int { return int(r.shard) }

const (
	chunkSlots = 128
	// bucketsPerEntry trades four bytes for a look at one slot in four: far from
	// any cache, each look costs more than all the rest.
	bucketsPerEntry = 2
	maxSlots        = 1 << 24
)

// slot is one entry. Other slots are named by their number in the shard, and 0 is
// none.
type slot[V any] struct {
	key  Key
	used int64 // when the last use was noted, in nanoseconds since the epoch
	// next is the next one in the bucket, or the next free one.
	next         uint32
	newer, older uint32
	// born tells entries apart that had the slot one after the other.
	born  uint32
	value V
	stay  Stay
}

// list holds the entries of one Stay in the order of their use.
type list struct {
	newest, oldest uint32
	len            int
}

type shard[V any] struct {
	mu   sync.Mutex
	seed maphash.Seed
	// buckets is the index: the first slot of each chain.
	buckets []uint32
	chunks  []*[chunkSlots]slot[V]
	// made is the highest slot that was ever used, free the first free one below.
	made, free uint32
	count      int
	born       uint32
	lists      [vacant]list
	counters   Counters

	_ [64]byte // neighbours do not share a cache line
}

// rules are what one call goes by.
type rules struct {
	now, expire, grain int64
	limit              int
	refuse             bool
}

func (s *shard[V]) slot(i uint32) *slot[V] {
	return &s.chunks[i/chunkSlots][i%chunkSlots]
}

// bucket is where a hash belongs among n buckets. With 2^k of them the last k
// bits tell; between two powers, those that are already there go by one bit more.
func bucket(h uint64, n int) int {
	top := 1 << bits.Len(uint(n-1))
	i := int(h & uint64(top-1))
	if i >= n {
		i -= top / 2
	}
	return i
}

func (s *shard[V]) find(h uint64, k *Key) uint32 {
	if len(s.buckets) == 0 {
		return 0
	}
	i := s.buckets[bucket(h, len(s.buckets))]
	for i != 0 {
		e := s.slot(i)
		if e.key == *k {
			break
		}
		i = e.next
	}
	return i
}

// live finds an entry that has not expired.
func (s *shard[V]) live(h uint64, k *Key, r rules) uint32 {
	i := s.find(h, k)
	if i != 0 && s.expired(i, r) {
		s.expire(i)
		return 0
	}
	return i
}

func (s *shard[V]) expired(i uint32, r rules) bool {
	e := s.slot(i)
	return r.expire > 0 && e.stay != Pinned && r.now-e.used >= r.expire+r.grain
}

func (s *shard[V]) expire(i uint32) {
	s.remove(i)
	s.counters.Expired++
}

// insert makes an entry, or returns 0 when there is no room.
func (s *shard[V]) insert(h uint64, k Key, r rules) uint32 {
	if !s.makeRoom(r) {
		s.counters.Refused++
		return 0
	}
	i := s.vacancy()
	s.count++
	s.born++
	e := s.slot(i)
	*e = slot[V]{key: k, used: r.now, born: s.born}
	for s.count*bucketsPerEntry > len(s.buckets) {
		s.grow()
	}
	head := &s.buckets[bucket(h, len(s.buckets))]
	e.next, *head = *head, i
	s.enlist(i)
	return i
}

// makeRoom removes two entries at most: what expires or is too much after the
// table was made smaller goes twice as fast as new entries come.
func (s *shard[V]) makeRoom(r rules) bool {
	for range 2 {
		if i := s.stale(r); i != 0 {
			s.expire(i)
		}
	}
	if r.refuse {
		return s.count < r.limit
	}
	for range 2 {
		if s.count >= r.limit {
			s.evict(r)
		}
	}
	return true
}

// stale is an entry that has expired, if there is one.
func (s *shard[V]) stale(r rules) uint32 {
	for _, l := range s.lists[:Pinned] {
		if l.oldest != 0 && s.expired(l.oldest, r) {
			return l.oldest
		}
	}
	return 0
}

func (s *shard[V]) evict(r rules) {
	if i := s.victim(r); i != 0 {
		s.remove(i)
		s.counters.Evicted++
	}
}

func (s *shard[V]) victim(r rules) uint32 {
	loose, firm := s.lists[Plain], s.lists[Protected].len+s.lists[Pinned].len
	if loose.oldest != 0 && firm <= r.limit-r.limit/4 {
		return loose.oldest
	}
	for _, stay := range []Stay{Protected, Pinned} {
		if i := s.lists[stay].oldest; i != 0 {
			return i
		}
	}
	return loose.oldest
}

// vacancy takes a slot that was used before, or the next of the last chunk.
func (s *shard[V]) vacancy() uint32 {
	if i := s.free; i != 0 {
		s.free = s.slot(i).next
		return i
	}
	s.made++ // slot 0 stays empty, since 0 is none
	if int(s.made/chunkSlots) == len(s.chunks) {
		s.chunks = append(s.chunks, new([chunkSlots]slot[V]))
	}
	return s.made
}

// grow adds one bucket and moves to it what belongs there from the one that
// stood in for it.
func (s *shard[V]) grow() {
	n := len(s.buckets)
	s.buckets = append(s.buckets, 0)
	if n == 0 {
		return
	}
	link := &s.buckets[bucket(uint64(n), n)]
	for *link != 0 {
		i := *link
		e := s.slot(i)
		if bucket(hash(s.seed, &e.key), n+1) != n {
			link = &e.next
			continue
		}
		*link = e.next
		e.next, s.buckets[n] = s.buckets[n], i
	}
}

func (s *shard[V]) remove(i uint32) {
	e := s.slot(i)
	link := &s.buckets[bucket(hash(s.seed, &e.key), len(s.buckets))]
	for *link != i {
		link = &s.slot(*link).next
	}
	*link = e.next
	s.delist(i)
	e.stay, e.next, s.free = vacant, s.free, i
	s.count--
}

// reset forgets everything but the counters, and which births there were.
func (s *shard[V]) reset() {
	s.buckets, s.chunks = nil, nil
	s.made, s.free, s.count = 0, 0, 0
	s.lists = [vacant]list{}
}

// touch notes a use.
func (s *shard[V]) touch(i uint32, r rules) {
	e := s.slot(i)
	if r.now-e.used < max(r.grain, 0) {
		return
	}
	e.used = r.now
	if s.lists[e.stay].newest != i {
		s.delist(i)
		s.enlist(i)
	}
}

// settle notes a use that may have changed how firmly an entry stays.
func (s *shard[V]) settle(i uint32, stay Stay, r rules) {
	e := s.slot(i)
	if e.stay == stay {
		s.touch(i, r)
		return
	}
	s.delist(i)
	e.stay, e.used = stay, max(e.used, r.now)
	s.enlist(i)
}

func (s *shard[V]) enlist(i uint32) {
	e := s.slot(i)
	l := &s.lists[e.stay]
	e.older, e.newer = l.newest, 0
	if l.newest == 0 {
		l.oldest = i
	} else {
		s.slot(l.newest).newer = i
	}
	l.newest = i
	l.len++
}

func (s *shard[V]) delist(i uint32) {
	e := s.slot(i)
	l := &s.lists[e.stay]
	if e.newer == 0 {
		l.newest = e.older
	} else {
		s.slot(e.newer).older = e.older
	}
	if e.older == 0 {
		l.oldest = e.newer
	} else {
		s.slot(e.older).newer = e.newer
	}
	l.len--
}
