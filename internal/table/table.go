// Package table is a bounded table that forgets: short byte strings to small
// values, each entry gone some time after its last use, and the one unused for
// longest gone when the table is full. Stick tables and rate limits are made of
// it.
//
// Who fills such a table is a stranger, so everything is bounded. Memory grows
// with use up to the size and no further; no operation looks at more than a few
// entries; the hash is seeded, so that nobody can choose keys that meet in one
// place; a key of any length takes the same room.
//
// It is made of shards with a lock each. In a shard the slots are handed out of
// chunks that never move, and the index over them grows by one bucket at a time
// (linear hashing), so that growing stops nobody. Slots hold no pointers and
// refer to each other by number: to the garbage collector a million entries are
// a few thousand blocks that it need not look into.
//
// What a key means and what a value is good for is left to the packages above.
package table

import (
	"fmt"
	"hash/maphash"
	"math/bits"
	"reflect"
	"time"
)

// Options are the bounds of a table.
type Options struct {
	// Size is how many entries it holds at most; below 1 counts as 1. Each shard
	// has its part of it, so that one may be full a little before all are.
	Size int
	// Expire is how long an entry stays after its last use. 0 is for ever.
	Expire time.Duration
	// Grain is how exactly uses are noted: within this time of the last one noted
	// a use costs no write. An entry stays for at least Expire after its last
	// use and at most Grain longer, and which one was unused for longest is known
	// as exactly. 0 notes each.
	Grain time.Duration
	// Refuse keeps the entries of a full table and refuses new ones.
	Refuse bool
}

const (
	maxShards = 64
	// shardEntries is how many entries a shard is worth. In smaller ones chance
	// would fill some long before others.
	shardEntries = 256
)

// Table maps keys to values of type V, which holds no pointers. All its methods
// may be called at the same time. They do not allocate, Page excepted, and once
// in a while the growth that new entries bring.
//
// Times are the caller's, and should not go backwards by much.
type Table[V any] struct {
	*core[V]
	options Options
}

// core is what tables share that continue each other.
type core[V any] struct {
	seed   maphash.Seed
	epoch  time.Time
	shift  int
	shards []shard[V]
}

// New makes an empty table, or with a previous one another door to the same
// entries, with bounds of its own. The previous one is not touched and both may
// be used; entries beyond a smaller size leave as new ones come, and with Sweep.
// The number of shards stays what the first size made it.
//
// It panics when V holds pointers.
func New[V any](o Options, previous *Table[V]) *Table[V] {
	o.Size = min(max(o.Size, 1), maxShards*maxSlots)
	if previous != nil {
		return &Table[V]{previous.core, o}
	}
	if kind := reflect.TypeFor[V](); !plain(kind) {
		panic(fmt.Sprintf("table: values of type %v hold pointers", kind))
	}
	n := bits.Len(uint(min(o.Size/shardEntries, maxShards)))
	n = 1 << max(n-1, 0)
	c := &core[V]{
		seed:   maphash.MakeSeed(),
		epoch:  time.Now(),
		shift:  64 - bits.Len(uint(n-1)),
		shards: make([]shard[V], n),
	}
	for i := range c.shards {
		c.shards[i].seed = c.seed
	}
	return &Table[V]{c, o}
}

// plain tells whether values of a type hold no pointers.
func plain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return plain(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !plain(t.Field(i).Type) {
				return false
			}
		}
		return true
	}
	return t.Kind() <= reflect.Complex128 && t.Kind() != reflect.Invalid
}

// Get returns the value of k, which counts as a use.
func (t *Table[V]) Get(k Key, now time.Time) (value V, ok bool) {
	r, h := t.rules(now), hash(t.seed, &k)
	s := t.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.live(h, &k, r)
	if i == 0 {
		s.counters.Missed++
		return value, false
	}
	s.counters.Found++
	s.touch(i, r)
	return s.slot(i).value, true
}

