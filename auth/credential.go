package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"doorward/auth/policy"
	"doorward/auth/user"
	"doorward/internal/gate"
)

// Bearer says which tokens of a provider let programs pass (RFC 6750).
type Bearer struct {
	// Provider is whose tokens these are.
	Provider string
	// Audiences are those that the token must be for, Scopes those of which it must
	// have one; without Scopes all will do.
	Audiences, Scopes []string
	// Verify judges a token. It is asked once for each, until that ends, and may take
	// its time. ErrUnavailable when it cannot tell now; any other error is a token that
	// is not good.
	Verify func(ctx context.Context, token string, audiences []string) (Caller, error)
}

// ErrUnavailable is a token that cannot be judged now.
var ErrUnavailable = errors.New("the provider cannot be asked")

// Caller is whom a provider's token is about.
type Caller struct {
	// Person is whose account it is.
	Person *user.Person
	// Provider is the one that the token is from, Scopes are what it is for.
	Provider string
	Scopes   []string
	MFA      bool
	Expires  time.Time
}

// verifyTime is how long a provider's token may take to be verified.
const verifyTime = 10 * time.Second

// tokenPass is the right of a user's token.
type tokenPass struct {
	person *user.Person
	token  *user.Token
}

// UserName implements gate.Pass.
func (p *tokenPass) UserName() string { return p.person.View().User.Name }

// holds tells whether the token still is one, and still for the route.
func (p *tokenPass) holds(d *Doors, route string) bool {
	now, known := d.Tokens.Token(p.token.ID)
	if !known || !now.Opens(route, d.Now()) {
		return false
	}
	d.until(now.Expires)
	return true
}

// until notes when a token ends; zero is never.
func (d *Doors) until(end time.Time) {
	if !end.IsZero() {
		d.Until(end)
	}
}

// The schemes of the field Authorization (RFC 9110, section 11.6.2).
const (
	bearerScheme = "bearer "
	basicScheme  = "basic "
	// ourTokens is how our own tokens begin.
	ourTokens = "dw_"
	// maxCredential is the longest that is looked at.
	maxCredential = 32 << 10
)

// authorize lets pass by what Authorization says; known is false when that is nothing
// to this gate.
func (g *Gate) authorize(q *gate.Question, asked policy.Asked) (v gate.Verdict, known bool) {
	if !g.o.Tokens && !g.o.Basic && g.grants == nil {
		return v, false
	}
	value, ok := q.Fields.Field("authorization", 0)
	if !ok {
		return v, false
	}
	if _, twice := q.Fields.Field("authorization", 1); twice || len(value) > maxCredential {
		return g.badCredential(q, "invalid_request"), true
	}
	if token, ok := afterScheme(value, bearerScheme); ok {
		switch {
		case g.o.Tokens && isOurs(token):
			return g.byToken(q, token, asked), true
		case g.grants != nil && !isOurs(token):
			return g.byGrant(q, token, asked), true
		}
		return v, false
	}
	if encoded, ok := afterScheme(value, basicScheme); ok && g.o.Basic {
		var buf [256]byte
		return g.byToken(q, passwordIn(encoded, buf[:0]), asked), true
	}
	return v, false
}

// byToken lets pass by a token of a user.
func (g *Gate) byToken(q *gate.Question, secret []byte, asked policy.Asked) gate.Verdict {
	if g.d.Tokens == nil || !isOurs(secret) {
		return g.badCredential(q, "invalid_token")
	}
	person, token := g.d.Tokens.FindToken(secret)
	if token == nil || !token.Opens(g.o.Name, g.d.Now()) {
		return g.badCredential(q, "invalid_token")
	}
	g.d.until(token.Expires)
	view := person.View()
	pass, ok := view.Cache.Get(token).(*tokenPass)
	if !ok {
		pass = &tokenPass{person, token}
		view.Cache.Put(token, pass)
	}
	return g.judge(q, pass, holder{view: view}, asked)
}

