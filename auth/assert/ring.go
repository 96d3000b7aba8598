package assert

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// ring is all keys at one moment. It does not change.
type ring struct {
	keys []*key // of each algorithm in the order of their time
	set  []byte // the public ones, as RFC 7517 writes them
}

func newRing(list []*key) (*ring, error) {
	var set jose.JSONWebKeySet
	for _, k := range list {
		set.Keys = append(set.Keys, jose.JSONWebKey{
			Key: k.private.Public(), KeyID: k.id, Algorithm: string(k.alg), Use: "sig",
		})
	}
	data, err := json.Marshal(set)
	if err != nil {
		return nil, err
	}
	return &ring{list, data}, nil
}

// current is the newest key whose time has come. The oldest signs where the clock is
// behind all of them.
func (r *ring) current(alg Algorithm, now time.Time) (found *key) {
	for _, k := range r.keys {
		if k.alg == alg && (found == nil || !now.Before(k.from)) {
			found = k
		}
	}
	return found
}

// JWKS answers with the public keys (RFC 7517, section 5).
func (k *Keys) JWKS() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method == http.MethodGet {
			// Whoever went away needs no keys.
			_, _ = w.Write(k.ring.Load().set)
		}
	})
}
