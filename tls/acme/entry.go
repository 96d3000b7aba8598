package acme

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io/fs"
	mathrand "math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// entry is a name that is kept. Its fields but pair belong to Manager.mu.
type entry struct {
	name string
	pair atomic.Pointer[tls.Certificate] // for handshakes

	stored *stored       // nil: none
	busy   chan struct{} // closed when the work on it ends; nil: none is done
	tries  tries
	next   time.Time // when it is ordered; zero: never

	askInfo   time.Time // when the renewal window is asked for
	askStaple time.Time // when an OCSP staple is asked for
	look      time.Time // when the store is read
}

// tries is what went wrong since the last success. It is kept in the store, so
// that who starts again and again does not order again and again.
type tries struct {
	Failures int       `json:"failures"`
	Last     time.Time `json:"last"`
	Next     time.Time `json:"next"`
	Reason   string    `json:"reason"`
}

// restPause is the longest that a new process waits for what an earlier one
// failed at: people restart what they have mended.
const restPause = 10 * time.Minute

// newEntry makes an entry with what the store has of it.
func (m *Manager) newEntry(name string) *entry {
	e := &entry{name: name}
	now := time.Now()
	if text := m.refuses(name); text != "" {
		e.tries = tries{Failures: 1, Last: now, Reason: text}
		m.o.Log.Warn("no certificate can be ordered", zap.String("name", name),
			zap.String("reason", text))
		return e
	}
	s, err := m.fetch(m.ctx, name)
	e.next = now
	switch {
	case err == nil:
		e.adopt(s, now)
	case !errors.Is(err, fs.ErrNotExist):
		m.o.Log.Warn("certificate not read", zap.String("name", name), zap.Error(err))
	}
	if before, ok := m.failures(name); ok && before.Next.After(now) {
		e.tries = before
		e.next = earlier(before.Next, now.Add(restPause))
	}
	e.look = now.Add(spread(m.o.Timing.Look))
	return e
}

// refuses is why a name cannot be ordered, empty if it can.
func (m *Manager) refuses(name string) string {
	host, wild := strings.CutPrefix(name, "*.")
	switch {
	case net.ParseIP(name) != nil:
		return "an address is no name that certificates are ordered for"
	case host == "" || strings.ContainsAny(host, "*/ ") || len(host) > 253:
		return "not a host name"
	case wild && !slices.Contains(m.o.Challenges, DNS01):
		return "a wildcard needs the challenge " + DNS01
	}
	return ""
}

// adopt makes a certificate the one that is shown.
func (e *entry) adopt(s *stored, now time.Time) {
	e.stored = s
	e.next = s.due()
	e.askInfo, e.askStaple = time.Time{}, time.Time{}
	if s.info.HasWindow() {
		e.askInfo = now
		if s.info.RetryAfter != nil {
			e.askInfo = *s.info.RetryAfter
		}
	}
	if len(s.leaf().OCSPServer) > 0 {
		e.askStaple = now
	}
	e.pair.Store(s.pair)
}

func (m *Manager) failures(name string) (tries, bool) {
	var t tries
	entry, err := m.o.Store.Get(m.ctx, triesPrefix+name)
	return t, err == nil && json.Unmarshal(entry.Value, &t) == nil
}

// failed notes that a try for e came to nothing, and when the next one is.
func (m *Manager) failed(e *entry, t *try, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	e.tries.Last, e.tries.Reason = now, clean(strings.Join(t.reasons, "; "))
	if e.tries.Reason == "" {
		e.tries.Reason = reason(err)
	}
	var limit *LimitError
	if errors.As(err, &limit) {
		e.tries.Reason, e.next = limit.Error(), limit.Until
		m.o.Log.Info("order waits", zap.String("name", e.name), zap.Time("until", limit.Until))
		return
	}
	e.tries.Failures++
	e.next = now.Add(m.backoff(e.tries.Failures))
	if t.pause.After(e.next) {
		e.next = t.pause
	}
	e.tries.Next = e.next
	m.report(e, now)
	m.remember(e)
}

// backoff is how long to wait after so many failures: doubled each time, and
// never the same for two names that failed together.
func (m *Manager) backoff(failures int) time.Duration {
	wait := m.o.Timing.Longest
	if n := failures - 1; n < 20 {
		wait = min(wait, m.o.Timing.Retry<<n)
	}
	return wait - wait/10 + spread(wait/5)
}

// report says in the log what stands in the status. It is an error when soon
// there will be no certificate.
func (m *Manager) report(e *entry, now time.Time) {
	fields := []zap.Field{zap.String("name", e.name), zap.String("reason", e.tries.Reason),
		zap.Int("failures", e.tries.Failures), zap.Time("next_try", e.next)}
	if e.stored == nil {
		m.o.Log.Warn("certificate not issued", fields...)
		return
	}
	fields = append(fields, zap.Time("ends", e.stored.leaf().NotAfter))
	if e.stored.ends(now) {
		m.o.Log.Error("certificate ends soon and is not renewed", fields...)
		return
	}
	m.o.Log.Warn("certificate not renewed", fields...)
}

// remember writes the failures of e where the next process finds them.
func (m *Manager) remember(e *entry) {
	value, err := json.Marshal(e.tries)
	if err == nil {
		_, err = m.o.Store.Set(m.ctx, triesPrefix+e.name, value, 2*m.o.Timing.Longest)
	}
	if err != nil && m.ctx.Err() == nil {
		m.o.Log.Warn("failures not kept", zap.String("name", e.name), zap.Error(err))
	}
}

// succeeded notes that e has what it should.
func (m *Manager) succeeded(ctx context.Context, e *entry, s *stored) {
	m.mu.Lock()
	failures := e.tries.Failures
	e.tries = tries{}
	e.adopt(s, time.Now())
	m.mu.Unlock()
	if failures == 0 {
		return
	}
	if err := m.o.Store.Delete(ctx, triesPrefix+e.name); err != nil {
		m.o.Log.Warn("failures not forgotten", zap.String("name", e.name), zap.Error(err))
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// spread is a random part of d.
func spread(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return mathrand.N(d)
}