// Peek returns the entry of k as a listing would. That is no use of it, and counts
// nowhere.
func (t *Table[V]) Peek(k Key, now time.Time) (Entry[V], bool) {
	r, h := t.rules(now), hash(t.seed, &k)
	s := t.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(h, &k)
	if i == 0 || s.expired(i, r) {
		return Entry[V]{}, false
	}
	e := s.slot(i)
	return Entry[V]{e.key, e.value, s.left(e, r)}, true
}

// Put stores the value of k. It says no when the table is full and Refuse is set.
func (t *Table[V]) Put(k Key, value V, now time.Time) bool {
	_, ok := t.Update(k, now, func(v *V, _ bool) Stay {
		*v = value
		return Plain
	})
	return ok
}

// Update lets change work on the value of k, which is made when there is none
// (fresh), and says how firmly the entry stays. The Ref leads to the same entry
// again. Without room for a new entry change is not called and Update says no.
//
// The shard is locked while change runs: it must be quick and leave the table
// alone.
func (t *Table[V]) Update(
	k Key, now time.Time, change func(v *V, fresh bool) Stay,
) (Ref, bool) {
	r, h := t.rules(now), hash(t.seed, &k)
	s := t.shard(h)
	r.limit = t.limit(int(h >> t.shift))
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.live(h, &k, r)
	fresh := i == 0
	if fresh {
		if i = s.insert(h, k, r); i == 0 {
			return Ref{}, false
		}
	}
	e := s.slot(i)
	s.settle(i, change(&e.value, fresh), r)
	s.counters.Stored++
	return Ref{uint32(h >> t.shift), i, e.born}, true
}

// Revisit is Update for the entry that r leads to. It says no when that one is
// gone, even if another has the same key since.
func (t *Table[V]) Revisit(r Ref, now time.Time, change func(v *V) Stay) bool {
	if r == (Ref{}) || int(r.shard) >= len(t.shards) {
		return false
	}
	rules, s := t.rules(now), &t.shards[r.shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.slot > s.made {
		return false
	}
	e := s.slot(r.slot)
	if e.stay == vacant || e.born != r.born {
		return false
	}
	s.settle(r.slot, change(&e.value), rules)
	return true
}

// Delete removes the entry of k and tells whether there was one.
func (t *Table[V]) Delete(k Key) bool {
	h := hash(t.seed, &k)
	s := t.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(h, &k)
	if i != 0 {
		s.remove(i)
	}
	return i != 0
}

// Clear removes all entries, gives their memory back, and tells how many there
// were.
func (t *Table[V]) Clear() int {
	n := 0
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		n += s.count
		s.reset()
		s.mu.Unlock()
	}
	return n
}

// Len is how many entries there are. It counts those that have expired and were
// not met since, until Sweep.
func (t *Table[V]) Len() int {
	n := 0
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		n += s.count
		s.mu.Unlock()
	}
	return n
}

// Size is how many entries there may be.
func (t *Table[V]) Size() int { return t.options.Size }

// Counters are sums since the table was first made.
type Counters struct {
	Found, Missed int64 // answers of Get
	Stored        int64 // values written by Put and Update
	Evicted       int64 // entries that had to make room
	Expired       int64 // entries that were unused for too long
	Refused       int64 // new keys that found no room
}

// Counters returns the sums of all shards.
func (t *Table[V]) Counters() Counters {
	var sum Counters
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		c := s.counters
		s.mu.Unlock()
		sum.Found += c.Found
		sum.Missed += c.Missed
		sum.Stored += c.Stored
		sum.Evicted += c.Evicted
		sum.Expired += c.Expired
		sum.Refused += c.Refused
	}
	return sum
}

func (t *Table[V]) shard(h uint64) *shard[V] { return &t.shards[h>>t.shift] }

// limit is the part of the size that falls to a shard. One that a larger table
// left behind has room for one entry at least.
func (t *Table[V]) limit(i int) int {
	limit := t.options.Size / len(t.shards)
	if i < t.options.Size%len(t.shards) {
		limit++
	}
	return max(limit, 1)
}

func (t *Table[V]) rules(now time.Time) rules {
	return rules{
		now:    int64(now.Sub(t.epoch)),
		expire: int64(t.options.Expire),
		grain:  int64(t.options.Grain),
		refuse: t.options.Refuse,
	}
}
