package app

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync/atomic"
	"time"

	"doorward/auth"
	"doorward/auth/assert"
	"doorward/auth/audit"
	"doorward/auth/directory"
	"doorward/auth/local"
	"doorward/auth/page"
	"doorward/auth/portal"
	"doorward/auth/seal"
	"doorward/auth/session"
	"doorward/config"
	"doorward/state"
)

// desk is what sign-in has that outlives a configuration: who is signed in, who they
// are, how often somebody has tried. It is opened with the first configuration that
// has sign-in, and lives as long as the store.
type desk struct {
	box       *seal.Box
	sessions  *session.Manager
	directory *directory.Directory
	audit     *audit.Recorder
	keys      *assert.Keys
	hasher    *local.Hasher
	local     *local.Local
	loops     *portal.Loops
	floods    *portal.Floods
	rechecks  *portal.Rechecks
	curfew    *curfew
}

// signIn is sign-in under one configuration.
type signIn struct {
	*desk
	providers []*provider
	pages     *page.Pages
	portal    *portal.Portal
	doors     *auth.Doors
	gates     map[string]*auth.Gate // by the name of the route
	rules     []portalApp
	// ready is closed when the directory has the groups of this configuration.
	ready chan struct{}
}

// openWithin bounds what has to be read before anything is served.
const openWithin = time.Minute

// errSecret refuses a reload that would seem to have changed the keys of all sessions.
var errSecret = errors.New("the secret cannot change while Doorward runs: restart it")

// buildSignIn makes what people sign in with, nothing when nobody can.
func (g *generation) buildSignIn(o Options, previous *generation) error {
	c := g.cfg.SignIn
	if c == nil {
		return nil
	}
	g.warnMemory(o, g.cfg.At("sign_in"),
		"users, sessions and tokens are kept in memory and gone at the next start")
	s := &signIn{gates: map[string]*auth.Gate{}, ready: make(chan struct{})}
	switch {
	case previous != nil && previous.desk != nil:
		if previous.cfg.State.Secret.Reveal() != g.cfg.State.Secret.Reveal() {
			return placed(g.cfg.At("state", "secret"), errSecret)
		}
		g.desk = previous.desk
	default:
		d, err := g.openDesk(o)
		if err != nil {
			return placed(g.cfg.At("sign_in"), err)
		}
		g.desk = d
	}
	s.desk, g.signIn = g.desk, s
	var before *signIn
	if previous != nil {
		before = previous.signIn
	}
	if err := errors.Join(g.buildProviders(before), g.buildPages()); err != nil {
		g.signIn = nil // gates cannot be made of a half of it
		return err
	}
	g.buildPortal()
	return nil
}

