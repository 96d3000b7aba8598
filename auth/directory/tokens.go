package directory

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"doorward/auth/user"
	"doorward/state"
)

// maxTokens is how many tokens a user may have, so that a user with all of them is
// deleted in one write.
const maxTokens = 200

// endedKeep is how long tokens that have ended are shown before they are removed.
const endedKeep = 30 * 24 * time.Hour

// CreateToken makes a token for t.UserID with t's Title, Routes and Expires, and
// returns its secret: "dw_", 43 characters and a check sum of 6. It is told only
// now; the store has a hash.
func (d *Directory) CreateToken(ctx context.Context, t user.Token) (string, user.Token, error) {
	if d.Person(t.UserID) == nil {
		return "", user.Token{}, missing("user", t.UserID)
	}
	if n := len(d.tokens.hashes(t.UserID)); n >= maxTokens {
		return "", user.Token{}, invalid("the user has %d tokens already, at most %d", n, maxTokens)
	}
	var raw [tokenBytes]byte
	_, _ = rand.Read(raw[:]) // never fails, by its documentation
	secret := writeSecret(raw)
	hash := hashOf([]byte(secret))
	t.ID, t.Title = randomID("t"), cleanTitle(t.Title)
	t.Created, t.LastUsed, t.Routes = d.now().UTC(), time.Time{}, slices.Clone(t.Routes)
	data, err := json.Marshal(t)
	if err != nil {
		return "", user.Token{}, invalid("token %q: %s", t.Title, err)
	}
	_, err = d.store.Write(ctx,
		state.Put(tokenPrefix+hash.text(), data, 0).If(0), d.telling(event{Token: hash.text()}))
	if err != nil {
		return "", user.Token{}, err
	}
	return secret, t, d.readToken(context.WithoutCancel(ctx), hash.text())
}

// FindToken returns whose secret it is, and the token; nil unless the token has not
// ended and its user is active. It notes the use. It allocates nothing, and does
// not change its argument. Which routes are open is the token's to say.
func (d *Directory) FindToken(secret []byte) (*user.Person, *user.Token) {
	if !wellFormed(secret) {
		return nil, nil
	}
	t := d.tokens.find(hashOf(secret))
	if t == nil || t.person == nil || t.person.View().User.State != user.Active {
		return nil, nil
	}
	now := d.now()
	if !t.Expires.IsZero() && !now.Before(t.Expires) {
		return nil, nil
	}
	d.tokens.touch(t, now.Unix())
	return t.person, &t.Token
}

// Tokens returns the tokens of a user, the newest first, also those that have
// ended. LastUsed is exact to a minute, on several instances to two.
func (d *Directory) Tokens(userID string) []user.Token {
	list := d.tokens.of(userID)
	slices.SortFunc(list, func(a, b user.Token) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// DeleteToken removes a token by its ID, or returns ErrNotFound. Whose it is may
// be asked with Token before.
func (d *Directory) DeleteToken(ctx context.Context, id string) error {
	t := d.tokens.byID(id)
	if t == nil {
		return missing("token", id)
	}
	hash := t.hash.text()
	_, err := d.store.Write(ctx, state.Delete(tokenPrefix+hash), state.Delete(usedPrefix+hash),
		d.telling(event{Token: hash}))
	if err != nil {
		return err
	}
	return d.readToken(context.WithoutCancel(ctx), hash)
}

// Token returns a token by its ID, false when there is none.
func (d *Directory) Token(id string) (user.Token, bool) {
	t := d.tokens.byID(id)
	if t == nil {
		return user.Token{}, false
	}
	return t.shown(), true
}

// readToken brings a token in memory to what the store has. What one that is gone has
// opened is looked at.
func (d *Directory) readToken(ctx context.Context, hash string) error {
	gone, err := d.rereadToken(ctx, hash)
	if gone != nil {
		d.changed(gone.UserID)
	}
	return err
}

// rereadToken returns the token that is no longer there, nil if there was none.
func (d *Directory) rereadToken(ctx context.Context, hash string) (gone *token, err error) {
	d.reading.Lock()
	defer d.reading.Unlock()
	entry, err := d.store.Get(ctx, tokenPrefix+hash)
	if errors.Is(err, state.ErrNotFound) {
		return d.tokens.drop(hash), nil
	}
	if err != nil {
		return nil, err
	}
	t := d.decodeToken(entry)
	if t == nil {
		return d.tokens.drop(hash), nil
	}
	t.person = d.Person(t.UserID)
	d.tokens.put(t)
	return nil, nil
}

// decodeToken returns nil for what is no token.
func (d *Directory) decodeToken(entry state.Entry) *token {
	t := new(token)
	hash, ok := parseHash(strings.TrimPrefix(entry.Key, tokenPrefix))
	err := json.Unmarshal(entry.Value, &t.Token)
	if !ok || err != nil {
		d.log.Error("a token in the store cannot be read", zap.Error(err))
		return nil
	}
	t.hash = hash
	return t
}

func (d *Directory) loadTokens(ctx context.Context, uses map[string]int64) ([]*token, error) {
	var list []*token
	for entry, err := range d.store.All(ctx, tokenPrefix) {
		if err != nil {
			return nil, err
		}
		if t := d.decodeToken(entry); t != nil {
			t.lastUsed.Store(uses[t.hash.text()])
			list = append(list, t)
		}
	}
	return list, nil
}
