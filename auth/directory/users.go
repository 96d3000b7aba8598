package directory

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"doorward/auth/user"
	"doorward/state"
)

// attempts is how often a change is made again that others came before.
const attempts = 50

// randomID is a letter and 26 characters of base32, which nobody guesses or meets
// again.
func randomID(letter string) string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails, by its documentation
	return letter + strings.ToLower(
		base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw[:]))
}

// Create adds a user, whose name it makes [Canonical] and whose ID, Created and
// Epoch it sets; no State is Active. It has no password yet. ErrTaken when another
// user has the name or an identity: accounts are never joined for being called
// alike; by then that user is known here. ErrInvalid for what no user can be.
func (d *Directory) Create(ctx context.Context, u user.User) (*user.Person, error) {
	r := record{User: u.Clone()}
	r.ID, r.Created, r.Epoch = randomID("u"), d.now().UTC(), 1
	if r.State == "" {
		r.State = user.Active
	}
	if err := r.settle(); err != nil {
		return nil, err
	}
	data, err := r.encode()
	if err != nil {
		return nil, err
	}
	changes := []state.Change{state.Put(userKey(r.ID), data, 0).If(0)}
	for _, key := range r.claims() {
		changes = append(changes, state.Put(key, []byte(r.ID), 0).If(0))
	}
	changes = append(changes, d.telling(event{User: r.ID}))
	if _, err := d.store.Write(ctx, changes...); err != nil {
		if key := conflicted(err); key != "" {
			d.meet(ctx, key)
			return nil, r.taken(key)
		}
		return nil, err
	}
	return d.reread(ctx, r.ID)
}

// meet brings the user into memory who has a key. Word of somebody who was made this
// moment may still be on its way, and whoever asks next must find out who it is.
func (d *Directory) meet(ctx context.Context, key string) {
	holder, err := d.store.Get(ctx, key)
	if err == nil {
		_, err = d.readUser(ctx, string(holder.Value))
	}
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		d.log.Warn("a user whose name or identity is taken cannot be read", zap.Error(err))
	}
}

// Update changes a user and returns its person, or ErrNotFound. It may call change
// several times, each with the user as it is by then; an error of change is
// returned as it is, and nothing was changed. ID and Created stay what they are,
// and the password has [Directory.SetPassword]. Who is no longer active has no
// session left when active again.
func (d *Directory) Update(
	ctx context.Context, id string, change func(*user.User) error,
) (*user.Person, error) {
	return d.edit(ctx, id, func(r *record) error { return change(&r.User) })
}

// EndSessions ends all sessions of a user, by its epoch.
func (d *Directory) EndSessions(ctx context.Context, id string) error {
	_, err := d.Update(ctx, id, func(u *user.User) error {
		u.Epoch++
		return nil
	})
	return err
}

// SetPassword replaces the hash of a user's password and ends all its sessions. No
// hash is no password. It is no longer one that must be changed.
func (d *Directory) SetPassword(ctx context.Context, id, phc string) error {
	_, err := d.edit(ctx, id, func(r *record) error {
		r.setPassword(phc)
		return nil
	})
	return err
}

func (r *record) setPassword(phc string) {
	r.Password, r.MustChange = phc, false
	r.Epoch++
}

// errEpoch ends an edit for an epoch that is over.
var errEpoch = errors.New("the epoch of the user is over")

// ChangePassword is SetPassword for an active user in an epoch, and tells whether it was
// still so.
func (d *Directory) ChangePassword(
	ctx context.Context, id string, epoch uint64, phc string,
) (bool, error) {
	_, err := d.edit(ctx, id, func(r *record) error {
		if r.Epoch != epoch || r.State != user.Active {
			return errEpoch
		}
		r.setPassword(phc)
		return nil
	})
	if errors.Is(err, errEpoch) {
		return false, nil
	}
	return err == nil, err
}

// Rehash replaces the hash of a password that stays the same: sessions live on.
// Nothing happens when the hash is no longer the old one.
func (d *Directory) Rehash(ctx context.Context, id, old, phc string) error {
	_, err := d.edit(ctx, id, func(r *record) error {
		if r.Password == old {
			r.Password = phc
		}
		return nil
	})
	return err
}

// Delete removes a user with its tokens. One that is not there is no error.
func (d *Directory) Delete(ctx context.Context, id string) error {
	for range attempts {
		r, version, err := d.fetch(ctx, id)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		changes := []state.Change{state.Delete(userKey(id)).If(version)}
		for _, key := range r.claims() {
			changes = append(changes, state.Delete(key))
		}
		for _, hash := range d.tokens.hashes(id) {
			changes = append(changes,
				state.Delete(tokenPrefix+hash), state.Delete(usedPrefix+hash))
		}
		_, err = d.store.Write(ctx, append(changes, d.telling(event{User: id}))...)
		if conflicted(err) != "" {
			continue
		}
		if err != nil {
			return err
		}
		_, err = d.reread(ctx, id)
		return err
	}
	return busy(id)
}

// edit is Update of the whole record.
func (d *Directory) edit(
	ctx context.Context, id string, change func(*record) error,
) (*user.Person, error) {
	for range attempts {
		old, version, err := d.fetch(ctx, id)
		if err != nil {
			return nil, err
		}
		next := old.clone()
		if err := change(&next); err != nil {
			return nil, err
		}
		if err := next.follows(&old, d.now()); err != nil {
			return nil, err
		}
		changes, err := rewrite(&old, &next, version)
		if err != nil {
			return nil, err
		}
		if len(changes) == 0 {
			return d.reread(ctx, id)
		}
		_, err = d.store.Write(ctx, append(changes, d.telling(event{User: id}))...)
		switch key := conflicted(err); {
		case key == userKey(id):
			continue
		case key != "":
			return nil, next.taken(key)
		case err != nil:
			return nil, err
		}
		return d.reread(ctx, id)
	}
	return nil, busy(id)
}

// follows settles what somebody made of old.
func (r *record) follows(old *record, now time.Time) error {
	r.ID, r.Created, r.EpochAt = old.ID, old.Created, old.EpochAt
	r.Epoch = max(r.Epoch, old.Epoch)
	if old.State == user.Active && r.State != user.Active {
		r.Epoch = max(r.Epoch, old.Epoch+1)
	}
	if r.Epoch != old.Epoch {
		r.EpochAt = now.UTC()
	}
	return r.settle()
}

// fetch reads the user from the store, since another instance may have been
// quicker than its event.
func (d *Directory) fetch(ctx context.Context, id string) (record, uint64, error) {
	entry, err := d.store.Get(ctx, userKey(id))
	if errors.Is(err, state.ErrNotFound) || errors.Is(err, state.ErrInvalid) {
		return record{}, 0, missing("user", id)
	}
	if err != nil {
		return record{}, 0, err
	}
	r, err := decode(entry.Value)
	if err != nil {
		return record{}, 0, fmt.Errorf("user %q in the store cannot be read: %w", id, err)
	}
	return r, entry.Version, nil
}

// reread brings a change that was made into memory, also when whoever asked for it
// has gone meanwhile.
func (d *Directory) reread(ctx context.Context, id string) (*user.Person, error) {
	return d.readUser(context.WithoutCancel(ctx), id)
}

func busy(id string) error {
	return fmt.Errorf("user %q: %w, %d times in a row", id, state.ErrConflict, attempts)
}

// Groups returns the names of all groups, sorted: those that were made, those that
// have members, and those of the configuration.
func (d *Directory) Groups() []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	names := slices.Clone(d.mapping.names)
	for name := range d.index.groupNames() {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
