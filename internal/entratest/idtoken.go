package entratest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	// mostGroups is how many a token has room for.
	mostGroups = 200
	// backdate is how far iat and nbf lie in the past.
	backdate = 5 * time.Minute
	// idTokenLife is an hour, counted from now.
	idTokenLife = time.Hour
)

// idToken makes one of version 2.0. It has no amr and no at_hash.
func (s *Server) idToken(q *asked, g *grant, nonce string) string {
	a, now := g.account, s.now()
	claims := map[string]any{
		"aud": q.app.ClientID, "iss": issuer(q.base, a.Tenant), "tid": a.Tenant, "ver": "2.0",
		"iat": now.Add(-backdate).Unix(), "nbf": now.Add(-backdate).Unix(),
		"exp": now.Add(idTokenLife).Unix(), "sub": pairwise(q.app, a),
		"aio": rand.Text(), "rh": "1." + rand.Text(), "uti": rand.Text(),
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if slices.Contains(g.scopes, "profile") {
		claims["oid"], claims["name"], claims["preferred_username"] = a.ID, a.Name, a.Username
	}
	if a.Guest {
		claims["idp"] = a.HomeIDP
	}
	if len(a.Roles) > 0 {
		claims["roles"] = a.Roles
	}
	g.optional(claims)
	a.addGroups(q.app, claims)
	return s.finish(claims, a)
}

// finish spoils what is to be spoiled, and signs.
func (s *Server) finish(claims map[string]any, a *account) string {
	signing := s.keys.of(a.Tenant)
	header := map[string]any{"typ": "JWT", "alg": "RS256", "kid": signing.kid, "x5t": signing.kid}
	replace(header, a.Token.Header)
	replace(claims, a.Token.Claims)
	if a.Token.ForeignKey {
		signing = s.keys.foreign
	}
	token := signing.sign(header, claims)
	if a.Token.Rewrite != nil {
		token = a.Token.Rewrite(token)
	}
	return token
}

func replace(members, others map[string]any) {
	for name, value := range others {
		if members[name] = value; value == nil {
			delete(members, name)
		}
	}
}

// pairwise is the user's sub for an app, which no other app sees.
func pairwise(app *App, a *account) string {
	h := sha256.Sum256([]byte(app.ClientID + "\n" + a.Tenant + "\n" + a.ID))
	return base64.RawURLEncoding.EncodeToString(h[:])
}

// loginHint is the opaque claim that names a user in later requests.
func loginHint(a *account) string {
	return "O." + base64.RawURLEncoding.EncodeToString([]byte("login_hint "+a.Tenant+a.ID))
}

// optional adds the claims that the app's registration asks for.
func (g *grant) optional(claims map[string]any) {
	a := g.account
	for _, name := range g.app.OptionalClaims {
		switch name {
		case "xms_edov":
			claims[name] = a.MailVerified
		case "acct":
			claims[name] = 0
			if a.Guest {
				claims[name] = 1
			}
		case "sid":
			claims[name] = g.session.id
		case "login_hint":
			claims[name] = loginHint(a)
		case "auth_time":
			claims[name] = g.session.since.Unix()
		case "upn":
			claims[name] = a.Username
		case "acrs":
			if g.session.mfa {
				claims[name] = []string{"c1"}
			}
		case "verified_primary_email":
			if a.MailVerified {
				claims[name] = []string{a.Mail}
			}
		}
	}
	wanted := slices.Contains(g.scopes, "email") || slices.Contains(g.app.OptionalClaims, "email")
	if a.Mail != "" && (wanted || a.Guest) {
		claims["email"] = a.Mail
	}
}

// addGroups names the groups or, where they are too many, where to ask for them:
// at an address of old that nobody should follow.
func (a *account) addGroups(app *App, claims map[string]any) {
	groups := slices.Clone(a.Groups)
	if app.Groups == AssignedGroups {
		groups = slices.DeleteFunc(groups, func(id string) bool {
			return !slices.Contains(app.Assigned, id)
		})
	}
	if app.Groups == AllGroups && len(a.DirectoryRoles) > 0 {
		claims["wids"] = a.DirectoryRoles
	}
	switch {
	case app.Groups == "" || len(groups) == 0:
	case a.Overage || len(groups) > mostGroups:
		claims["_claim_names"] = map[string]any{"groups": "src1"}
		claims["_claim_sources"] = map[string]any{"src1": map[string]any{"endpoint": "https://" +
			"graph.windows.net/" + a.Tenant + "/users/" + a.ID + "/getMemberObjects"}}
	default:
		claims["groups"] = groups
	}
}

// API is what an access token for an API of one's own says.
type API struct {
	// User is the person by name or id; empty: the app acts for itself.
	User string
	// ClientID is the app that asks.
	ClientID string
	// Audience is the API's client id.
	Audience string
	// Scopes are what the person lets the app do, Roles what the app may do by
	// itself or the person's roles.
	Scopes, Roles []string
	// Claims replace others; nil takes one away.
	Claims map[string]any
	// Tenant is where an app without a person is; empty: the first.
	Tenant string
}

// APIToken makes an access token for an API, as an app would get it: a JWT of
// version 2.0 that lives for an hour.
func (s *Server) APIToken(t testing.TB, api API) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &account{User: User{Tenant: api.Tenant}}
	if a.Tenant == "" {
		a.Tenant = s.tenants[0].ID
	}
	if api.User != "" {
		a = s.mustUser(t, api.User)
	}
	return s.apiToken(&asked{base: s.URL, app: &App{ClientID: api.ClientID}}, a, api)
}

func (s *Server) apiToken(q *asked, a *account, api API) string {
	now := s.now()
	claims := map[string]any{
		"aud": api.Audience, "iss": issuer(q.base, a.Tenant), "tid": a.Tenant, "ver": "2.0",
		"iat": now.Add(-backdate).Unix(), "nbf": now.Add(-backdate).Unix(),
		"exp": now.Add(time.Hour).Unix(), "azp": q.app.ClientID, "azpacr": "1",
		"sub": pairwise(&App{ClientID: api.Audience}, a), "uti": rand.Text(),
	}
	if a.ID != "" {
		claims["oid"], claims["name"], claims["preferred_username"] = a.ID, a.Name, a.Username
	} else { // the service principal of the app
		claims["oid"] = guid(a.Tenant, q.app.ClientID)
		claims["sub"] = claims["oid"]
	}
	if len(api.Scopes) > 0 {
		claims["scp"] = strings.Join(api.Scopes, " ")
	}
	if roles := slices.Concat(a.Roles, api.Roles); len(roles) > 0 {
		claims["roles"] = roles
	}
	replace(claims, api.Claims)
	signing := s.keys.of(a.Tenant)
	return signing.sign(map[string]any{"typ": "JWT", "alg": "RS256", "kid": signing.kid}, claims)
}

// Sign makes a token of any claims with the key that signs for organizations;
// header replaces members of a good one, as in [Token].
func (s *Server) Sign(header, claims map[string]any) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.finish(maps.Clone(claims), &account{User: User{Token: Token{Header: header}}})
}
