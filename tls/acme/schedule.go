package acme

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
	"golang.org/x/crypto/ocsp"

	"doorward/internal/safe"
)

// run looks for what is due until the Manager is closed.
func (m *Manager) run() {
	tick := time.NewTicker(m.o.Timing.Tick)
	defer tick.Stop()
	for {
		m.begin(time.Now())
		select {
		case <-m.ctx.Done():
			return
		case <-tick.C:
		case <-m.wake:
		}
	}
}

// begin starts what is due, as far as there are workers.
func (m *Manager) begin(now time.Time) {
	for _, e := range m.entries() {
		m.mu.Lock()
		job := m.dueJob(e, now)
		m.mu.Unlock()
		if job == nil {
			continue
		}
		select {
		case m.slots <- struct{}{}:
		default:
			return
		}
		if !m.occupy(e) {
			<-m.slots
			continue
		}
		m.work.Add(1)
		safe.Go(m.o.Log, "acme worker", func() {
			defer m.work.Done()
			defer func() { <-m.slots; m.release(e); m.kick() }()
			job(m.ctx, e)
		})
	}
}

// dueJob is what is to be done for e now, nil for nothing. An order comes first.
func (m *Manager) dueJob(e *entry, now time.Time) func(context.Context, *entry) {
	reached := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	switch {
	case e.busy != nil:
		return nil
	case reached(e.next):
		return func(ctx context.Context, e *entry) { _ = m.order(ctx, e, false) }
	case reached(e.askInfo):
		return m.inform
	case reached(e.askStaple):
		return m.staple
	case reached(e.look):
		return m.reread
	}
	return nil
}

// occupy marks e as worked on; false if it is already.
func (m *Manager) occupy(e *entry) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.busy != nil {
		return false
	}
	e.busy = make(chan struct{})
	return true
}

func (m *Manager) release(e *entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(e.busy)
	e.busy = nil
}

// Renew orders a certificate for the name now, whatever is due, and returns why
// that failed: ErrUnknown for a name that is not kept, a LimitError for too many
// orders, else what the authorities say.
func (m *Manager) Renew(ctx context.Context, name string) error {
	e := m.find(name)
	if e == nil {
		return fmt.Errorf("%s: %w", name, ErrUnknown)
	}
	if text := m.refuses(name); text != "" {
		return fmt.Errorf("%s: %s", name, text)
	}
	for !m.occupy(e) {
		m.mu.Lock()
		busy := e.busy
		m.mu.Unlock()
		if busy == nil {
			continue
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", name, ctx.Err())
		}
	}
	defer m.release(e)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.ctx, cancel)()
	return m.order(ctx, e, true)
}

// order gets a certificate for e and notes how that went. Without force it takes
// one that somebody else has ordered meanwhile.
func (m *Manager) order(ctx context.Context, e *entry, force bool) error {
	ctx, cancel := context.WithTimeout(ctx, m.o.Timing.Order)
	defer cancel()
	t := &try{}
	s, err := m.orderLocked(t.within(ctx), t, e, force)
	switch {
	case err == nil:
		m.succeeded(ctx, e, s)
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return err // closed, or nobody waits any more: that says nothing of the name
	default:
		m.failed(e, t, err)
		return fmt.Errorf("%s: %s", e.name, e.failure(m))
	}
}

func (e *entry) failure(m *Manager) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return e.tries.Reason
}