// byGrant lets pass by a token of a provider.
func (g *Gate) byGrant(q *gate.Question, token []byte, asked policy.Asked) gate.Verdict {
	found := g.grants.find(token)
	if found == nil {
		var err error
		if found, err = g.verify(string(token)); err != nil {
			if errors.Is(err, ErrUnavailable) {
				return g.later(q)
			}
			g.d.Log.Debug("a token of a provider was refused",
				zap.String("route", g.o.Name), zap.Error(err))
			return g.badCredential(q, "invalid_token")
		}
		g.grants.keep(token, found)
	}
	if !found.enough {
		return g.badCredential(q, "insufficient_scope")
	}
	g.d.until(found.Expires)
	return g.judge(q, found, holder{found.Person.View(), found.MFA, found.Provider}, asked)
}

// verify asks all providers whose tokens the route takes. A token is good if one of
// them says so.
func (g *Gate) verify(token string) (*grant, error) {
	ctx, cancel := context.WithTimeout(context.Background(), verifyTime)
	defer cancel()
	var errs []error
	for i := range g.o.Bearer {
		b := &g.o.Bearer[i]
		c, err := b.Verify(ctx, token, b.Audiences)
		switch {
		case err != nil:
			errs = append(errs, err)
		case c.Person == nil || !g.d.Now().Before(c.Expires):
			errs = append(errs, errors.New("nobody's, or over"))
		default:
			return &grant{Caller: c, by: b, enough: b.enough(c.Scopes)}, nil
		}
	}
	return nil, errors.Join(errs...)
}

// takes tells whether the route, as a reload may have changed it, still takes a token that
// was verified. Which of the audiences it is for is not known: all must still do.
func (g *Gate) takes(p *grant) bool {
	return slices.ContainsFunc(g.o.Bearer, func(b Bearer) bool {
		for _, audience := range p.by.Audiences {
			if !slices.Contains(b.Audiences, audience) {
				return false
			}
		}
		return b.Provider == p.by.Provider && b.enough(p.Scopes)
	})
}

func (b *Bearer) enough(scopes []string) bool {
	return len(b.Scopes) == 0 || slices.ContainsFunc(scopes, func(s string) bool {
		return slices.Contains(b.Scopes, s)
	})
}

// carriesOurs tells whether Authorization has a token of ours in it: that is for no
// server to see, whatever lets the request pass.
func carriesOurs(fields gate.Fields) bool {
	for n := 0; ; n++ {
		value, more := fields.Field("authorization", n)
		if !more {
			return false
		}
		if token, ok := afterScheme(value, bearerScheme); ok && isOurs(token) {
			return true
		}
		if encoded, ok := afterScheme(value, basicScheme); ok {
			var buf [256]byte
			if isOurs(passwordIn(encoded, buf[:0])) {
				return true
			}
		}
	}
}

func isOurs(secret []byte) bool {
	return len(secret) > len(ourTokens) && string(secret[:len(ourTokens)]) == ourTokens
}

// afterScheme is what follows the scheme, which is in lower case and ends in a space.
func afterScheme(value []byte, scheme string) (rest []byte, ok bool) {
	if len(value) < len(scheme) {
		return nil, false
	}
	for i := range len(scheme) {
		c := value[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != scheme[i] {
			return nil, false
		}
	}
	rest = value[len(scheme):]
	for len(rest) > 0 && rest[0] == ' ' {
		rest = rest[1:]
	}
	return rest, true
}

// passwordIn decodes user and password of basic authentication (RFC 7617) into buf,
// and returns the password; nothing when it is none that could be ours.
func passwordIn(encoded, buf []byte) []byte {
	if len(encoded) > base64.StdEncoding.EncodedLen(cap(buf)) {
		return nil
	}
	n, err := base64.StdEncoding.Decode(buf[:cap(buf)], encoded)
	if err != nil {
		return nil
	}
	for i, c := range buf[:n] {
		if c == ':' {
			return buf[i+1 : n]
		}
	}
	return nil
}

// credentialStatus is the status that a kind of bad credential has (RFC 6750,
// section 3.1).
func credentialStatus(kind string) int {
	switch kind {
	case "invalid_request":
		return http.StatusBadRequest
	case "insufficient_scope":
		return http.StatusForbidden
	default:
		return http.StatusUnauthorized
	}
}
