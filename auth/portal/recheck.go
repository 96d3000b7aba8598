package portal

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"doorward/auth/directory"
	"doorward/auth/oidc"
	"doorward/auth/session"
	"doorward/auth/user"
	"doorward/internal/safe"
)

// secrets is what a session keeps in the store alone: what asks its provider again,
// and what ends it there.
type secrets struct {
	Refresh   string    `json:"refresh,omitempty"`
	IDToken   string    `json:"id_token,omitempty"`
	LoginHint string    `json:"login_hint,omitempty"`
	Checked   time.Time `json:"checked"` // when the provider last said yes
}

func secretsOf(c *oidc.Claims, now time.Time) secrets {
	return secrets{Refresh: c.Refresh, IDToken: c.IDToken, LoginHint: c.LoginHint, Checked: now}
}

func (s secrets) encode() []byte {
	data, _ := json.Marshal(s) // strings and a time can be encoded
	return data
}

func decodeSecrets(data []byte) (s secrets) {
	_ = json.Unmarshal(data, &s) // what cannot be read is as if it was not there
	return s
}

// How rechecks are paced.
const (
	recheckLook   = 5 * time.Second // how often due sessions are looked for
	recheckAtOnce = 4               // how many providers' answers are waited for
	recheckRetry  = time.Minute
	recheckAnswer = 30 * time.Second
	defaultGrace  = 4 * time.Hour
	recheckSpread = 5 // a fifth of the interval is left to chance
)

// RecheckOptions is what Rechecks are made of.
type RecheckOptions struct {
	// Sessions are those to ask about, Directory has their users.
	Sessions  *session.Manager
	Directory *directory.Directory
	Now       func() time.Time // nil: time.Now
	Log       *zap.Logger      // nil: silent
}

// Rechecks ask providers again and again whether those who signed in there may
// still be here, in the background: no request waits for a provider. What an answer
// says of groups holds at once for all sessions of the user.
//
// They outlive a Portal. Start and Close are called once, the other methods by many
// goroutines.
type Rechecks struct {
	o    RecheckOptions
	stop context.CancelFunc
	done sync.WaitGroup
	room chan struct{}

	mu        sync.Mutex
	providers map[string]Provider
	byHand    bool                 // local users may sign in
	due       map[string]time.Time // by session
	asking    map[string]bool
}

// NewRechecks makes Rechecks that know no provider yet.
func NewRechecks(o RecheckOptions) *Rechecks {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return &Rechecks{
		o: o, stop: func() {}, room: make(chan struct{}, recheckAtOnce),
		providers: map[string]Provider{}, due: map[string]time.Time{}, asking: map[string]bool{},
	}
}

// Configure replaces the providers. The sessions of one that is gone end, and those
// of local users where there are none any more: who cannot sign in any longer is
// not signed in.
func (c *Rechecks) Configure(ctx context.Context, localUsers bool, providers []Provider) {
	known := make(map[string]Provider, len(providers))
	for _, pr := range providers {
		known[pr.Name] = pr
	}
	c.mu.Lock()
	c.providers, c.byHand = known, localUsers
	c.mu.Unlock()
	gone := map[string]bool{}
	for _, s := range c.o.Sessions.All() {
		if !c.Serves(s.Provider()) {
			gone[s.Provider()] = true
		}
	}
	for name := range gone {
		c.o.Sessions.EndProvider(ctx, name) // many at a write: the reload waits for it
	}
}

// Serves tells whether sessions may begin at a provider, or with a password.
func (c *Rechecks) Serves(provider string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, known := c.providers[provider]
	return known || provider == byPassword && c.byHand
}

// Start begins to ask, until Close.
func (c *Rechecks) Start() {
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.done.Add(1)
	safe.Go(c.o.Log, "recheck", func() {
		defer c.done.Done()
		c.run(ctx)
	})
}

// Close ends what Start began, and waits for it.
func (c *Rechecks) Close() {
	c.stop()
	c.done.Wait()
}

func (c *Rechecks) run(ctx context.Context) {
	tick := time.NewTicker(recheckLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.Look(ctx)
		}
	}
}

// Look asks about the sessions that are due, each in its own time, and does not wait
// for the answers.
func (c *Rechecks) Look(ctx context.Context) {
	defer safe.Recover(c.o.Log, "recheck")
	for _, s := range c.pick() {
		select {
		case c.room <- struct{}{}:
		case <-ctx.Done():
			return
		}
		c.done.Add(1)
		safe.Go(c.o.Log, "recheck of a session", func() {
			defer c.done.Done()
			defer func() { <-c.room }()
			c.ask(ctx, s)
		})
	}
}

// pick returns the sessions that are due and nobody asks about yet.
func (c *Rechecks) pick() []*session.Session {
	all := c.o.Sessions.All()
	now := c.o.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	due := make(map[string]time.Time, len(c.due))
	var picked []*session.Session
	for _, s := range all {
		pr, ok := c.providers[s.Provider()]
		if !ok || pr.Recheck <= 0 {
			continue
		}
		at, known := c.due[s.ID()]
		if !known {
			at = first(s, pr.Recheck, now)
		}
		due[s.ID()] = at
		if !now.Before(at) && !c.asking[s.ID()] {
			c.asking[s.ID()] = true
			picked = append(picked, s)
		}
	}
	c.due = due
	return picked
}

