package local

import (
	"cmp"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// Limits is how many failures there may be. Zero values are the defaults.
type Limits struct {
	// Failures is how many a user may have before each further one costs a wait of
	// 1 s, 2 s, 4 s and so on up to MaxWait; 0 is 5, and 15 minutes. One failure is
	// forgotten per MaxWait without any.
	Failures int
	MaxWait  time.Duration
	// PerMinute and PerHour are how many an address may have, IPv6 by its /64; 0 is
	// 20 and 100. The network around it, /24 or /48, may have five times as many.
	PerMinute int
	PerHour   int
}

func (l Limits) complete() Limits {
	return Limits{
		Failures:  cmp.Or(max(0, l.Failures), 5),
		MaxWait:   cmp.Or(max(0, l.MaxWait), 15*time.Minute),
		PerMinute: cmp.Or(max(0, l.PerMinute), 20),
		PerHour:   cmp.Or(max(0, l.PerHour), 100),
	}
}

const (
	// networkShare is how many addresses' worth of failures a network may have.
	networkShare = 5
	// maxAddresses bounds the addresses and networks that are counted.
	maxAddresses = 1 << 16
	// nameSlots is how many counts there are for names that nobody has. Two names
	// may share one, which hurts nobody.
	nameSlots = 1 << 16
	// sweepAt is how many counts of users may lie about before the forgotten ones
	// are looked for.
	sweepAt = 1024
)

// throttle counts failures. Counts of users cannot be crowded out by names that
// somebody makes up; those share a fixed number of slots. Counts of addresses can:
// an attacker with that many has more addresses than the counting is good for.
type throttle struct {
	now  func() time.Time
	seed maphash.Seed

	mu        sync.Mutex
	users     map[string]*strikes
	sweepNext int
	names     map[uint16]*strikes
	addresses map[netip.Prefix]*bucket
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{
		now: now, seed: maphash.MakeSeed(), sweepNext: sweepAt,
		users: map[string]*strikes{}, names: map[uint16]*strikes{},
		addresses: map[netip.Prefix]*bucket{},
	}
}

// subject is whom an attempt is for and where it comes from.
type subject struct {
	userID string // empty: nobody has the name
	name   string
	device string // of a known browser; empty: a stranger
	client netip.Addr
}

// ticket is an attempt that was let through, counted as a failure already.
type ticket struct {
	throttle *throttle
	counted  []undo
	strikes  *strikes
}

// undo takes back what an attempt was counted as.
type undo func()

// admit counts an attempt as a failure, or refuses it: ErrWrong when the user has to
// wait, ThrottledError when the address has.
func (t *throttle) admit(s subject, l Limits) (*ticket, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if known := t.device(s, now, l); known != nil {
		return t.strike(known, now, l), nil
	}
	near, wide := prefixes(s.client)
	nearBucket, wideBucket := t.bucket(near, now), t.bucket(wide, now)
	wait := max(nearBucket.wait(now, l, 1), wideBucket.wait(now, l, networkShare))
	if wait > 0 {
		return nil, &ThrottledError{RetryAfter: wait}
	}
	own := t.of(s, now, l)
	if own.blocked(now) {
		nearBucket.add(1) // who goes on knocking is counted where they come from
		wideBucket.add(1)
		return nil, ErrWrong
	}
	ticket := t.strike(own, now, l)
	for _, b := range []*bucket{nearBucket, wideBucket} {
		b.add(1)
		ticket.counted = append(ticket.counted, func() { b.add(-1) })
	}
	return ticket, nil
}

// strike counts a failure and says how to take it back.
func (t *throttle) strike(s *strikes, now time.Time, l Limits) *ticket {
	before := *s
	s.add(now, l)
	return &ticket{throttle: t, strikes: s, counted: []undo{func() { s.back(before) }}}
}

// forget takes an attempt back that was not looked at.
func (k *ticket) forget() {
	k.throttle.mu.Lock()
	defer k.throttle.mu.Unlock()
	for _, undo := range k.counted {
		undo()
	}
}

// succeed takes an attempt back that was right, and all failures of its count.
func (k *ticket) succeed() {
	k.forget()
	k.throttle.mu.Lock()
	defer k.throttle.mu.Unlock()
	*k.strikes = strikes{}
}

// device returns the count of a known browser, nil when it is none or has failed so
// often that it is treated as a stranger.
func (t *throttle) device(s subject, now time.Time, l Limits) *strikes {
	if s.device == "" {
		return nil
	}
	known := t.user("device "+s.device, now, l)
	if known.blocked(now) {
		return nil
	}
	return known
}

// of returns the count of the user or name.
func (t *throttle) of(s subject, now time.Time, l Limits) *strikes {
	if s.userID != "" {
		return t.user("user "+s.userID, now, l)
	}
	slot := uint16(maphash.String(t.seed, s.name) % nameSlots)
	own := t.names[slot]
	if own == nil {
		own = new(strikes)
		t.names[slot] = own
	}
	own.fade(now, l)
	return own
}

// user returns a count of somebody who exists, of whom there are only so many.
func (t *throttle) user(key string, now time.Time, l Limits) *strikes {
	own := t.users[key]
	if own == nil {
		if len(t.users) >= t.sweepNext {
			for key, s := range t.users {
				if s.fade(now, l); s.count == 0 {
					delete(t.users, key)
				}
			}
			t.sweepNext = max(sweepAt, 2*len(t.users))
		}
		own = new(strikes)
		t.users[key] = own
	}
	own.fade(now, l)
	return own
}

// bucket returns the count of a network. When there are too many, those that no
// longer matter go, and if that is not enough any.
func (t *throttle) bucket(p netip.Prefix, now time.Time) *bucket {
	b := t.addresses[p]
	if b == nil {
		if len(t.addresses) >= maxAddresses {
			t.thin(now)
		}
		b = &bucket{minute: now, hour: now}
		t.addresses[p] = b
	}
	b.turn(now)
	return b
}

func (t *throttle) thin(now time.Time) {
	for p, b := range t.addresses {
		if b.turn(now); b.perHour == 0 {
			delete(t.addresses, p)
		}
	}
	for p := range t.addresses { // in no order
		if len(t.addresses) < maxAddresses*3/4 {
			return
		}
		delete(t.addresses, p)
	}
}

// prefixes are the networks that an address counts for: itself, where IPv6 gives
// every customer a /64 at least, and the one around it.
func prefixes(client netip.Addr) (near, wide netip.Prefix) {
	client = client.Unmap().WithZone("")
	nearBits, wideBits := 64, 48
	if client.Is4() {
		nearBits, wideBits = 32, 24
	}
	near, _ = client.Prefix(nearBits) // the zero Prefix for no address: all of those count as one
	wide, _ = client.Prefix(wideBits)
	return near, wide
}
