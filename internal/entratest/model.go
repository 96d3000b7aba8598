package entratest

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Tenant is a directory.
type Tenant struct {
	// ID is a GUID, Domain another name for it in paths.
	ID, Domain string
}

// App is an app registration.
type App struct {
	// ClientID is its name on the wire.
	ClientID string
	// Tenant is the id of its home; empty: the first tenant.
	Tenant string
	// Multi lets accounts of every organization sign in, through "organizations"
	// and "common" or their own tenant.
	Multi bool
	// Secrets of which one must be shown; ExpiredSecrets are known but refused.
	Secrets, ExpiredSecrets []string
	// Certificates whose keys may sign the app's assertions.
	Certificates []*x509.Certificate
	// Federated are other issuers whose tokens stand for a secret.
	Federated []Federated
	// RedirectURIs are compared exactly, but for the port of localhost. Signing
	// out leads to them too.
	RedirectURIs []string
	// LogoutURL gets the front-channel logout; empty: none.
	LogoutURL string
	// OptionalClaims are added to ID tokens by name: email, xms_edov, acct, sid,
	// login_hint, auth_time, upn, verified_primary_email and the like.
	OptionalClaims []string
	// Groups says which groups the tokens name.
	Groups GroupClaims
	// Assigned are the ids of groups that are assigned to the app, for
	// AssignedGroups.
	Assigned []string
}

// GroupClaims is the groupMembershipClaims of an app.
type GroupClaims string

// The kinds of it. The zero value is none.
const (
	SecurityGroups GroupClaims = "SecurityGroup"
	AssignedGroups GroupClaims = "ApplicationGroup"
	AllGroups      GroupClaims = "All"
)

// Federated is a federated credential: a token with these claims, signed by this
// key, is as good as a secret.
type Federated struct {
	// Issuer, Subject and Audience must be equal, in upper and lower case too.
	Issuer, Subject, Audience string
	// Key verifies the signature.
	Key crypto.PublicKey
}

// User is an account in a tenant.
type User struct {
	// Username is the user principal name, which the sign-in form takes.
	Username string
	// Tenant is its tenant's id; empty: the first.
	Tenant string
	// ID is the object id; empty: one made of tenant and user name.
	ID string
	// Password; empty: any will do.
	Password string
	// Name is the display name, Mail the address. It may be anybody's: only
	// MailVerified says that the tenant owns its domain.
	Name, Mail   string
	MailVerified bool
	// Groups are the ids of all groups, nested ones included, Roles the app roles,
	// DirectoryRoles the template ids of administrators' roles.
	Groups, Roles, DirectoryRoles []string
	// Overage leaves the groups out of tokens however few they are.
	Overage bool
	// Guest is an account whose home is elsewhere, HomeIDP the issuer there.
	Guest   bool
	HomeIDP string
	// Disabled, NotAssigned and Blocked accounts may not sign in: because the
	// account is off, because the app is not for it, by Conditional Access.
	Disabled, NotAssigned, Blocked bool
	// MFA must be shown once per session; Consent once per app.
	MFA, Consent bool
	// Challenged makes Graph refuse the user's tokens until it signs in again.
	Challenged bool
	// Photo is a JPEG; nil: none.
	Photo []byte
	// Token changes the ID tokens.
	Token Token
}

// Token says how ID tokens differ from good ones, mostly for the worse.
type Token struct {
	// Header and Claims replace members of the token, or add them; nil takes one
	// away. The header's alg decides the signature: RS256, HS256 with the public
	// key for a secret, or none.
	Header, Claims map[string]any
	// ForeignKey signs with a key that is published nowhere, under the right kid.
	ForeignKey bool
	// Omit leaves the ID token out of the answer.
	Omit bool
	// Rewrite changes the finished token, without asking the server; nil: not.
	Rewrite func(string) string
}

// account is a user with what the directory knows besides.
type account struct {
	User
	epoch     int             // grants of an earlier one are revoked
	consented map[string]bool // by client id
}

// AddApp registers an app.
func (s *Server) AddApp(t testing.TB, a App) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.Tenant == "" {
		a.Tenant = s.tenants[0].ID
	}
	if a.ClientID == "" || s.app(a.ClientID) != nil {
		t.Fatalf("an app needs a client id of its own, has %q", a.ClientID)
	}
	s.apps = append(s.apps, &a)
}

// AddUser adds an account.
func (s *Server) AddUser(t testing.TB, u User) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.Tenant == "" {
		u.Tenant = s.tenants[0].ID
	}
	if u.ID == "" {
		u.ID = guid(u.Tenant, u.Username)
	}
	if u.Username == "" || s.user(u.ID) != nil {
		t.Fatalf("a user needs a name and an id of its own, has %q and %q", u.Username, u.ID)
	}
	s.users = append(s.users, &account{User: u, consented: map[string]bool{}})
}

// ChangeApp changes an app by its client id, for requests from now on. The
// function must not ask the server.
func (s *Server) ChangeApp(t testing.TB, clientID string, change func(*App)) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.app(clientID)
	if a == nil {
		t.Fatalf("no app %q", clientID)
	}
	change(a)
}

// ChangeUser changes a user by its object id or its name, the first of that
// name, for requests from now on. The function must not ask the server.
func (s *Server) ChangeUser(t testing.TB, user string, change func(*User)) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.mustUser(t, user).User)
}

// User is a user by its object id or its name, as it is now.
func (s *Server) User(t testing.TB, user string) User {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mustUser(t, user).User
}

// Revoke ends a user's sessions at the provider and all its refresh tokens, as
// "revoke sessions" and an administrator's new password do.
func (s *Server) Revoke(t testing.TB, user string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.mustUser(t, user)
	a.epoch++
	for id, open := range s.sessions {
		if open.account == a {
			delete(s.sessions, id)
		}
	}
}

func (s *Server) mustUser(t testing.TB, user string) *account {
	t.Helper()
	a := s.user(user)
	if a == nil {
		t.Fatalf("no user %q", user)
	}
	return a
}

func (s *Server) app(clientID string) *App {
	i := slices.IndexFunc(s.apps, func(a *App) bool { return a.ClientID == clientID })
	if i < 0 {
		return nil
	}
	return s.apps[i]
}

// user is one by id or name, nil without one.
func (s *Server) user(name string) *account {
	for _, a := range s.users {
		if a.ID == name || strings.EqualFold(a.Username, name) {
			return a
		}
	}
	return nil
}

// userAt is the one whom a name means at a sign-in page: of the page's tenant, or
// where the page is for all, at home. Name may be a login_hint claim.
func (s *Server) userAt(tenant, name string) *account {
	var found *account
	for _, a := range s.users {
		if !strings.EqualFold(a.Username, name) && loginHint(a) != name {
			continue
		}
		if a.Tenant == tenant || tenant == "" && !a.Guest {
			return a
		}
		found = a
	}
	return found
}

// tenantID is the id that a path means: empty for those of several tenants, and
// false for one that nobody knows.
func (s *Server) tenantID(name string) (string, bool) {
	switch name {
	case "organizations", "common":
		return "", true
	case "consumers", ConsumersID:
		return ConsumersID, true
	}
	for _, t := range s.tenants {
		if t.ID == name || t.Domain == name {
			return t.ID, true
		}
	}
	return "", false
}

// guid is an id that is always the same for the same words.
func guid(words ...string) string {
	h := sha256.Sum256([]byte(strings.Join(words, "\n")))
	h[6], h[8] = h[6]&0x0f|0x40, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