// first is when a session is due that was not seen before. After a restart nobody
// knows when it was asked last, and all at once would be a storm.
func first(s *session.Session, every time.Duration, now time.Time) time.Time {
	if at := s.Created().Add(spread(every)); at.After(now) {
		return at
	}
	return now.Add(rand.N(every/recheckSpread + 1))
}

// spread is the interval with a part left to chance, never longer than it.
func spread(every time.Duration) time.Duration {
	return every - rand.N(every/recheckSpread+1)
}

// ask asks about one session and says when to do so again.
func (c *Rechecks) ask(ctx context.Context, s *session.Session) {
	c.mu.Lock()
	pr := c.providers[s.Provider()]
	c.mu.Unlock()
	next := recheckRetry
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.asking, s.ID())
		c.due[s.ID()] = c.o.Now().Add(next)
	}()
	if pr.Client == nil || pr.Recheck <= 0 || !s.Valid() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, recheckAnswer)
	defer cancel()
	// Other processes have the session too: one of them asks, the others come again.
	mine, err := c.o.Sessions.Once(ctx, "recheck/"+s.ID(), recheckRetry-recheckLook)
	if err != nil {
		c.o.Log.Warn("recheck", zap.Error(err))
		return
	}
	if mine {
		next = c.recheck(ctx, &pr, s)
	}
}

// recheck asks the provider, and tells when to do so again.
func (c *Rechecks) recheck(
	ctx context.Context, pr *Provider, s *session.Session,
) (next time.Duration) {
	data, err := c.o.Sessions.Secrets(ctx, s)
	if err != nil {
		c.o.Log.Warn("recheck", zap.Error(err))
		return recheckRetry
	}
	kept := decodeSecrets(data)
	if kept.Refresh == "" {
		// The provider gave nothing to ask with: the session's own end has to do.
		return pr.Recheck
	}
	if age := c.o.Now().Sub(kept.Checked); age < pr.Recheck/2 {
		return max(spread(pr.Recheck)-age, recheckRetry) // another process has asked
	}
	asked := c.o.Now()
	claims, err := pr.Client.Refresh(ctx, kept.Refresh, s.Subject())
	switch {
	case errors.Is(err, oidc.ErrRevoked):
		c.o.Sessions.End(ctx, s, "the provider has ended the sign-in")
	case err != nil:
		c.unanswered(ctx, pr, s, kept, err)
		return recheckRetry
	case claims.Subject != s.Subject() || claims.Guest && !pr.Guests:
		c.o.Sessions.End(ctx, s, "the provider no longer knows the account as this one")
	default:
		kept.Checked = asked
		if err := c.accept(ctx, pr, s, kept, claims); err != nil {
			c.o.Log.Warn("recheck", zap.Error(err))
			return recheckRetry
		}
	}
	return spread(pr.Recheck)
}

// unanswered bounds how long a session lives on while its provider says nothing.
func (c *Rechecks) unanswered(
	ctx context.Context, pr *Provider, s *session.Session, kept secrets, err error,
) {
	c.o.Log.Warn("a provider does not say whether a session may go on",
		zap.String("provider", pr.Name), zap.String("session", s.ID()), zap.Error(err))
	grace := pr.RecheckGrace
	if grace <= 0 {
		grace = defaultGrace
	}
	if c.o.Now().Sub(kept.Checked) > pr.Recheck+grace {
		c.o.Sessions.End(ctx, s, "its provider has not answered for too long")
	}
}

// accept takes over what the provider said when it was asked, unless it has said something
// since to somebody who signed in.
func (c *Rechecks) accept(
	ctx context.Context, pr *Provider, s *session.Session, kept secrets, claims *oidc.Claims,
) error {
	if claims.Refresh != "" {
		kept.Refresh = claims.Refresh
	}
	if claims.IDToken != "" {
		kept.IDToken = claims.IDToken
	}
	// The refresh token first: the one before may be worth nothing any more.
	if err := c.o.Sessions.SetSecrets(ctx, s, kept.encode()); err != nil {
		return err
	}
	id := s.View().User.Identity(pr.Name)
	switch {
	case !s.View().User.Linked(pr.Name, s.Subject()):
		c.o.Sessions.End(ctx, s, "the account is no longer linked to its user")
		return nil
	case claims.Unchanged || sameGroups(id, claims):
		return nil
	}
	_, err := c.o.Directory.Update(ctx, s.View().User.ID, func(u *user.User) error {
		id := u.Identity(pr.Name)
		if id != nil && id.Subject == claims.Subject && !id.SignedIn.After(kept.Checked) {
			learn(u, pr.Name, claims, id.SignedIn)
		}
		return nil
	})
	return err
}

func sameGroups(id *user.Identity, c *oidc.Claims) bool {
	return id.GroupsUnknown == c.GroupsUnknown && id.Guest == c.Guest &&
		slices.Equal(id.Groups, sorted(c.Groups)) && slices.Equal(id.Roles, sorted(c.Roles))
}
