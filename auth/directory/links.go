package directory

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"doorward/state"
)

// Link is what a one-time secret is good for: the first administrator, an
// invitation.
type Link struct {
	// Purpose is the user's of the link: who asks for one compares it.
	Purpose string `json:"purpose"`
	// UserID is whom the link is for, empty for somebody new.
	UserID string `json:"user,omitempty"`
	// Groups are those that somebody new will be in.
	Groups []string `json:"groups,omitempty"`
	// Expires is when the link ends. It has to end.
	Expires time.Time `json:"expires"`
}

// CreateLink makes a link and returns its secret of 43 characters; the store has a
// hash.
func (d *Directory) CreateLink(ctx context.Context, l Link) (string, error) {
	ttl := l.Expires.Sub(d.now())
	if ttl <= 0 {
		return "", invalid("a link has to end, and not before it begins")
	}
	data, err := json.Marshal(l)
	if err != nil {
		return "", invalid("link for %q: %s", l.Purpose, err)
	}
	var raw [tokenBytes]byte
	_, _ = rand.Read(raw[:]) // never fails, by its documentation
	secret := base64.RawURLEncoding.EncodeToString(raw[:])
	_, err = d.store.Write(ctx, state.Put(linkKey(secret), data, ttl).If(0))
	if err != nil {
		return "", err
	}
	return secret, nil
}

func linkKey(secret string) string { return linkPrefix + hashOf([]byte(secret)).text() }

// PeekLink returns what a secret is good for and leaves it so, or ErrNotFound.
// Pages show it, since readers of mail open links before people do.
func (d *Directory) PeekLink(ctx context.Context, secret string) (Link, error) {
	l, _, err := d.fetchLink(ctx, linkKey(secret))
	return l, err
}

// UseLink ends a link and returns it, to one caller ever; ErrNotFound to the others.
func (d *Directory) UseLink(ctx context.Context, secret string) (Link, error) {
	key := linkKey(secret)
	l, version, err := d.fetchLink(ctx, key)
	if err != nil {
		return Link{}, err
	}
	_, err = d.store.Write(ctx, state.Delete(key).If(version))
	if conflicted(err) != "" {
		return Link{}, errNoLink()
	}
	if err != nil {
		return Link{}, err
	}
	return l, nil
}

// EndLinks ends all links for the purpose and user, so that only a newer one is
// good.
func (d *Directory) EndLinks(ctx context.Context, purpose, userID string) error {
	for entry, err := range d.store.All(ctx, linkPrefix) {
		if err != nil {
			return err
		}
		var l Link
		if json.Unmarshal(entry.Value, &l) != nil || l.Purpose != purpose || l.UserID != userID {
			continue
		}
		if err := d.store.Delete(ctx, entry.Key); err != nil {
			return err
		}
	}
	return nil
}

// fetchLink looks at the time itself: the store's clock may be another.
func (d *Directory) fetchLink(ctx context.Context, key string) (Link, uint64, error) {
	entry, err := d.store.Get(ctx, key)
	if errors.Is(err, state.ErrNotFound) {
		return Link{}, 0, errNoLink()
	}
	if err != nil {
		return Link{}, 0, err
	}
	var l Link
	if json.Unmarshal(entry.Value, &l) != nil || !d.now().Before(l.Expires) {
		return Link{}, 0, errNoLink()
	}
	return l, entry.Version, nil
}

func errNoLink() error { return fmt.Errorf("link: %w", ErrNotFound) }
