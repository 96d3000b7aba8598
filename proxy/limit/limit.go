// Package limit bounds how many requests a key may make in a time and have at a
// time: a client, a route, a user. What is too much is refused, waits its turn,
// or is only counted.
//
// It decides and counts. What a request is counted by, and what a refusal looks
// like, is for its caller.
package limit

import (
	"math"
	"net/netip"
	"time"

	"doorward/internal/table"
)

// Options define a limiter. The zero value limits nothing.
type Options struct {
	// Name is what the limiter is called in the configuration.
	Name string
	// Requests is how many requests a key may make within Per. 0 is no limit.
	Requests int
	// Per is the length of the window; 0 is a second.
	Per time.Duration
	// Concurrent is how many requests a key may have at a time. 0 is no limit.
	Concurrent int
	// Queue is how long a request above a limit waits for its turn before it is
	// refused. 0 refuses at once.
	Queue time.Duration
	// MaxQueue is how many requests may wait in all, 0 for 4096, and MaxQueueKey
	// how many of one key, 0 for 256. Each that waits holds a goroutine and a
	// connection: more are refused at once, so that a flood does not become the
	// machine's problem.
	MaxQueue, MaxQueueKey int
	// LogOnly lets everything pass and counts what would not have.
	LogOnly bool
	// Size is how many keys are remembered.
	Size int
	// IPv6Prefix is how many bits of an IPv6 address tell clients apart; 0 is 64.
	IPv6Prefix int
}

const (
	defaultPer      = time.Second
	defaultQueue    = 4096
	defaultQueueKey = 256
	defaultPrefix   = 64

	// maxGrain is how exactly it is known at most which key was unused longest.
	maxGrain = time.Second
)

func (o Options) withDefaults() Options {
	fill := func(value *int, otherwise int) {
		if *value <= 0 {
			*value = otherwise
		}
	}
	fill(&o.MaxQueue, defaultQueue)
	fill(&o.MaxQueueKey, defaultQueueKey)
	fill(&o.IPv6Prefix, defaultPrefix)
	o.IPv6Prefix = min(o.IPv6Prefix, 128)
	o.Requests = min(o.Requests, math.MaxInt32)
	if o.Per <= 0 {
		o.Per = defaultPer
	}
	return o
}

// Limiter keeps to one definition. All its methods may be called at the same
// time.
//
// The window slides in fifteenths of Per. A request counts from when it passes
// until Per has gone by, and then until its fifteenth ends. So in no stretch of
// time of the length of Per, wherever it begins, do more than Requests pass; and
// none is refused unless so many have passed within Per and a fifteenth more. A
// client that asks evenly and more than it may gets between 15/16 and all of its
// share. Only requests that pass count: insisting does not make it longer.
//
// It remembers as many keys as Size says. New keys push out those that were not
// used for longest; those that are at a limit, have requests under way or wait go
// last (up to three quarters of all), so that a client cannot clear its record
// with a flood of other addresses. What was pushed out starts afresh.
type Limiter struct {
	options Options
	clock   clock
	keys    *table.Table[record]
	queue   *queue
	counts  *counts
}

// New makes a limiter. It goes on with the keys of the previous one (which may be
// nil) when both have the same Per, with limits of its own; counters go on in any
// case. The previous one stays in working order, in case the new one is not
// wanted after all.
func New(o Options, previous *Limiter) *Limiter {
	o = o.withDefaults()
	l := &Limiter{options: o, queue: newQueue(), counts: &counts{}}
	var keys *table.Table[record]
	l.clock = newClock(o.Per)
	if previous != nil {
		l.counts = previous.counts
		if o.Per == previous.options.Per {
			keys, l.queue, l.clock = previous.keys, previous.queue, previous.clock
		}
	}
	l.keys = table.New(table.Options{
		Size: o.Size, Expire: l.clock.memory(), Grain: min(l.clock.width, maxGrain),
	}, keys)
	return l
}

// Outcome is what became of a request.
type Outcome uint8

