package table

import (
	"fmt"
	"unsafe"
)

// Shards is how many shards a table has.
func (t *Table[V]) Shards() int { return len(t.shards) }

// SlotBytes is the size of a slot.
func SlotBytes[V any]() int64 { return int64(unsafe.Sizeof(slot[V]{})) }

// Chunks is how many chunks of slots there are.
func (t *Table[V]) Chunks() int {
	n := 0
	for i := range t.shards {
		n += len(t.shards[i].chunks)
	}
	return n
}

// Hash is where a key goes.
func (t *Table[V]) Hash(k Key) uint64 { return hash(t.seed, &k) }

// LongestChain is how many entries the fullest bucket has.
func (t *Table[V]) LongestChain() int {
	longest := 0
	for i := range t.shards {
		s := &t.shards[i]
		for _, i := range s.buckets {
			n := 0
			for ; i != 0; i = s.slot(i).next {
				n++
			}
			longest = max(longest, n)
		}
	}
	return longest
}

// Check looks for contradictions in every shard.
func (t *Table[V]) Check() error { return t.check(true) }

// CheckUnordered is Check after goroutines whose clocks did not agree.
func (t *Table[V]) CheckUnordered() error { return t.check(false) }

func (t *Table[V]) check(ordered bool) error {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		err := s.check(t.limit(i), ordered)
		s.mu.Unlock()
		if err != nil {
			return fmt.Errorf("shard %d: %w", i, err)
		}
	}
	return nil
}

func (s *shard[V]) check(limit int, ordered bool) error {
	if s.count > limit {
		return fmt.Errorf("%d entries, at most %d", s.count, limit)
	}
	seen := map[uint32]bool{}
	for b, i := range s.buckets {
		for ; i != 0; i = s.slot(i).next {
			e := s.slot(i)
			if seen[i] || e.stay == vacant || bucket(hash(s.seed, &e.key), len(s.buckets)) != b {
				return fmt.Errorf("slot %d is wrong in bucket %d", i, b)
			}
			seen[i] = true
		}
	}
	listed := 0
	for stay, l := range s.lists {
		n, newer, used := 0, uint32(0), int64(1<<63-1)
		for i := l.newest; i != 0; newer, i = i, s.slot(i).older {
			e := s.slot(i)
			if !seen[i] || e.stay != Stay(stay) || e.newer != newer || ordered && e.used > used {
				return fmt.Errorf("slot %d is wrong in list %d", i, stay)
			}
			used = e.used
			n++
		}
		if n != l.len || newer != l.oldest {
			return fmt.Errorf("list %d: %d entries to %d, want %d to %d", stay, n, newer, l.len, l.oldest)
		}
		listed += n
	}
	free := 0
	for i := s.free; i != 0; i = s.slot(i).next {
		if s.slot(i).stay != vacant {
			return fmt.Errorf("slot %d is free and not vacant", i)
		}
		free++
	}
	if len(seen) != s.count || listed != s.count || s.count+free != int(s.made) {
		return fmt.Errorf("%d entries counted, %d indexed, %d listed, %d free of %d",
			s.count, len(seen), listed, free, s.made)
	}
	return nil
}
