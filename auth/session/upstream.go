package session

import (
	"context"
	"errors"
	"time"

	"doorward/state"
)

// leftLife is how long it is known that somebody signed out at a provider: longer than a
// sign-in takes from the provider's answer to the session.
const leftLife = 5 * time.Minute

const signedOutThere = "signed out at the provider"

// SignedOut ends what a provider says is over, and tells how many sessions that were:
// those that it knows by a name, or without one all of an account. A sign-in under way is
// over too, unless its proof is younger; an error says that this could not be noted, and
// the sessions have ended all the same.
func (m *Manager) SignedOut(ctx context.Context, provider, sid, subject string) (int, error) {
	key, which := leftSession(provider, sid), ofUpstream(provider, sid)
	if sid == "" {
		key, which = leftAccount(provider, subject), ofSubject(provider, subject)
	}
	// First, so that who begins meanwhile sees it, or is among those that end.
	_, err := m.store.Set(ctx, key, []byte(m.now().UTC().Format(time.RFC3339Nano)), leftLife)
	return m.end(ctx, m.list(which), signedOutThere), err
}

// EndUpstream ends the sessions that a provider knows by this name, on the word of a
// browser: nothing is noted, which anybody could have us do.
func (m *Manager) EndUpstream(ctx context.Context, provider, sid string) int {
	return m.end(ctx, m.list(ofUpstream(provider, sid)), signedOutThere)
}

func leftSession(provider, sid string) string {
	return leftPrefix + hashed("sid\x00"+provider+"\x00"+sid)
}

func leftAccount(provider, subject string) string {
	return leftPrefix + hashed("sub\x00"+provider+"\x00"+subject)
}

// overThere tells whether the account of a session that has just begun has signed out at
// its provider since the proof of it began.
func (m *Manager) overThere(ctx context.Context, o *Start) (bool, error) {
	if o.Since.IsZero() {
		return false, nil
	}
	keys := []string{leftAccount(o.Provider, o.Subject)}
	if o.UpstreamSID != "" {
		keys = append(keys, leftSession(o.Provider, o.UpstreamSID))
	}
	for _, key := range keys {
		e, err := m.store.Get(ctx, key)
		if errors.Is(err, state.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		at, err := time.Parse(time.RFC3339Nano, string(e.Value))
		if err != nil || at.After(o.Since) {
			return true, nil // what cannot be read may say so
		}
	}
	return false, nil
}
