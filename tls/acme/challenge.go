package acme

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"

	"doorward/state"
)

// challengePath is where HTTP-01 is asked for (RFC 8555, section 8.3).
const challengePath = "/.well-known/acme-challenge/"

const (
	tokenLimit = 128
	// askLimit bounds how often in a second strangers make us read the store, which
	// may be a network away. An authority asks from a handful of places at once.
	askLimit = 200
	askTime  = time.Second
)

// pending are the challenges that an authority may ask about at this moment:
// those of this process in memory, those of others in the store.
type pending struct {
	store *state.Store
	life  time.Duration
	asked bucket

	mu   sync.RWMutex
	http map[string]challenge        // by token
	alpn map[string]*tls.Certificate // by name
}

// challenge is one as it is kept in the store.
type challenge struct {
	Name   string `json:"name"`
	Token  string `json:"token"`
	Answer string `json:"answer"`
}

func newPending(store *state.Store, life time.Duration) *pending {
	return &pending{
		store: store, life: life,
		http: map[string]challenge{}, alpn: map[string]*tls.Certificate{},
	}
}

// solver answers one kind of challenge out of pending.
type solver struct {
	pending *pending
	kind    string
}

var _ acmez.Solver = solver{}

// Present makes the answer known here, then to others with the same store. When
// it returns the authority may ask any of them.
func (s solver) Present(ctx context.Context, asked acme.Challenge) error {
	c := challenge{
		Name: asked.Identifier.Value, Token: asked.Token, Answer: asked.KeyAuthorization,
	}
	if !validToken(c.Token) {
		return fmt.Errorf("the token of a challenge: %w", ErrAnswer)
	}
	key := challengePrefix + HTTP01 + "/" + c.Token
	if s.kind == TLSALPN01 {
		key = challengePrefix + TLSALPN01 + "/" + c.Name
		certificate, err := c.certificate()
		if err != nil {
			return err
		}
		s.pending.set(func() { s.pending.alpn[c.Name] = certificate })
	} else {
		s.pending.set(func() { s.pending.http[c.Token] = c })
	}
	value, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = s.pending.store.Set(ctx, key, value, s.pending.life)
	return err
}

// CleanUp forgets the answer, also when the order was given up.
func (s solver) CleanUp(ctx context.Context, asked acme.Challenge) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer cancel()
	if s.kind == TLSALPN01 {
		name := asked.Identifier.Value
		s.pending.set(func() { delete(s.pending.alpn, name) })
		return s.pending.store.Delete(ctx, challengePrefix+TLSALPN01+"/"+name)
	}
	s.pending.set(func() { delete(s.pending.http, asked.Token) })
	return s.pending.store.Delete(ctx, challengePrefix+HTTP01+"/"+asked.Token)
}

func (p *pending) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// certificate answers TLS-ALPN-01 (RFC 8737, section 3).
func (c challenge) certificate() (*tls.Certificate, error) {
	return acmez.TLSALPN01ChallengeCert(acme.Challenge{
		Type: TLSALPN01, Token: c.Token, KeyAuthorization: c.Answer,
		Identifier: acme.Identifier{Type: "dns", Value: c.Name},
	})
}

// answer is the body for HTTP-01, if it is pending for this host.
func (p *pending) answer(host, path string) (string, bool) {
	token, ok := strings.CutPrefix(path, challengePath)
	if !ok || !validToken(token) {
		return "", false
	}
	p.mu.RLock()
	c, here := p.http[token]
	p.mu.RUnlock()
	if !here {
		c, here = p.others(HTTP01 + "/" + token)
	}
	// An answer for one host says nothing to who asks for another.
	if !here || c.Name != host || c.Token != token {
		return "", false
	}
	return c.Answer, true
}

// handshake is the certificate for TLS-ALPN-01, nil if it is not pending.
func (p *pending) handshake(name string) *tls.Certificate {
	p.mu.RLock()
	certificate := p.alpn[name]
	p.mu.RUnlock()
	if certificate != nil {
		return certificate
	}
	c, there := p.others(TLSALPN01 + "/" + name)
	if !there || c.Name != name {
		return nil
	}
	certificate, err := c.certificate()
	if err != nil {
		return nil
	}
	return certificate
}

// others looks for a challenge that somebody else with the same store began.
func (p *pending) others(key string) (c challenge, ok bool) {
	if !p.asked.take(time.Now()) {
		return c, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	entry, err := p.store.Get(ctx, challengePrefix+key)
	if err != nil {
		return c, false
	}
	return c, json.Unmarshal(entry.Value, &c) == nil
}

// bucket counts what was done in this second.
type bucket struct {
	mu     sync.Mutex
	second int64
	done   int
}

// take counts once more, unless there were enough.
func (b *bucket) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := now.Unix(); s != b.second {
		b.second, b.done = s, 0
	}
	b.done++
	return b.done <= askLimit
}

// validToken tells whether s is a token: base64url (RFC 8555, section 8.3).
func validToken(s string) bool {
	if s == "" || len(s) > tokenLimit {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
