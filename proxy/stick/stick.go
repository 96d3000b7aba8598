// Package stick remembers which server a client was given: the stick tables of
// HAProxy. An entry goes when it was unused for some time, and when a full table
// needs room.
//
// It knows keys and names of servers and nothing of either. What the key of a
// request is, and whether a server still may be had, is for its caller to tell:
// an entry that names a server which is down or gone is written anew with the
// next Store, and does no harm until then.
package stick

import (
	"net/netip"
	"time"

	"doorward/internal/table"
)

// Options define a table.
type Options struct {
	// On says what keys are made of, such as "src" or "cookie:SID". It is compared
	// and nothing else.
	On string
	// Text says that keys are text. Otherwise they are addresses.
	Text bool
	// IPv6Prefix is how many bits of an IPv6 address tell clients apart. 0 is all
	// 128.
	IPv6Prefix int
	// Size is how many entries there may be.
	Size int
	// Expire is how long an entry stays without a use. 0 is for ever.
	Expire time.Duration
	// Refuse keeps what is in a full table and does not remember new clients.
	// Otherwise the entry that was unused for longest makes room.
	Refuse bool
}

// Table is a stick table. All its methods may be called at the same time, and
// those on the path of a request do not allocate.
type Table struct {
	options Options
	entries *table.Table[uint32]
	names   *names
}

// maxGrain is how exactly uses are noted at most, to be spared most of the work
// when a client sends many requests.
const maxGrain = time.Second

// New makes a table. It has the entries of the previous one (which may be nil)
// when both have the same kind of keys, while size, expiry and what happens when
// it is full are its own. The previous table stays in working order, in case the
// new one is not wanted after all; until then both see what either stores.
func New(o Options, previous *Table) *Table {
	if o.IPv6Prefix <= 0 || o.IPv6Prefix > 128 {
		o.IPv6Prefix = 128
	}
	bounds := table.Options{
		Size: o.Size, Expire: o.Expire, Refuse: o.Refuse, Grain: maxGrain,
	}
	if o.Expire > 0 {
		bounds.Grain = min(maxGrain, o.Expire/64)
	}
	if previous == nil || !o.sameKeys(previous.options) {
		return &Table{o, table.New[uint32](bounds, nil), newNames()}
	}
	return &Table{o, table.New(bounds, previous.entries), previous.names}
}

func (o Options) sameKeys(p Options) bool {
	return o.On == p.On && o.Text == p.Text && o.IPv6Prefix == p.IPv6Prefix
}

// AppendAddr appends the key of an address: IPv4 in IPv6 counts as IPv4, and of
// IPv6 as many bits as IPv6Prefix says. Among keys of text it is the address in
// text form. The zero address has no key.
func (t *Table) AppendAddr(key []byte, a netip.Addr) []byte {
	n := table.Network(a, t.options.IPv6Prefix)
	switch {
	case !n.IsValid():
		return key
	case !t.options.Text:
		return append(key, n.Addr().AsSlice()...)
	case n.IsSingleIP():
		return n.Addr().AppendTo(key)
	}
	return n.AppendTo(key)
}

// Match returns the server that a key belongs to, and refreshes the entry. An
// empty key belongs to none.
func (t *Table) Match(key []byte, now time.Time) (server string, ok bool) {
	if len(key) == 0 {
		return "", false
	}
	id, ok := t.entries.Get(table.KeyOf(key), now)
	if !ok {
		return "", false
	}
	return t.names.name(id)
}

// Store remembers the server of a key in place of any other. It says no when the
// table is full and refuses, or when the key or the name is empty.
func (t *Table) Store(key []byte, server string, now time.Time) bool {
	if len(key) == 0 || server == "" {
		return false
	}
	id, ok := t.names.id(server)
	if !ok {
		if id, ok = t.names.add(server, t.used, now); !ok {
			return false
		}
	}
	return t.entries.Put(table.KeyOf(key), id, now)
}

// used is the set of ids that entries hold.
func (t *Table) used() map[uint32]bool {
	ids := map[uint32]bool{}
	t.entries.DeleteFunc(func(_ table.Key, id uint32) bool {
		ids[id] = true
		return false
	})
	return ids
}

// Options returns what the table was made of.
func (t *Table) Options() Options { return t.options }

// Size is how many entries there may be.
func (t *Table) Size() int { return t.entries.Size() }

// Len removes what has expired and returns how many entries are left.
func (t *Table) Len(now time.Time) int { return t.entries.Sweep(now) }

// Counters are sums over the life of the entries, reloads included.
type Counters struct {
	Matched int64 // keys that had an entry
	Missed  int64 // keys that had none
	Stored  int64 // entries written, new ones and others
	Expired int64 // entries that were unused for too long
	Evicted int64 // entries that made room for others
	Refused int64 // new keys that found no room
}

// Counters returns the sums. It takes the lock of each shard for a moment, so it
// is for those who look and not for requests.
func (t *Table) Counters() Counters {
	c := t.entries.Counters()
	return Counters{
		Matched: c.Found, Missed: c.Missed, Stored: c.Stored,
		Expired: c.Expired, Evicted: c.Evicted, Refused: c.Refused + t.names.refused.Load(),
	}
}
