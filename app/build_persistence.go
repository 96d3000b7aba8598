package app

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"doorward/config"
	"doorward/proxy"
	"doorward/proxy/backend"
	"doorward/proxy/stick"
	"doorward/stats"
)

// buildPersistence makes the stick tables and cookies of the backends. A table goes
// on with what that of the previous generation knows.
func (g *generation) buildPersistence(previous *generation) error {
	g.persistence = map[string]proxy.Persistence{}
	var errs []error
	for _, c := range sortedBackends(g.cfg) {
		b := g.backends[c.Name]
		if b == nil {
			continue
		}
		var p proxy.Persistence
		if c.Stick != nil {
			var old *stick.Table
			if previous != nil {
				old = previous.persistence[c.Name].Table
			}
			p.On = keyOf(c.Stick.On)
			p.Table = newStick(c.Stick, p.On, old)
		}
		if c.Cookie != nil {
			cookie, err := g.affinityCookie(c, b)
			errs = append(errs, placed(g.cfg.At("backends", c.Name, "cookie"), err))
			p.Cookie = cookie
		}
		g.persistence[c.Name] = p
	}
	return errors.Join(errs...)
}

func newStick(c *config.Stick, on proxy.Key, old *stick.Table) *stick.Table {
	return stick.New(stick.Options{
		On: string(c.On), Text: on.Kind != proxy.ByAddress, IPv6Prefix: c.IPv6Prefix,
		Size: int(c.Size), Expire: time.Duration(c.Expire), Refuse: c.Full == "refuse",
	}, old)
}

// keyOf translates what clients are told apart by, or a balance word.
func keyOf(s config.Selector) proxy.Key {
	k := proxy.Key{Name: s.Name()}
	switch s.Kind() {
	case "src", "source":
		k.Kind = proxy.ByAddress
	case "uri":
		k.Kind = proxy.ByPath
	case "cookie":
		k.Kind = proxy.ByCookie
	case "header":
		k.Kind, k.Name = proxy.ByField, strings.ToLower(k.Name)
	case "user":
		k.Kind = proxy.ByUser
	}
	return k
}

// affinityCookie makes the persistence cookie of a backend. A server without a value
// of its own gets an opaque one: the same after a restart, and for all nodes that
// share the store.
func (g *generation) affinityCookie(c *config.Backend, b *backend.Backend) (*proxy.AffinityCookie, error) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	secret, err := g.store.Secret(ctx, "persistence-cookie")
	if err != nil {
		return nil, err
	}
	o := c.Cookie
	a := &proxy.AffinityCookie{
		Name: o.Name, Attributes: attributes(o), Indirect: o.Indirect, Private: o.NoCache,
		MaxIdle: time.Duration(o.MaxIdle), MaxLife: time.Duration(o.MaxLife),
	}
	for _, s := range b.Servers() {
		value := s.Cookie()
		if value == "" {
			value = opaqueValue(secret, c.Name, s.Name())
		}
		a.Bind(s, value)
	}
	return a, nil
}

// opaqueBytes is how much of a digest stands in a cookie.
const opaqueBytes = 10

func opaqueValue(secret []byte, backendName, server string) string {
	h := hmac.New(sha256.New, secret)
	fmt.Fprintf(h, "%s/%s", backendName, server)
	text := base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil)[:opaqueBytes])
	return strings.ToLower(text)
}

// attributes are those of the cookie on the wire (RFC 6265, section 4.1).
func attributes(c *config.Cookie) string {
	text := "; Path=/"
	if c.Domain != "" {
		text += "; Domain=" + c.Domain
	}
	if c.HTTPOnly {
		text += "; HttpOnly"
	}
	if c.Secure {
		text += "; Secure"
	}
	switch c.SameSite {
	case "lax":
		text += "; SameSite=Lax"
	case "strict":
		text += "; SameSite=Strict"
	case "none":
		text += "; SameSite=None"
	}
	return text
}

func viewStick(t *stick.Table, now time.Time) *stats.Stick {
	o, n := t.Options(), t.Counters()
	return &stats.Stick{
		On: o.On, Size: int64(t.Size()), Used: int64(t.Len(now)), Expire: o.Expire,
		Matched: n.Matched, Stored: n.Stored, Evicted: n.Evicted, Refused: n.Refused,
	}
}