// openDesk reads who there is from the store.
func (g *generation) openDesk(o Options) (_ *desk, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), openWithin)
	defer cancel()
	d := &desk{loops: portal.NewLoops(nil), floods: portal.NewFloods(nil)}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	log := g.log.Named("sign-in")
	d.curfew = &curfew{review: o.review, log: log}
	if d.box, err = g.openBox(ctx); err != nil {
		return nil, err
	}
	d.audit = audit.New(audit.Options{Store: g.store, Log: g.log.Named("audit")})
	var sessions atomic.Pointer[session.Manager] // users may change before there are any
	d.directory, err = directory.Open(ctx, directory.Options{
		Store: g.store, Log: log, Mapping: mapping(g.cfg),
		Changed: func(string) {
			if m := sessions.Load(); m != nil {
				m.Changed()
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	d.sessions, err = session.Open(ctx, session.Options{
		Store: g.store, Box: d.box, Log: log, People: d.directory.Person,
		Limits: limitsOf(g.cfg.SignIn), Ended: o.review,
	})
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	sessions.Store(d.sessions)
	d.keys, err = assert.NewKeys(ctx, assert.KeyOptions{
		Vault: &vault{g.store, d.box}, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	d.hasher = local.NewHasher(hashOptions(&g.cfg.SignIn.Throttle))
	d.local = local.New(local.Options{
		Users: d.directory, Hasher: d.hasher, Canonical: directory.Canonical, Signer: d.box,
		Settings: passwordSettings(g.cfg), Log: log,
	})
	d.rechecks = portal.NewRechecks(portal.RecheckOptions{
		Sessions: d.sessions, Directory: d.directory, Log: log,
	})
	d.rechecks.Start()
	return d, nil
}

// openBox makes the keys of everything that leaves us sealed or signed: of the secret
// that nodes share, or one that the store has.
func (g *generation) openBox(ctx context.Context) (*seal.Box, error) {
	kept, err := g.store.Secret(ctx, "sign-in")
	if err != nil {
		return nil, err
	}
	if s := g.cfg.State.Secret.Reveal(); s != "" {
		return seal.New([]byte(s), kept)
	}
	return seal.New(kept)
}

// close ends what has been opened of it, in the order that nothing is missed.
func (d *desk) close() {
	if d == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), afterDrain)
	defer cancel()
	d.curfew.close()
	if d.rechecks != nil {
		d.rechecks.Close()
	}
	if d.keys != nil {
		d.keys.Close()
	}
	if d.sessions != nil {
		_ = d.sessions.Close(ctx) // it has said what it could not write
	}
	if d.directory != nil {
		_ = d.directory.Close()
	}
	if d.audit != nil {
		_ = d.audit.Close()
	}
}

// closeDesk ends the desk, unless another generation has it.
func (g *generation) closeDesk(other *generation) {
	if g.desk != nil && (other == nil || other.desk != g.desk) {
		g.desk.close()
	}
}

// welcome puts the configuration in force for what outlives it, but for the groups. It
// cannot fail.
func (g *generation) welcome() {
	s := g.signIn
	if s == nil {
		return
	}
	s.sessions.Configure(limitsOf(g.cfg.SignIn))
	s.local.Configure(passwordSettings(g.cfg))
	s.hasher.Configure(hashOptions(&g.cfg.SignIn.Throttle))
	for _, p := range s.providers {
		p.start()
	}
	s.rechecks.Configure(context.Background(), g.cfg.SignIn.LocalUsers, s.portalProviders(g.cfg))
}

// regroup puts users into the groups of the configuration, when its gates are in force:
// they wait for it, so that nobody is judged by rules of one configuration with the
// groups of another. It cannot fail.
func (g *generation) regroup() {
	if s := g.signIn; s != nil {
		s.directory.Configure(mapping(g.cfg))
		close(s.ready)
	}
}

func limitsOf(c *config.SignIn) session.Limits {
	return session.Limits{Idle: time.Duration(c.Idle), Lifetime: time.Duration(c.Lifetime)}
}

// mapping is what the configuration says about groups.
func mapping(cfg *config.Config) directory.Mapping {
	m := directory.Mapping{
		Groups: map[string]directory.Group{}, Defaults: map[string][]string{},
		Providers: []string{},
	}
	for name, g := range cfg.Groups {
		m.Groups[name] = directory.Group{
			ProviderGroups: g.ProviderGroups, Roles: g.Roles, Users: g.Users,
		}
	}
	for i := range cfg.SignIn.Providers {
		p := &cfg.SignIn.Providers[i]
		m.Defaults[p.Name] = p.DefaultGroups
		m.Providers = append(m.Providers, p.Name)
	}
	return m
}

func hashOptions(c *config.Throttle) local.HashOptions {
	most := c.Hashes
	if most == 0 {
		most = max(1, runtime.GOMAXPROCS(0)/2)
	}
	return local.HashOptions{Concurrent: most, QueueTime: time.Duration(c.Queue)}
}

func passwordSettings(cfg *config.Config) local.Settings {
	p, t := &cfg.PasswordPolicy, &cfg.SignIn.Throttle
	return local.Settings{
		Policy: local.Policy{
			MinLength: p.MinLength, RejectCommon: p.RejectCommon,
			Words: append([]string{cfg.Brand.Title, cfg.SignIn.Host}, p.RejectWords...),
		},
		Limits: local.Limits{
			Failures: t.Failures, MaxWait: time.Duration(t.MaxWait),
			PerMinute: t.PerMinute, PerHour: t.PerHour,
		},
	}
}

// vault keeps the signing keys in the store, sealed.
type vault struct {
	store *state.Store
	box   *seal.Box
}

// vaultKey is where the keys are, and what they are sealed for.
const vaultKey = "sign-in/keys"

// Load implements assert.Vault.
func (v *vault) Load(ctx context.Context) ([]byte, uint64, error) {
	e, err := v.store.Get(ctx, vaultKey)
	switch {
	case errors.Is(err, state.ErrNotFound):
		return nil, 0, nil
	case err != nil:
		return nil, 0, err
	}
	plain, err := v.box.Open(vaultKey, string(e.Value), nil)
	return plain, e.Version, err
}

// Save implements assert.Vault.
func (v *vault) Save(ctx context.Context, data []byte, version uint64) error {
	sealed := []byte(v.box.Seal(vaultKey, data, nil))
	_, err := v.store.CompareAndSwap(ctx, vaultKey, version, sealed, 0)
	if errors.Is(err, state.ErrConflict) {
		return assert.ErrStale
	}
	return err
}

// sameSection tells whether two parts of configurations are the same.
func sameSection(a, b any) bool { return reflect.DeepEqual(a, b) }
