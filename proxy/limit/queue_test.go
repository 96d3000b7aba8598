package limit_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"doorward/proxy/limit"
)

// crowd sends requests one after the other, none waiting for the one before, and
// notes how each ended and when.
type crowd struct {
	l     *limit.Limiter
	start time.Time
	hold  time.Duration // how long a request takes

	mu    sync.Mutex
	ended []ending
	all   sync.WaitGroup
}

type ending struct {
	name    string
	verdict limit.Verdict
	at      time.Duration
}

func newCrowd(o limit.Options, hold time.Duration) *crowd {
	return &crowd{l: limit.New(o, nil), start: time.Now(), hold: hold}
}

// send returns when the request has ended its first steps.
func (c *crowd) send(name, key string, gone <-chan struct{}) {
	c.all.Go(func() {
		ticket, v := c.l.Enter([]byte(key), time.Now(), func() <-chan struct{} { return gone })
		c.mu.Lock()
		c.ended = append(c.ended, ending{name, v, time.Since(c.start)})
		c.mu.Unlock()
		if v.Allowed() {
			<-time.After(c.hold)
		}
		ticket.Release(time.Now())
	})
	synctest.Wait()
}

func (c *crowd) sendAll(names, key string) {
	for _, name := range names {
		c.send(string(name), key, nil)
	}
}

// passed are the names of those that passed, in order.
func (c *crowd) passed() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := ""
	for _, e := range c.ended {
		if e.verdict.Allowed() {
			names += e.name
		}
	}
	return names
}

func (c *crowd) of(name string) ending {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.ended, func(e ending) bool { return e.name == name })
	if i < 0 {
		return ending{}
	}
	return c.ended[i]
}

func TestWaitingForARequestToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := atOnce(2)
		o.Queue = time.Minute
		c := newCrowd(o, 10*time.Second)
		c.sendAll("abcdefg", "key")
		c.sendAll("XY", "other")
		if got := c.passed(); got != "abXY" {
			t.Errorf("passed at once: %s, want abXY", got)
		}
		if n := c.l.Counters().Waiting; n != 5 {
			t.Errorf("%d waiting, want 5", n)
		}
		c.all.Wait()
		if got := c.passed(); got != "abXYcdefg" {
			t.Errorf("passed %s, want abXYcdefg", got)
		}
		if e := c.of("g"); e.at != 30*time.Second || !e.verdict.Waited {
			t.Errorf("the last one passed with %+v, want after 30s and a wait", e)
		}
		want := limit.Counters{Passed: 9, Queued: 5}
		if got := c.l.Counters(); got != want {
			t.Errorf("counters %+v, want %+v", got, want)
		}
	})
}

func TestWaitingForTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := rate(3, 15*time.Second)
		o.Queue = 40 * time.Second
		c := newCrowd(o, 0)
		c.sendAll("abcdefghi", "key")
		// What cannot have its turn in time is told at once.
		c.sendAll("j", "key")
		want := limit.Verdict{Outcome: limit.TooMany, RetryAfter: 48}
		if e := c.of("j"); e.verdict != want {
			t.Errorf("j: %+v, want %+v at once", e.verdict, want)
		}
		c.all.Wait()
		if got := c.passed(); got != "abcdefghi" {
			t.Errorf("passed %s, want abcdefghi in order", got)
		}
		for name, want := range map[string]time.Duration{
			"c": 0, "d": 16 * time.Second, "f": 16 * time.Second, "g": 32 * time.Second,
		} {
			if e := c.of(name); e.at != want {
				t.Errorf("%s passed after %v, want %v", name, e.at, want)
			}
		}
	})
}

func TestWaitThatCannotSucceedIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := rate(1, time.Minute)
		o.Queue = 5 * time.Second
		c := newCrowd(o, 0)
		c.sendAll("ab", "key")
		want := limit.Verdict{Outcome: limit.TooMany, RetryAfter: 64}
		if e := c.of("b"); e.verdict != want || e.at != 0 {
			t.Errorf("refused with %+v after %v, want %+v at once", e.verdict, e.at, want)
		}
	})
}

