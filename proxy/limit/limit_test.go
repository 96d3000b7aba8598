package limit_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"doorward/internal/alloctest"
	"doorward/proxy/limit"
)

func rate(requests int, per time.Duration) limit.Options {
	return limit.Options{Name: "login", Requests: requests, Per: per, Size: 10_000}
}

func atOnce(n int) limit.Options {
	return limit.Options{Name: "slow", Concurrent: n, Size: 10_000}
}

// enter asks once and gives no ticket back.
func enter(l *limit.Limiter, key string, now time.Time) limit.Verdict {
	_, v := l.Enter([]byte(key), now, nil)
	return v
}

func TestRequestsInAWindow(t *testing.T) {
	l, start := limit.New(rate(3, 15*time.Second), nil), time.Now()
	for _, c := range []struct {
		at    float64
		key   string
		want  limit.Outcome
		retry int
	}{
		{0.1, "a", limit.Passed, 0},
		{0.2, "a", limit.Passed, 0},
		{3.5, "a", limit.Passed, 0},
		{4.0, "a", limit.TooMany, 12},
		{4.0, "b", limit.Passed, 0},
		{14.9, "a", limit.TooMany, 2},
		{15.2, "a", limit.TooMany, 1},
		{16.1, "a", limit.Passed, 0},
		{16.2, "a", limit.Passed, 0},
		{16.3, "a", limit.TooMany, 3},
		{19.1, "a", limit.Passed, 0},
		{60.0, "a", limit.Passed, 0},
		{59.0, "a", limit.Passed, 0}, // a goroutine that was late
		{60.0, "a", limit.Passed, 0},
		{60.0, "a", limit.TooMany, 16},
	} {
		v := enter(l, c.key, start.Add(time.Duration(c.at*float64(time.Second))))
		if v.Outcome != c.want || v.RetryAfter != c.retry {
			t.Errorf("%s at %v: %+v, want outcome %d, retry after %d",
				c.key, c.at, v, c.want, c.retry)
		}
	}
	want := limit.Counters{Passed: 10, Refused: 5}
	if got := l.Counters(); got != want {
		t.Errorf("counters %+v, want %+v", got, want)
	}
}

func TestRequestsAtATime(t *testing.T) {
	l, now := limit.New(atOnce(2), nil), time.Now()
	first, _ := l.Enter([]byte("a"), now, nil)
	second, v := l.Enter([]byte("a"), now, nil)
	if !v.Allowed() {
		t.Fatalf("the second request: %+v", v)
	}
	if v := enter(l, "a", now); v.Outcome != limit.TooManyAtOnce || v.RetryAfter != 1 {
		t.Errorf("the third request: %+v, want TooManyAtOnce, retry after 1", v)
	}
	if v := enter(l, "b", now); !v.Allowed() {
		t.Errorf("another key: %+v", v)
	}
	// Much later they still are under way.
	now = now.Add(8 * time.Hour)
	if v := enter(l, "a", now); v.Allowed() {
		t.Error("requests under way were forgotten")
	}
	first.Release(now)
	if v := enter(l, "a", now); !v.Allowed() {
		t.Errorf("after a release: %+v", v)
	}
	second.Release(now)
	limit.Ticket{}.Release(now)
}

func TestBothLimits(t *testing.T) {
	o := rate(3, 10*time.Second)
	o.Concurrent = 1
	l, now := limit.New(o, nil), time.Now()
	for i, want := range []limit.Outcome{limit.Passed, limit.Passed, limit.Passed, limit.TooMany} {
		ticket, v := l.Enter([]byte("a"), now, nil)
		if v.Outcome != want {
			t.Errorf("request %d: %+v, want outcome %d", i, v, want)
		}
		if v := enter(l, "a", now); v.Allowed() {
			t.Errorf("beside request %d another one passed", i)
		}
		ticket.Release(now)
	}
}

func TestNoLimit(t *testing.T) {
	l, now := limit.New(limit.Options{}, nil), time.Now()
	for range 100 {
		if v := enter(l, "a", now); !v.Allowed() {
			t.Fatalf("%+v", v)
		}
	}
	if n := l.Counters().Passed; n != 100 {
		t.Errorf("%d passed, want 100", n)
	}
}

func TestLogOnlyCountsWhatWouldHaveBeen(t *testing.T) {
	for _, queue := range []time.Duration{0, time.Minute} {
		o := rate(5, 10*time.Second)
		o.Concurrent, o.LogOnly, o.Queue = 2, true, queue
		l, now := limit.New(o, nil), time.Now()
		var tickets []limit.Ticket
		for i := range 8 {
			ticket, v := l.Enter([]byte("a"), now, nil)
			if want := i >= 2; !v.Allowed() || (v.Outcome == limit.Spared) != want {
				t.Errorf("request %d: %+v", i, v)
			}
			tickets = append(tickets, ticket)
		}
		for _, ticket := range tickets {
			ticket.Release(now)
		}
		if v := enter(l, "a", now); v.Outcome != limit.Passed {
			t.Errorf("after all had ended: %+v", v)
		}
		want := limit.Counters{Passed: 3, Spared: 6}
		if got := l.Counters(); got != want {
			t.Errorf("counters %+v, want %+v", got, want)
		}
	}
}

