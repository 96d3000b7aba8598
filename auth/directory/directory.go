// Package directory keeps those who may sign in: users with their identities,
// groups, passwords and tokens, and the one-time links that make users.
//
// All of it is in the store, and in memory too, where it is read. A change is one
// write that the store does whole or not at all; names and identities are unique
// because each has a key of its own, which only one user can take. Every write adds
// an event to the store's log "users", by which the other instances on that store,
// and this one, learn what to read again.
//
// A [user.Person] is made once for a user and lives on through all changes: who
// holds one sees them. What the configuration says about groups comes with
// [Directory.Configure].
//
// The package hashes no passwords and decides nothing about access.
package directory

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"doorward/auth/user"
	"doorward/internal/safe"
	"doorward/state"
)

// logName is the store's log of changes, logKeep how many an instance may be behind
// before it has to read everything again.
const (
	logName = "users"
	logKeep = 10_000
)

// flushEvery is how often uses of tokens are written.
const flushEvery = time.Minute

// closeWithin bounds the last write.
const closeWithin = 5 * time.Second

// Options is what a directory is made of.
type Options struct {
	Store *state.Store     // where everything is; not closed
	Log   *zap.Logger      // nil: silent
	Now   func() time.Time // nil: time.Now
	// Mapping is the configuration's part in groups; Configure replaces it.
	Mapping Mapping
	// Changed, when not nil, is called after the view of a person was replaced, by
	// whatever instance, and after a user was deleted. It may be called by many
	// goroutines and may ask the directory, but should not take long.
	Changed func(userID string)
}

// Directory is all users on one store. Its methods may be called by many
// goroutines. Those without a context read memory.
type Directory struct {
	store   *state.Store
	events  *state.Log
	log     *zap.Logger
	now     func() time.Time
	changed func(string)

	// reading is held from before an entry is read from the store until it is in
	// memory, so that an older reading never replaces a newer one.
	reading sync.Mutex

	mu      sync.RWMutex
	index   index
	mapping mapping

	tokens tokens

	stop    context.CancelFunc
	running sync.WaitGroup
}

// Open reads the directory from the store and follows its changes until Close.
func Open(ctx context.Context, o Options) (*Directory, error) {
	d := &Directory{
		store: o.Store, events: o.Store.Log(logName, logKeep),
		log: o.Log, now: o.Now, changed: o.Changed,
		index: newIndex(), mapping: compile(o.Mapping),
	}
	if d.log == nil {
		d.log = zap.NewNop()
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.changed == nil {
		d.changed = func(string) {}
	}
	position, err := d.load(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.sweep(ctx); err != nil {
		return nil, err
	}
	background, stop := context.WithCancel(context.Background())
	d.stop = stop
	d.run("directory: follow", func() { d.follow(background, position) })
	d.run("directory: uses of tokens", func() { d.flushing(background) })
	return d, nil
}

func (d *Directory) run(name string, fn func()) {
	d.running.Add(1)
	safe.Go(d.log, name, func() {
		defer d.running.Done()
		fn()
	})
}

// Close stops following and writes the last uses of tokens. The store stays open.
func (d *Directory) Close() error {
	d.stop()
	d.running.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	return d.flush(ctx)
}

// Person returns the user with the ID, nil when there is none.
func (d *Directory) Person(id string) *user.Person {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.index.person(d.index.byID[id])
}

// ByName returns the user that a login means, nil when there is none: the one with
// that name as [Canonical] makes it, else the one with a password and that e-mail
// address, if there is just one, or one alone whose address is verified.
func (d *Directory) ByName(login string) *user.Person {
	name := Canonical(login)
	if name == "" {
		return nil
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if a := d.index.byName[name]; a != nil {
		return a.person
	}
	return d.index.person(d.index.byEmail(name))
}

// ByIdentity returns the user whom the provider's account signs in, nil when there
// is none. Nothing but the subject counts (OIDC-39).
func (d *Directory) ByIdentity(provider, subject string) *user.Person {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.index.person(d.index.byIdentity[identityOf{provider, subject}])
}

// All returns all users in the order of their names.
func (d *Directory) All() []*user.Person {
	d.mu.RLock()
	all := make([]*user.Person, 0, len(d.index.byID))
	for _, a := range d.index.byID {
		all = append(all, a.person)
	}
	d.mu.RUnlock()
	slices.SortFunc(all, func(a, b *user.Person) int {
		return cmp.Compare(a.View().User.Name, b.View().User.Name)
	})
	return all
}

// Len is how many users there are.
func (d *Directory) Len() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.index.byID)
}

// Password returns the hash of the user's password, empty when there is none.
func (d *Directory) Password(id string) string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if a := d.index.byID[id]; a != nil {
		return a.password
	}
	return ""
}
