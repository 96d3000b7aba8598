package acme_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"doorward/internal/pebbletest"
	"doorward/tls/acme"
)

func TestRenewal_happens_before_the_end(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	f := newFront(t, e.pebble(t, pebbletest.Options{Validity: 12 * time.Second}))
	f.byAge()
	m := open(t, acme.Options{Store: memory(t), CA: f.ca(), Timing: quick()})
	e.serve(t, m, "a.test")
	first := issued(t, m, "a.test")
	s := statusOf(t, m, "a.test")
	if early, late := first.NotAfter.Sub(s.RenewFrom), first.NotAfter.Sub(s.RenewUntil); late <
		3*time.Second || early > 5*time.Second || early <= late {
		t.Errorf("renewed from %v to %v before the end, want a third of the life", early, late)
	}
	second := another(t, m, "a.test", first)
	if !second.NotBefore.Before(first.NotAfter) {
		t.Errorf("renewed at %v, after %v", second.NotBefore, first.NotAfter)
	}
	if !second.NotAfter.After(first.NotAfter) {
		t.Errorf("%v follows %v", second.NotAfter, first.NotAfter)
	}
}

func TestRenewal_happens_when_the_authority_suggests_it(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{})
	f := newFront(t, p)
	o := optionsFor(p, memory(t))
	o.CA = f.ca()
	logs := watched(&o)
	m := open(t, o)
	e.serve(t, m, "a.test")
	first := issued(t, m, "a.test")
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: first.Raw}))
	p.SuggestRenewalText(t, text, "{nonsense")
	asked := f.infos.Load()
	wait(t, "another question", func() bool { return f.infos.Load() > asked })
	p.SuggestRenewal(t, text, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
	another(t, m, "a.test", first)
	if logs.FilterMessage("authority suggests another time to renew").Len() == 0 {
		t.Error("nobody was told why")
	}
}

func TestRenewal_keeps_the_old_one_while_the_authority_is_down(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{Validity: 6 * time.Second})
	f := newFront(t, p)
	f.byAge()
	o := acme.Options{Store: memory(t), CA: f.ca(), Timing: quick()}
	logs := watched(&o)
	m := open(t, o)
	e.serve(t, m, "a.test")
	first := issued(t, m, "a.test")
	p.Stop()
	s := failing(t, m, "a.test")
	if got := m.Certificate("a.test"); got == nil || !got.Leaf.Equal(first) {
		t.Errorf("certificate %v, want the old one", got)
	}
	wantText(t, s.LastError, "502")
	if s.NotAfter != first.NotAfter || s.Failures == 0 {
		t.Errorf("status %+v", s)
	}
	wait(t, "an alarm", func() bool {
		return logs.FilterMessage("certificate ends soon and is not renewed").Len() > 0
	})
	p.Again(t)
	another(t, m, "a.test", first)
	wait(t, "a clean status", func() bool { return statusOf(t, m, "a.test").State == acme.Ready })
}

func TestRenew_orders_now_and_says_why_it_cannot(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{Blocked: []string{"blocked.test"}})
	o := optionsFor(p, memory(t))
	o.Timing.Retry, o.Timing.Longest = time.Hour, time.Hour // else it uses up its orders
	m := open(t, o)
	e.serve(t, m, "a.test", "*.b.test", "blocked.test")
	first := issued(t, m, "a.test")
	if err := m.Renew(t.Context(), "a.test"); err != nil {
		t.Fatal(err)
	}
	if m.Certificate("a.test").Leaf.Equal(first) {
		t.Error("the same certificate as before")
	}
	wantErr(t, m.Renew(t.Context(), "stranger.test"), acme.ErrUnknown)
	err := m.Renew(t.Context(), "*.b.test")
	if err == nil {
		t.Fatal("a wildcard without DNS-01")
	}
	wantText(t, err.Error(), "*.b.test", acme.DNS01)
	if err = m.Renew(t.Context(), "blocked.test"); err == nil {
		t.Fatal("a blocked name")
	}
	wantText(t, err.Error(), "blocked.test: 127.0.0.1:", "rejectedIdentifier: ")
}

// An authority that has lost its records, or a name that somebody else has renewed,
// would otherwise not be renewed until the certificate has ended.
func TestRenew_when_the_authority_does_not_know_the_old_one(t *testing.T) {
	t.Parallel()
	for _, problem := range []string{
		`{"type":"urn:ietf:params:acme:error:alreadyReplaced","status":409}`,
		`{"type":"urn:ietf:params:acme:error:serverInternal","status":500}`,
	} {
		e := newEdge(t)
		p := e.pebble(t, pebbletest.Options{})
		f := newFront(t, p)
		o := optionsFor(p, memory(t))
		o.CA = f.ca()
		m := open(t, o)
		e.serve(t, m, "a.test")
		first := issued(t, m, "a.test")
		var refused atomic.Bool
		f.answer(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != newOrder || !replaces(t, r) {
				return false
			}
			refused.Store(true)
			status, _ := strconv.Atoi(problem[len(problem)-4 : len(problem)-1])
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, problem)
			return true
		})
		if err := m.Renew(t.Context(), "a.test"); err != nil {
			t.Error(err)
		}
		if !refused.Load() || m.Certificate("a.test").Leaf.Equal(first) {
			t.Errorf("refused: %v, and the certificate is the old one", refused.Load())
		}
	}
}

// replaces tells whether an order names a certificate that it replaces.
func replaces(t *testing.T, r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var signed struct {
		Payload string `json:"payload"`
	}
	if err := json.Unmarshal(body, &signed); err != nil {
		t.Error(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(signed.Payload)
	if err != nil {
		t.Error(err)
	}
	return bytes.Contains(payload, []byte(`"replaces"`))
}

func TestRenew_by_many_at_once(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{})
	m := open(t, optionsFor(p, memory(t)))
	e.serve(t, m, "a.test")
	var work sync.WaitGroup
	for range 3 {
		work.Go(func() {
			if err := m.Renew(t.Context(), "a.test"); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, m.Renew(ctx, "a.test"), context.Canceled)
	if s := statusOf(t, m, "a.test"); s.State != acme.Ready || s.Failures != 0 {
		t.Errorf("that nobody waits counts as a failure: %+v", s)
	}
}

func TestOpen_finds_what_was_there_before(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{})
	f := newFront(t, p)
	url := "file:" + t.TempDir()
	s := store(t, url)
	o := optionsFor(p, s)
	o.CA = f.ca()
	m := open(t, o)
	e.serve(t, m, "a.test")
	first := issued(t, m, "a.test")
	m.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	p.Stop() // who has a certificate needs nobody

	o.Store = store(t, url)
	m = open(t, o)
	m.Manage([]string{"a.test"})
	if c := m.Certificate("a.test"); c == nil || !c.Leaf.Equal(first) {
		t.Errorf("certificate %v when Manage returned", c)
	}
	if n := f.orders.Load(); n != 1 {
		t.Errorf("%d orders", n)
	}
}