func (m *Manager) orderLocked(
	ctx context.Context, t *try, e *entry, force bool,
) (*stored, error) {
	// certmagic's own lock comes too late: who waited for it would renew once more.
	lock := "name/" + e.name
	if err := m.storage.Lock(ctx, lock); err != nil {
		return nil, err
	}
	defer m.issuers[0].unlock(ctx, lock)
	found, err := m.fetch(ctx, e.name)
	m.update(e, found)
	switch {
	case err == nil && !force && time.Now().Before(found.due()):
		return found, nil
	case errors.Is(err, errDamaged):
		m.o.Log.Warn("certificate is ordered anew", zap.String("name", e.name), zap.Error(err))
		if err := m.discard(ctx, e.name); err != nil {
			return nil, err
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if found != nil {
		t.replaces, t.issuer = found.leaf(), found.issuer.key
		err = m.config.RenewCertSync(ctx, e.name, true)
	} else {
		err = m.config.ObtainCertSync(ctx, e.name)
	}
	if err != nil {
		return nil, err
	}
	found, err = m.fetch(ctx, e.name)
	if err == nil {
		leaf := found.leaf()
		m.o.Log.Info("certificate issued", zap.String("name", e.name),
			zap.String("ca", found.issuer.host), zap.Time("ends", leaf.NotAfter))
	}
	return found, err
}

// update gives a certificate from the store the renewal window that was asked for
// since it was written.
func (m *Manager) update(e *entry, found *stored) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if found != nil && e.stored != nil && found.leaf().Equal(e.stored.leaf()) {
		found.info = e.stored.info
	}
}

// discard removes what the store has of a name.
func (m *Manager) discard(ctx context.Context, name string) error {
	for _, i := range m.issuers {
		err := m.storage.Delete(ctx, certmagic.StorageKeys.CertsSitePrefix(i.key, name))
		if err != nil {
			return err
		}
	}
	return nil
}

// infoLongest is the longest between two questions for the renewal window.
const infoLongest = 24 * time.Hour

// inform asks when e is to be renewed. That it was not told changes nothing.
func (m *Manager) inform(ctx context.Context, e *entry) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	m.mu.Lock()
	s := e.stored
	m.mu.Unlock()
	info, err := s.issuer.renewalInfo(ctx, s.leaf())
	now := time.Now()
	next := now.Add(m.o.Timing.Info)
	if err == nil && info.RetryAfter != nil && info.RetryAfter.After(next) {
		next = earlier(*info.RetryAfter, now.Add(max(infoLongest, m.o.Timing.Info)))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e.askInfo = next
	if err != nil || e.stored != s || info.SameWindow(s.info) {
		return
	}
	changed := *s
	changed.info = info
	e.stored = &changed
	if e.tries.Failures == 0 {
		e.next = changed.due()
	}
	m.o.Log.Info("authority suggests another time to renew", zap.String("name", e.name),
		zap.Time("at", e.next), zap.String("explanation", clean(info.ExplanationURL)))
}

// staplePause is between two looks at an OCSP staple: it is asked for anew in
// the middle of its life, which lasts days.
const staplePause = time.Hour

// staple gets the OCSP answer for e where its authority still gives any.
func (m *Manager) staple(ctx context.Context, e *entry) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	got, err := m.config.CacheManagedCertificate(ctx, e.name)
	m.cache.RemoveManaged([]certmagic.SubjectIssuer{{Subject: e.name}})
	m.mu.Lock()
	defer m.mu.Unlock()
	e.askStaple = time.Now().Add(staplePause)
	if err == nil && got.Leaf.Equal(e.stored.leaf()) {
		pair := got.Certificate
		if !current(pair.OCSPStaple, time.Now()) {
			pair.OCSPStaple = nil
		}
		e.pair.Store(&pair)
	}
}

// current tells whether an OCSP answer has not ended. Who signed it was checked
// when it came.
func current(staple []byte, now time.Time) bool {
	answer, err := ocsp.ParseResponse(staple, nil)
	return err == nil && now.Before(answer.NextUpdate)
}

// reread takes over what somebody else with the same store has renewed.
func (m *Manager) reread(ctx context.Context, e *entry) {
	s, err := m.fetch(ctx, e.name)
	m.mu.Lock()
	defer m.mu.Unlock()
	e.look = time.Now().Add(m.o.Timing.Look)
	if err != nil {
		return // orders find out what is wrong, and say so
	}
	if e.stored == nil || !s.leaf().Equal(e.stored.leaf()) {
		e.tries = tries{}
		e.adopt(s, time.Now())
	}
}
