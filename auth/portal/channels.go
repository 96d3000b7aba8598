package portal

import (
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"doorward/auth/audit"
	"doorward/auth/oidc"
)

// logoutReason is why a session ends that ended at its provider.
const logoutReason = "signed out at the provider"

// frontChannel ends the sessions that a provider names in a frame of its own page
// (OpenID Connect Front-Channel Logout 1.0). No cookie comes with it, and Entra ID
// sends the sid alone: nobody can guess one, and all it can do is to sign out.
func (p *Portal) frontChannel(w http.ResponseWriter, r *visitor, name string) {
	pr := p.providers[name]
	q, err := query(r.Request)
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	frames := "'none'"
	if pr != nil && pr.Origin != "" {
		frames = pr.Origin
	}
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors "+frames)
	switch {
	case pr == nil:
		w.WriteHeader(http.StatusNotFound)
	case err != nil || q.Get("sid") == "":
		w.WriteHeader(http.StatusBadRequest)
	case !p.o.Floods.Allow(r.client):
		retryAfter(w, busyWait)
		w.WriteHeader(http.StatusTooManyRequests)
	default:
		p.ended(r, name, p.o.Sessions.EndUpstream(r.Context(), name, q.Get("sid")))
		w.WriteHeader(http.StatusOK)
	}
}

// backChannel ends the sessions that a provider names in a signed token, which it
// posts itself (OpenID Connect Back-Channel Logout 1.0 section 2.5 ff.).
func (p *Portal) backChannel(w http.ResponseWriter, r *visitor, name string) {
	pr := p.providers[name]
	f, err := form(r.Request)
	switch {
	case pr == nil || pr.Channel == nil:
		w.WriteHeader(http.StatusNotFound)
		return
	case !p.o.Floods.Allow(r.client):
		retryAfter(w, busyWait)
		w.WriteHeader(http.StatusTooManyRequests)
		return
	case err != nil || f.Get("logout_token") == "":
		logoutRefused(w, http.StatusBadRequest)
		return
	}
	token, err := pr.Channel.LogoutToken(r.Context(), f.Get("logout_token"))
	if err != nil {
		p.o.Log.Warn("a logout token was refused", zap.String("provider", name), zap.Error(err))
		status := http.StatusBadRequest
		if errors.Is(err, oidc.ErrUnavailable) {
			status = http.StatusServiceUnavailable
		}
		logoutRefused(w, status)
		return
	}
	keep := max(token.Expires.Sub(p.now()), time.Minute) + time.Minute
	first, err := p.o.Sessions.Once(r.Context(), "logout/"+name+"/"+token.ID, keep)
	if err != nil {
		p.warn("marking a logout token as used", err)
		logoutRefused(w, http.StatusServiceUnavailable)
		return
	}
	if !first {
		logoutRefused(w, http.StatusBadRequest)
		return
	}
	ended, err := p.o.Sessions.SignedOut(r.Context(), name, token.SID, token.Subject)
	if err != nil {
		p.warn("noting a sign-out at a provider", err)
	}
	p.ended(r, name, ended)
	w.WriteHeader(http.StatusOK)
}

func (p *Portal) ended(r *visitor, provider string, sessions int) {
	if sessions > 0 {
		p.record(r, audit.Event{Kind: audit.SessionEnded, Provider: provider, Detail: logoutReason})
	}
}

func logoutRefused(w http.ResponseWriter, status int) {
	writeJSON(w, status, map[string]string{"error": "invalid_request"})
}

// A client may call the addresses for providers floodRate times a second, with
// bursts of floodBurst: a provider calls for many people from few addresses.
const (
	floodRate  = 20
	floodBurst = 200
	maxFloods  = 4096
)

// Floods bounds how often a client calls what needs no session. It outlives a
// Portal; its methods may be called by many goroutines.
type Floods struct {
	now func() time.Time

	mu      sync.Mutex
	clients map[netip.Prefix]*rate.Limiter
}

// NewFloods makes one that has seen nobody. A nil now is time.Now.
func NewFloods(now func() time.Time) *Floods {
	if now == nil {
		now = time.Now
	}
	return &Floods{now: now, clients: map[netip.Prefix]*rate.Limiter{}}
}

// Allow counts a call of a client, and tells whether it may be answered. Addresses
// of IPv6 count by the 64 bits that a subscriber has.
func (f *Floods) Allow(client netip.Addr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.of(client).AllowN(f.now(), 1)
}

// Spent tells whether the next call of a client would not be answered. It counts none.
func (f *Floods) Spent(client netip.Addr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.of(client).TokensAt(f.now()) < 1
}

// of is the limit of a client. It is called with the lock held.
func (f *Floods) of(client netip.Addr) *rate.Limiter {
	bits := client.BitLen()
	if client.Is6() {
		bits = 64
	}
	key, _ := client.Prefix(bits)
	limit := f.clients[key]
	if limit == nil {
		if len(f.clients) >= maxFloods {
			// Whoever floods from so many places is not stopped by counting.
			clear(f.clients)
		}
		limit = rate.NewLimiter(floodRate, floodBurst)
		f.clients[key] = limit
	}
	return limit
}