func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := atOnce(1)
		o.Queue = 5 * time.Second
		c := newCrowd(o, 12*time.Second)
		gone := make(chan struct{})
		c.sendAll("ab", "key")
		c.send("c", "key", gone)
		c.send("d", "key", nil)
		close(gone)
		synctest.Wait()
		want := limit.Verdict{Outcome: limit.Left, Waited: true}
		if e := c.of("c"); e.verdict != want {
			t.Errorf("a client that left: %+v, want %+v", e.verdict, want)
		}
		time.AfterFunc(11*time.Second, func() { c.sendAll("e", "key") })
		c.all.Wait()
		want = limit.Verdict{Outcome: limit.TooManyAtOnce, RetryAfter: 1, Waited: true}
		for _, name := range []string{"b", "d"} {
			if e := c.of(name); e.verdict != want || e.at != o.Queue {
				t.Errorf("%s: %+v after %v, want %+v after %v", name, e.verdict, e.at, want, o.Queue)
			}
		}
		if e := c.of("e"); !e.verdict.Allowed() || e.at != 12*time.Second {
			t.Errorf("e: %+v after %v, want to pass after 12s", e.verdict, e.at)
		}
		// Those who left are not waited for.
		if v := enter(c.l, "key", time.Now()); v != (limit.Verdict{}) {
			t.Errorf("after all had ended: %+v, want to pass without a wait", v)
		}
	})
}

// When the first of a line goes away, the second must not sleep on.
func TestTheFirstInLineLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := rate(1, 15*time.Second)
		o.Concurrent, o.Queue = 1, time.Minute
		c := newCrowd(o, 3*time.Second)
		gone := make(chan struct{})
		c.sendAll("a", "key")
		c.send("b", "key", gone)
		c.sendAll("c", "key")
		<-time.After(time.Second)
		close(gone)
		c.all.Wait()
		if e := c.of("c"); !e.verdict.Allowed() || e.at != 16*time.Second {
			t.Errorf("c: %+v after %v, want to pass after 16s", e.verdict, e.at)
		}
	})
}

func TestNobodyOvertakesThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := rate(2, 15*time.Second)
		o.Queue = time.Minute
		c := newCrowd(o, 0)
		c.sendAll("abcd", "key")
		<-time.After(16*time.Second - time.Nanosecond)
		c.sendAll("ef", "key")
		<-time.After(time.Nanosecond)
		c.sendAll("gh", "key")
		c.all.Wait()
		if got := c.passed(); got != "abcdefgh" {
			t.Errorf("passed %s, want abcdefgh", got)
		}
	})
}

// A reload does not lose those who wait, and those who come after it stand behind
// them.
func TestWaitingAcrossAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := atOnce(1)
		o.Queue = time.Minute
		c := newCrowd(o, 10*time.Second)
		c.sendAll("abc", "key")
		c.l = limit.New(o, c.l)
		c.sendAll("d", "key")
		c.all.Wait()
		if got := c.passed(); got != "abcd" {
			t.Errorf("passed %s, want abcd", got)
		}
		if e := c.of("d"); e.at != 30*time.Second {
			t.Errorf("the last passed after %v, want 30s", e.at)
		}
	})
}

// A newcomer at the very moment at which a place becomes free.
func TestAPlaceGoesToWhoWaits(t *testing.T) {
	o := atOnce(1)
	o.Queue, o.MaxQueueKey = time.Minute, 1
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			c := newCrowd(o, time.Second)
			ticket, _ := c.l.Enter([]byte("key"), time.Now(), nil)
			c.send("a", "key", nil)
			ticket.Release(time.Now())
			if _, v := c.l.Enter([]byte("key"), time.Now(), nil); v.Allowed() && !v.Waited {
				t.Fatal("a newcomer took the place")
			}
			c.all.Wait()
		})
	}
}

// Two whose time is up at the moment at which a place becomes free: the second
// gets it only when the first has given up.
func TestTheLastMoment(t *testing.T) {
	o := atOnce(1)
	o.Queue = 5 * time.Second
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			c := newCrowd(o, o.Queue)
			c.sendAll("abc", "key")
			c.all.Wait()
			if b, c := c.of("b"), c.of("c"); b.verdict.Allowed() && c.verdict.Allowed() ||
				b.at != o.Queue && c.verdict.Allowed() {
				t.Fatalf("b: %+v, c: %+v", b, c)
			}
			if v := enter(c.l, "key", time.Now()); v != (limit.Verdict{}) {
				t.Fatalf("after all had ended: %+v, want to pass without a wait", v)
			}
		})
	}
}

// In a table that is far too small the record of those who wait may be pushed
// out. They pass in the end, since nothing is known against them.
func TestTheRecordOfThoseWhoWaitIsEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := atOnce(1)
		o.Size, o.Queue = 1, time.Minute
		c := newCrowd(o, time.Hour)
		c.sendAll("ab", "key")
		c.sendAll("x", "other")
		c.all.Wait()
		if e := c.of("b"); !e.verdict.Allowed() || !e.verdict.Waited || e.at != time.Minute {
			t.Errorf("b: %+v, want to pass after a minute", e)
		}
	})
}
