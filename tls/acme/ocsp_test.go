package acme_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"doorward/internal/pebbletest"
	"doorward/tls/acme"
)

// responder says how it stands with certificates (RFC 6960).
type responder struct {
	issuer *x509.Certificate
	key    crypto.Signer
	asked  atomic.Int64
	spoil  atomic.Pointer[func(*ocsp.Response) []byte]
}

func (r *responder) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	question, err := ocsp.ParseRequest(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	defer r.asked.Add(1)
	now := time.Now()
	said := &ocsp.Response{
		Status: ocsp.Good, SerialNumber: question.SerialNumber,
		ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(24 * time.Hour),
	}
	if spoil := r.spoil.Load(); spoil != nil {
		_, _ = w.Write((*spoil)(said))
		return
	}
	_, _ = w.Write(r.sign(said))
}

func (r *responder) sign(said *ocsp.Response) []byte {
	text, err := ocsp.CreateResponse(r.issuer, r.issuer, *said, r.key)
	if err != nil {
		panic(err)
	}
	return text
}

func TestOCSP(t *testing.T) {
	t.Parallel()
	r := &responder{}
	server := httptest.NewServer(r)
	defer server.Close()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{OCSP: server.URL})
	r.issuer, r.key = p.Intermediate(t)
	o := optionsFor(p, memory(t))

	t.Run("ACME-13 a spoilt staple is not shown", func(t *testing.T) {
		for name, spoil := range map[string]func(*ocsp.Response) []byte{
			"garbage": func(*ocsp.Response) []byte { return []byte("garbage") },
			"revoked": func(said *ocsp.Response) []byte {
				said.Status, said.RevokedAt = ocsp.Revoked, time.Now()
				return r.sign(said)
			},
			"ended": func(said *ocsp.Response) []byte {
				said.ThisUpdate = said.ThisUpdate.Add(-72 * time.Hour)
				said.NextUpdate = said.ThisUpdate.Add(24 * time.Hour)
				return r.sign(said)
			},
			"endless": func(*ocsp.Response) []byte { return bytes.Repeat([]byte("0"), 2<<20) },
		} {
			r.spoil.Store(&spoil)
			before := r.asked.Load()
			m := open(t, o)
			e.serve(t, m, "a.test")
			issued(t, m, "a.test")
			wait(t, "a question", func() bool { return r.asked.Load() > before })
			m.Close()
			if staple := m.Certificate("a.test").OCSPStaple; staple != nil {
				t.Errorf("%s: %d bytes are shown", name, len(staple))
			}
		}
	})
	t.Run("a good one is shown and kept", func(t *testing.T) {
		r.spoil.Store(nil)
		stapled(t, o, e)
		asked := r.asked.Load()
		stapled(t, o, e)
		if n := r.asked.Load(); n != asked {
			t.Errorf("asked %d times for what the store has", n-asked)
		}
	})
}

// stapled opens a Manager that has a certificate with a staple in the end.
func stapled(t *testing.T, o acme.Options, e *edge) {
	t.Helper()
	m := open(t, o)
	e.serve(t, m, "a.test")
	issued(t, m, "a.test")
	wait(t, "a staple", func() bool { return m.Certificate("a.test").OCSPStaple != nil })
	m.Close()
}