const (
	// Passed: the request may go on.
	Passed Outcome = iota
	// Spared: the request may go on because of LogOnly, and would have been
	// refused, or would have had to wait.
	Spared
	// TooMany: refused, since the key made too many requests within the window.
	TooMany
	// TooManyAtOnce: refused, since the key has too many requests under way.
	TooManyAtOnce
	// Left: the client went away while it waited.
	Left
)

// Verdict is what a limiter says about a request.
type Verdict struct {
	// Outcome is what became of it.
	Outcome Outcome
	// RetryAfter goes with a refusal: after how many seconds, at least 1, another
	// try is of use. Nobody knows when a request under way ends; that is 1.
	RetryAfter int
	// Waited tells whether the request had to wait.
	Waited bool
}

// Allowed tells whether the request may go on.
func (v Verdict) Allowed() bool { return v.Outcome <= Spared }

// Ticket is the place of one request under way. The zero Ticket is none.
type Ticket struct {
	limiter *Limiter
	ref     table.Ref
}

// Enter asks for a request to pass. With Queue it waits for that: requests of a key
// pass in the order in which they came. Only then gone is asked, once, for what ends
// the wait when it is closed; nil is that nothing does.
//
// The ticket is released when the request has ended, exactly once. It is empty
// unless there is a limit of requests at a time.
func (l *Limiter) Enter(
	key []byte, now time.Time, gone func() <-chan struct{},
) (Ticket, Verdict) {
	if l.options.Requests <= 0 && l.options.Concurrent <= 0 {
		return l.passed(table.Ref{}, false)
	}
	ref, a := l.try(key, now, true)
	switch {
	case a.outcome == Passed:
		return l.passed(ref, false)
	case l.options.LogOnly:
		l.counts.add(ref, spared)
		return Ticket{}, Verdict{Outcome: Spared}
	case a.queued:
		return l.wait(key, ref, gone)
	}
	return l.refused(ref, a, false)
}

// Release gives the place back, to the first request that waits for it.
func (t Ticket) Release(now time.Time) {
	if t.limiter == nil {
		return
	}
	wanted := false
	t.limiter.keys.Revisit(t.ref, now, func(r *record) table.Stay {
		r.active -= min(r.active, 1)
		wanted = r.waiting > 0
		return t.limiter.stay(r)
	})
	if wanted {
		t.limiter.queue.wake(t.ref)
	}
}

// Options returns what the limiter was made of, with defaults filled in.
func (l *Limiter) Options() Options { return l.options }

// Len is how many keys are remembered. Those whose time has passed are removed.
func (l *Limiter) Len(now time.Time) int { return l.keys.Sweep(now) }

func (l *Limiter) passed(ref table.Ref, waited bool) (Ticket, Verdict) {
	l.counts.add(ref, passed)
	v := Verdict{Waited: waited}
	if l.options.Concurrent <= 0 {
		return Ticket{}, v
	}
	return Ticket{l, ref}, v
}

func (l *Limiter) refused(ref table.Ref, a answer, waited bool) (Ticket, Verdict) {
	l.counts.add(ref, refused)
	seconds := int((a.wait + time.Second - 1) / time.Second)
	return Ticket{}, Verdict{a.outcome, max(seconds, 1), waited}
}

// The first byte of a key says what it is, so that nobody gets the record of an
// address by taking it for a name.
const (
	isClient = 'c'
	isRoute  = 'r'
	isUser   = 'u'
)

// AppendClient appends the key of a client: its IPv4 address, also when that
// comes as IPv6, or as many bits of its IPv6 address as IPv6Prefix says.
func (l *Limiter) AppendClient(key []byte, a netip.Addr) []byte {
	key = append(key, isClient)
	a = table.Network(a, l.options.IPv6Prefix).Addr()
	if a.Is4() {
		four := a.As4()
		return append(key, four[:]...)
	}
	sixteen := a.As16()
	return append(key, sixteen[:]...)
}

// AppendRoute appends the key of a route.
func AppendRoute(key []byte, name string) []byte {
	return append(append(key, isRoute), name...)
}

// AppendUser appends the key of a signed-in user.
func AppendUser(key []byte, name string) []byte {
	return append(append(key, isUser), name...)
}
