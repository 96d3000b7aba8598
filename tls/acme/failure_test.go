package acme_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	acmewire "github.com/mholt/acmez/v3/acme"

	"doorward/internal/pebbletest"
	"doorward/state"
	"doorward/tls/acme"
)

func TestManage_does_not_wait_for_a_dead_authority(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{})
	p.Stop()
	m := open(t, optionsFor(p, memory(t)))
	begun := time.Now()
	e.serve(t, m, "a.test")
	if took := time.Since(begun); took > time.Second {
		t.Errorf("Manage took %v", took)
	}
	s := failing(t, m, "a.test")
	wantText(t, s.LastError, "127.0.0.1:", "connection refused")
	if s.NextTry.IsZero() && s.LastTry.IsZero() {
		t.Errorf("status %+v", s)
	}
	p.Again(t)
	issued(t, m, "a.test")
}

func TestManage_waits_as_long_as_the_authority_says(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{})
	f := newFront(t, p)
	limited := make(chan time.Time, 100)
	f.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != newOrder {
			return false
		}
		limited <- time.Now()
		w.Header().Set("Retry-After", "3600")
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Replay-Nonce", "unused")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = w.Write([]byte(`{"type":"urn:ietf:params:acme:error:rateLimited","status":429,` +
			`"detail":"too many certificates already issued"}`))
		return true
	})
	o := optionsFor(p, memory(t))
	o.CA = f.ca()
	m := open(t, o)
	e.serve(t, m, "a.test")
	s := failing(t, m, "a.test")
	wantText(t, s.LastError, "rateLimited: too many certificates already issued")
	if left := time.Until(s.NextTry); left < 50*time.Minute || left > time.Hour {
		t.Errorf("next try in %v, want an hour", left)
	}
	if n := len(limited); n != 1 {
		t.Errorf("asked %d times for one order", n)
	}
	// A new process does not try at once either.
	m.Close()
	m = open(t, o)
	e.serve(t, m, "a.test")
	if s := statusOf(t, m, "a.test"); s.State != acme.Failing ||
		time.Until(s.NextTry) < 9*time.Minute || time.Until(s.NextTry) > 10*time.Minute {
		t.Errorf("after a restart: %+v", s)
	}
}

func TestManage_registers_again_when_the_account_is_gone(t *testing.T) {
	t.Parallel()
	t.Run("unknown", func(t *testing.T) {
		e := newEdge(t)
		p := e.pebble(t, pebbletest.Options{})
		o := optionsFor(p, memory(t))
		logs := watched(&o)
		m := open(t, o)
		e.serve(t, m, "a.test")
		first := issued(t, m, "a.test")
		p.Stop()
		p.Again(t)
		if err := m.Renew(t.Context(), "a.test"); err != nil {
			t.Fatal(err)
		}
		another(t, m, "a.test", first)
		if n := logs.FilterMessage("account registered").Len(); n != 2 {
			t.Errorf("%d accounts", n)
		}
	})
	t.Run("deactivated", func(t *testing.T) {
		e := newEdge(t)
		p := e.pebble(t, pebbletest.Options{})
		o := optionsFor(p, memory(t))
		m := open(t, o)
		e.serve(t, m, "b.test")
		issued(t, m, "b.test")
		deactivate(t, o)
		if err := m.Renew(t.Context(), "b.test"); err != nil {
			t.Error(err)
		}
	})
}

// deactivate closes the account of a Manager at the authority, with its own key.
func deactivate(t testing.TB, o acme.Options) {
	t.Helper()
	var kept struct {
		Account acmewire.Account `json:"account"`
		Key     []byte           `json:"key"`
	}
	for entry, err := range o.Store.All(t.Context(), "acme/account/") {
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(entry.Value, &kept); err != nil {
			t.Fatal(err)
		}
	}
	key, err := x509.ParsePKCS8PrivateKey(kept.Key)
	if err != nil {
		t.Fatal(err)
	}
	account := kept.Account
	account.PrivateKey = key.(crypto.Signer)
	account.Status = acmewire.StatusDeactivated
	client := &acmewire.Client{Directory: o.CA.Directory, HTTPClient: trusting(t, o.CA.CAFile)}
	if _, err := client.UpdateAccount(t.Context(), account); err != nil {
		t.Fatal(err)
	}
}

func TestManage_tells_the_account_another_address(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{})
	o := optionsFor(p, memory(t))
	logs := watched(&o)
	m := open(t, o)
	e.serve(t, m, "a.test")
	issued(t, m, "a.test")
	m.Close()
	o.Email = "other@edge.test"
	m = open(t, o)
	e.serve(t, m, "a.test", "b.test")
	issued(t, m, "b.test")
	if n := logs.FilterMessage("account registered").Len(); n != 1 {
		t.Errorf("%d accounts", n)
	}
}

func TestManage_orders_anew_what_is_damaged_in_the_store(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{})
	o := optionsFor(p, memory(t))
	m := open(t, o)
	e.serve(t, m, "a.test")
	first := issued(t, m, "a.test")
	m.Close()
	for _, spoil := range []string{".key", ".crt", ".json"} {
		kept := find(t, o.Store, spoil)
		if _, err := o.Store.Set(t.Context(), kept.Key, []byte("spoilt"), 0); err != nil {
			t.Fatal(err)
		}
		m := open(t, o)
		e.serve(t, m, "a.test")
		first = another(t, m, "a.test", first)
		m.Close()
	}
	kept := find(t, o.Store, ".json")
	if err := o.Store.Delete(t.Context(), kept.Key); err != nil {
		t.Fatal(err)
	}
	m = open(t, o)
	e.serve(t, m, "a.test")
	another(t, m, "a.test", first)
}

// find is the entry of a store whose key ends so.
func find(t testing.TB, s *state.Store, end string) state.Entry {
	t.Helper()
	for entry, err := range s.All(t.Context(), "acme/kept/certificates/") {
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasSuffix([]byte(entry.Key), []byte(end)) {
			return entry
		}
	}
	t.Fatalf("nothing ends in %s", end)
	return state.Entry{}
}

func TestClose_does_not_wait_for_an_order(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{})
	f := newFront(t, p)
	hanging := make(chan struct{}, 10)
	f.answer(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != newOrder {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body) // only then is the end of the client seen
		hanging <- struct{}{}
		<-r.Context().Done()
		return true
	})
	o := optionsFor(p, memory(t))
	o.CA = f.ca()
	m := open(t, o)
	e.serve(t, m, "a.test")
	<-hanging
	begun := time.Now()
	m.Close()
	if took := time.Since(begun); took > 1500*time.Millisecond {
		t.Errorf("Close took %v", took)
	}
	if s := statusOf(t, m, "a.test"); s.Failures != 0 {
		t.Errorf("that we stopped counts as a failure: %+v", s)
	}
	// The lock is free: the next process need not wait for it to end by itself.
	locks := acme.NewStorage(o.Store, time.Minute, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := locks.Lock(ctx, "name/a.test"); err != nil {
		t.Error(err)
	}
	var _ certmagic.Storage = locks
}