func TestReload(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		change func(*limit.Options)
		passes int // after 3 of 4, 1 of them under way of at most 2
	}{
		"nothing":        {func(o *limit.Options) {}, 1},
		"more requests":  {func(o *limit.Options) { o.Requests = 6 }, 3},
		"fewer requests": {func(o *limit.Options) { o.Requests = 2 }, 0},
		"size":           {func(o *limit.Options) { o.Size = 20 }, 1},
		"queue":          {func(o *limit.Options) { o.Queue = time.Nanosecond }, 1},
		"window":         {func(o *limit.Options) { o.Per = 9 * time.Second }, 4},
	} {
		t.Run(name, func(t *testing.T) {
			o := rate(4, 10*time.Second)
			old := limit.New(o, nil)
			for range 3 {
				enter(old, "a", now)
			}
			c.change(&o)
			l := limit.New(o, old)
			n := 0
			for range 10 {
				if enter(l, "a", now).Allowed() {
					n++
				}
			}
			if n != c.passes {
				t.Errorf("%d passed, want %d", n, c.passes)
			}
			if got := l.Counters().Passed; got != int64(3+n) {
				t.Errorf("%d counted, want %d", got, 3+n)
			}
		})
	}
}

func TestTicketsOutliveAReload(t *testing.T) {
	now := time.Now()
	old := limit.New(atOnce(1), nil)
	ticket, _ := old.Enter([]byte("a"), now, nil)
	l := limit.New(atOnce(1), old)
	if enter(l, "a", now).Allowed() {
		t.Error("a request under way was forgotten")
	}
	ticket.Release(now)
	if !enter(l, "a", now).Allowed() {
		t.Error("a released place is still taken")
	}
}

func TestKeys(t *testing.T) {
	o := rate(1, time.Hour)
	l := limit.New(o, nil)
	client := func(addr string) string {
		return string(l.AppendClient(nil, netip.MustParseAddr(addr)))
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{client("192.0.2.1"), client("::ffff:192.0.2.1"), true},
		{client("192.0.2.1"), client("192.0.2.2"), false},
		{client("2001:db8::1"), client("2001:db8::2"), true},
		{client("2001:db8::1"), client("2001:db8:0:1::1"), false},
		{string(limit.AppendUser(nil, "web")), string(limit.AppendRoute(nil, "web")), false},
		{client("97.98.99.100"), string(limit.AppendUser(nil, "abcd")), false},
	} {
		if (c.a == c.b) != c.same {
			t.Errorf("keys %q and %q, want same %v", c.a, c.b, c.same)
		}
	}
	o.IPv6Prefix = 128
	l = limit.New(o, nil)
	if client("2001:db8::1") == client("2001:db8::2") {
		t.Error("IPv6Prefix 128 counts neighbours as one")
	}
	if key := l.AppendClient(nil, netip.Addr{}); len(key) == 0 {
		t.Error("no address has no key")
	}
}

func TestNoMoreAtATimeThanAllowed(t *testing.T) {
	for _, queue := range []time.Duration{0, time.Minute} {
		o := atOnce(3)
		o.Queue = queue
		l := limit.New(o, nil)
		var active [2]atomic.Int64
		var passed atomic.Int64
		var all sync.WaitGroup
		for g := range 16 {
			all.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(g), 3))
				for range 500 {
					k := rng.IntN(2)
					ticket, v := l.Enter([]byte{byte(k)}, time.Now(), nil)
					if !v.Allowed() {
						continue
					}
					passed.Add(1)
					if n := active[k].Add(1); n > 3 {
						t.Errorf("%d at a time", n)
					}
					active[k].Add(-1)
					ticket.Release(time.Now())
				}
			})
		}
		all.Wait()
		if n := passed.Load(); queue > 0 && n != 16*500 {
			t.Errorf("%d passed, want all %d", n, 16*500)
		}
		c := l.Counters()
		if c.Passed != passed.Load() || c.Passed+c.Refused != 16*500 || c.Waiting != 0 {
			t.Errorf("counters %+v, %d passed", c, passed.Load())
		}
	}
}

func TestAllowedRequestsDoNotAllocate(t *testing.T) {
	o := rate(1e9, time.Second)
	o.Concurrent = 10
	l, now := limit.New(o, nil), time.Now()
	addr, key := netip.MustParseAddr("2001:db8::1"), make([]byte, 0, 32)
	if n := alloctest.PerRun(1000, func() {
		key = l.AppendClient(key[:0], addr)
		ticket, _ := l.Enter(key, now, nil)
		ticket.Release(now)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEnter(b *testing.B) {
	o := rate(1e9, time.Second)
	for _, concurrent := range []int{0, 100} {
		o.Concurrent = concurrent
		for _, clients := range []int{1, 100_000} {
			o.Size = clients * 2
			l := limit.New(o, nil)
			b.Run(fmt.Sprintf("concurrent=%d/clients=%d", concurrent, clients), func(b *testing.B) {
				b.ReportAllocs()
				rng, key := rand.New(rand.NewPCG(1, 1)), make([]byte, 32)
				for b.Loop() {
					i := rng.IntN(clients)
					key = l.AppendClient(key[:0], netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
					now := time.Now()
					ticket, _ := l.Enter(key, now, nil)
					ticket.Release(now)
				}
			})
		}
	}
}
