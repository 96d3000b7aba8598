package table

import "time"

// batch is how many slots are looked at before the lock is given up.
const batch = 256

// Entry is one row of a listing.
type Entry[V any] struct {
	// Key and Value are the entry.
	Key   Key
	Value V
	// Expires is how long it has left without another use. 0 is for ever: the
	// table has no Expire, or the entry is pinned.
	Expires time.Duration
}

// Cursor is a place in a listing. The zero Cursor is the beginning.
type Cursor uint64

// Page lists up to n entries from a place on, in no order, and returns the place
// to go on from, which is 0 at the end. What is there from the first page to the
// last is listed once; what comes or goes meanwhile may be or not.
func (t *Table[V]) Page(from Cursor, n int, now time.Time) ([]Entry[V], Cursor) {
	r := t.rules(now)
	var page []Entry[V]
	next := t.walk(from, func(s *shard[V], i uint32) bool {
		if len(page) == n {
			return false
		}
		if e := s.slot(i); !s.expired(i, r) {
			page = append(page, Entry[V]{e.key, e.value, s.left(e, r)})
		}
		return true
	})
	return page, next
}

// left is how long an entry that has not expired still has.
func (s *shard[V]) left(e *slot[V], r rules) time.Duration {
	if r.expire <= 0 || e.stay == Pinned {
		return 0
	}
	return time.Duration(max(e.used+r.expire-r.now, 1))
}

// DeleteFunc removes the entries that drop chooses, and tells how many. Drop runs
// with the shard locked: it must be quick and leave the table alone.
func (t *Table[V]) DeleteFunc(drop func(Key, V) bool) int {
	n := 0
	t.walk(0, func(s *shard[V], i uint32) bool {
		if e := s.slot(i); drop(e.key, e.value) {
			s.remove(i)
			n++
		}
		return true
	})
	return n
}

// walk visits the entries from a place on until visit says no, and returns the
// place of the one that was not wanted, or 0. It gives up the lock every batch.
func (t *Table[V]) walk(from Cursor, visit func(*shard[V], uint32) bool) Cursor {
	first := uint32(from)
	for at := int(from >> 32); at < len(t.shards); at++ {
		s := &t.shards[at]
		for i := max(first, 1); i != 0; {
			var stopped bool
			if i, stopped = s.visit(i, visit); stopped {
				return Cursor(at)<<32 | Cursor(i)
			}
		}
		first = 0
	}
	return 0
}

// visit is walk for one batch, from slot i on. It returns the slot to go on from,
// 0 at the end of the shard.
func (s *shard[V]) visit(i uint32, visit func(*shard[V], uint32) bool) (uint32, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range batch {
		if i > s.made {
			return 0, false
		}
		if s.slot(i).stay != vacant && !visit(s, i) {
			return i, true
		}
		i++
	}
	return i, false
}

// Sweep removes what has expired, and what is too much after the table was made
// smaller, and returns how many entries are left. Expired entries are never
// found, so it need not be called but to free memory and to count. A shard that
// becomes empty gives its memory back.
func (t *Table[V]) Sweep(now time.Time) int {
	left, r := 0, t.rules(now)
	for i := range t.shards {
		r.limit = t.limit(i)
		for {
			n, more := t.shards[i].sweep(r)
			if !more {
				left += n
				break
			}
		}
	}
	return left
}

func (s *shard[V]) sweep(r rules) (left int, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range batch {
		if i := s.stale(r); i != 0 {
			s.expire(i)
		} else if s.count > r.limit && !r.refuse {
			s.evict(r)
		} else {
			if s.count == 0 && len(s.chunks) > 1 {
				s.reset()
			}
			return s.count, false
		}
	}
	return s.count, true
}
