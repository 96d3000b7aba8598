package limit_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"doorward/proxy/limit"
)

// exact is a limiter that remembers every request that passed.
type exact struct{ passed []time.Time }

// within is how many passed in the stretch of that length that ends now.
func (e *exact) within(length time.Duration, now time.Time) int {
	n := 0
	for _, at := range e.passed {
		if now.Sub(at) < length {
			n++
		}
	}
	return n
}

// step is the time to the next request, in one of several manners.
func step(rng *rand.Rand, manner int, mean time.Duration) time.Duration {
	switch manner {
	case 0: // evenly
		return mean
	case 1: // by chance
		return time.Duration(rng.ExpFloat64() * float64(mean))
	default: // in bursts
		if rng.IntN(20) == 0 {
			return 20 * mean
		}
		return 0
	}
}

func TestAgreesWithExactWindow(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 7))
	for round := range 150 {
		allowed := 1 + rng.IntN(40)
		per := time.Duration(1+rng.IntN(20_000)) * time.Millisecond
		// From half of what is allowed to four times as much.
		mean := time.Duration(float64(per) / float64(allowed) * (0.25 + 1.75*rng.Float64()))
		l, e := limit.New(rate(allowed, per), nil), &exact{}
		now := time.Now()
		for range 400 {
			now = now.Add(step(rng, round%3, mean))
			v := enter(l, "a", now)
			if v.Allowed() {
				e.passed = append(e.passed, now)
				if n := e.within(per, now); n > allowed {
					t.Fatalf("round %d: %d passed within %v, allowed %d", round, n, per, allowed)
				}
				continue
			}
			longer := per*16/15 + 16
			if n := e.within(longer, now); n < allowed {
				t.Fatalf("round %d: refused after %d within %v, allowed %d", round, n, longer, allowed)
			}
			wantRetry(t, l, v, now)
		}
	}
}

// wantRetry asks for a retry as if there were no other requests: not earlier than
// said, and not much later.
func wantRetry(t *testing.T, l *limit.Limiter, v limit.Verdict, now time.Time) {
	t.Helper()
	at := now.Add(time.Duration(v.RetryAfter) * time.Second)
	if wait := l.WaitOf([]byte("a"), at); wait > 0 {
		t.Fatalf("retry after %d s comes %v too early", v.RetryAfter, wait)
	}
	if v.RetryAfter == 1 {
		return
	}
	if wait := l.WaitOf([]byte("a"), at.Add(-time.Second)); wait <= 0 {
		t.Fatalf("retry after %d s comes a second too late", v.RetryAfter)
	}
}

// A client that asks for twice as much gets its share, but for a sixteenth.
func TestGreedyClientGetsItsShare(t *testing.T) {
	const allowed, per = 100, 10 * time.Second
	l, now := limit.New(rate(allowed, per), nil), time.Now()
	passed := 0
	for range 20 * 600 { // ten minutes
		now = now.Add(per / (2 * allowed))
		if enter(l, "a", now).Allowed() {
			passed++
		}
	}
	want := allowed * 60
	if passed > want+allowed || passed < want*15/16 {
		t.Errorf("%d passed, want %d or up to a sixteenth less", passed, want)
	}
}

func TestVeryManyRequests(t *testing.T) {
	l, now := limit.New(rate(math.MaxInt, time.Nanosecond), nil), time.Now()
	for i := range 1000 {
		if v := enter(l, "a", now.Add(time.Duration(i))); !v.Allowed() {
			t.Fatalf("request %d: %+v", i, v)
		}
	}
}
