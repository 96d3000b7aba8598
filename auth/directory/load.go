package directory

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"doorward/auth/user"
	"doorward/internal/safe"
	"doorward/state"
)

// event says what to read again. One has a single field.
type event struct {
	User  string           `json:"user,omitempty"`
	Group string           `json:"group,omitempty"`
	Token string           `json:"token,omitempty"` // the hash in its key
	Used  map[string]int64 `json:"used,omitempty"`  // such a hash -> seconds since 1970
}

// telling is the change that tells others of the event.
func (d *Directory) telling(e event) state.Change {
	data, _ := json.Marshal(e) // strings and numbers always have a form in JSON
	return d.events.Appending(data)
}

// followAgain is how long a follower waits after an error of the store.
const followAgain = time.Second

// follow reads again what changed after the position, until the context ends.
func (d *Directory) follow(ctx context.Context, position uint64) {
	for {
		var err error
		position, err = d.catchUp(ctx, position)
		if errors.Is(err, state.ErrTrimmed) {
			var newest uint64
			if newest, err = d.load(ctx); err == nil {
				position = newest
				continue
			}
		}
		if ctx.Err() != nil || errors.Is(err, state.ErrClosed) {
			return
		}
		d.log.Warn("users are not up to date: the store does not answer", zap.Error(err))
		select {
		case <-ctx.Done():
			return
		case <-time.After(followAgain):
		}
	}
}

// catchUp applies the events after the position and returns that of the last one
// that need not come again: one that panics would do so for ever.
func (d *Directory) catchUp(ctx context.Context, after uint64) (position uint64, err error) {
	defer safe.Recover(d.log, "directory: event")
	position = after
	for e, err := range d.events.Follow(ctx, after) {
		if err != nil {
			return position, err
		}
		position = e.Position
		if err := d.apply(ctx, e.Data); err != nil {
			return position - 1, err
		}
	}
	return position, nil
}

func (d *Directory) apply(ctx context.Context, data []byte) error {
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		d.log.Error("an event about users cannot be read", zap.Error(err))
		return nil
	}
	switch {
	case e.User != "":
		_, err := d.readUser(ctx, e.User)
		return err
	case e.Group != "":
		return d.readGroup(ctx, e.Group)
	case e.Token != "":
		return d.readToken(ctx, e.Token)
	}
	d.tokens.used(e.Used)
	return nil
}

// readUser brings the user in memory to what the store has, and returns the
// person, nil when there is none.
func (d *Directory) readUser(ctx context.Context, id string) (*user.Person, error) {
	news, err := d.readEntry(ctx, id)
	if news {
		d.changed(id)
	}
	return d.Person(id), err
}

// readEntry tells whether there was news.
func (d *Directory) readEntry(ctx context.Context, id string) (bool, error) {
	d.reading.Lock()
	defer d.reading.Unlock()
	entry, err := d.store.Get(ctx, userKey(id))
	if errors.Is(err, state.ErrNotFound) {
		return d.drop(id), nil
	}
	if err != nil {
		return false, err
	}
	return d.take(entry), nil
}

func (d *Directory) readGroup(ctx context.Context, name string) error {
	d.reading.Lock()
	defer d.reading.Unlock()
	_, err := d.store.Get(ctx, groupPrefix+name)
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.index.groups[name] = struct{}{}
	} else {
		delete(d.index.groups, name)
	}
	return nil
}

// take puts a user as it was read into memory, and tells whether that was news.
// What cannot be read is left as if it was not there: nobody gets in by it.
func (d *Directory) take(entry state.Entry) bool {
	r, err := decode(entry.Value)
	id := strings.TrimPrefix(entry.Key, userPrefix)
	if err != nil || r.ID != id {
		d.log.Error("a user in the store cannot be read", zap.String("id", id), zap.Error(err))
		return d.drop(id)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.index.byID[id]
	if old != nil && old.version == entry.Version {
		return false
	}
	a := &account{password: r.Password, version: entry.Version}
	view := d.mapping.view(&r.User)
	if old == nil {
		a.person = user.NewPerson(view)
	} else {
		a.person = old.person
		d.index.remove(old, old.user())
		a.person.Set(view)
	}
	d.index.add(a, &r.User)
	return true
}

// drop takes a user out of memory. Who still holds the person sees that it is
// disabled.
func (d *Directory) drop(id string) bool {
	d.mu.Lock()
	a := d.index.byID[id]
	if a != nil {
		gone := a.user().Clone()
		d.index.remove(a, a.user())
		gone.State = user.Disabled
		gone.Epoch++
		a.person.Set(user.NewView(&gone, nil, nil, nil))
	}
	d.mu.Unlock()
	d.tokens.dropUser(id)
	return a != nil
}

// load reads everything and returns the position that it is at least as new as.
// Tokens come before their users, so that one without a user is known to have lost
// it, and uses before tokens for the same reason.
func (d *Directory) load(ctx context.Context) (uint64, error) {
	position, news, err := d.loadAll(ctx)
	for _, id := range news {
		d.changed(id)
	}
	return position, err
}

func (d *Directory) loadAll(ctx context.Context) (position uint64, news []string, err error) {
	d.reading.Lock()
	defer d.reading.Unlock()
	if position, err = d.events.Newest(ctx); err != nil {
		return 0, nil, err
	}
	uses, err := d.loadUses(ctx)
	if err != nil {
		return 0, nil, err
	}
	tokens, err := d.loadTokens(ctx, uses)
	if err != nil {
		return 0, nil, err
	}
	groups := map[string]struct{}{}
	for entry, err := range d.store.All(ctx, groupPrefix) {
		if err != nil {
			return 0, nil, err
		}
		groups[strings.TrimPrefix(entry.Key, groupPrefix)] = struct{}{}
	}
	d.mu.Lock()
	d.index.groups = groups
	d.mu.Unlock()
	if news, err = d.loadUsers(ctx); err != nil {
		return 0, news, err
	}
	for _, t := range tokens {
		t.person = d.Person(t.UserID)
	}
	d.tokens.replace(tokens)
	return position, news, nil
}

// loadUsers returns the users that are not as they were.
func (d *Directory) loadUsers(ctx context.Context) (news []string, err error) {
	there := map[string]bool{}
	for entry, err := range d.store.All(ctx, userPrefix) {
		if err != nil {
			return news, err
		}
		id := strings.TrimPrefix(entry.Key, userPrefix)
		there[id] = true
		if d.take(entry) {
			news = append(news, id)
		}
	}
	for _, p := range d.All() {
		if id := p.View().User.ID; !there[id] && d.drop(id) {
			news = append(news, id)
		}
	}
	return news, nil
}

func (d *Directory) loadUses(ctx context.Context) (map[string]int64, error) {
	uses := map[string]int64{}
	for entry, err := range d.store.All(ctx, usedPrefix) {
		if err != nil {
			return nil, err
		}
		at, err := strconv.ParseInt(string(entry.Value), 10, 64)
		if err == nil {
			uses[strings.TrimPrefix(entry.Key, usedPrefix)] = at
		}
	}
	return uses, nil
}
