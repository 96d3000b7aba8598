package portal

import (
	"context"
	"net/http"
	"time"

	"go.uber.org/zap"

	"doorward/auth/audit"
	"doorward/auth/directory"
	"doorward/auth/local"
	"doorward/auth/oidc"
	"doorward/auth/page"
	"doorward/auth/seal"
	"doorward/auth/session"
	"doorward/auth/user"
)

// Options is what a Portal is made of. Its functions may be called by many
// goroutines.
type Options struct {
	// Host is the sign-in host, with its port unless that is 443. All addresses that
	// the Portal gives away begin with it, whatever the request said.
	Host string
	// CookieDomain makes one cookie good for a whole domain; empty gives every host
	// its own.
	CookieDomain string
	// LocalUsers says that people sign in with a password of ours, too. Without them
	// there is no form, no page for passwords and no set-up by link.
	LocalUsers bool
	// MinLength is the shortest password, for the pages to say; 0 says nothing.
	MinLength int
	// Providers are where people sign in otherwise, in the order to show.
	Providers []Provider

	// Destinations judges return addresses.
	Destinations Destinations
	// Apps are the applications that somebody may open, in the order to show.
	Apps func(v *user.View) []page.App
	// Routes are what tokens of somebody may be limited to; nil gives no choice.
	Routes func(v *user.View) []page.Choice
	// Title is what the pages call a group; nil is its name.
	Title func(group string) string
	// Rechecks knows where sessions may begin, under the configuration of now; nil is
	// everywhere.
	Rechecks *Rechecks
	// Reserved tells whether a rule names this user name: then no account that a
	// provider makes gets it, unless the provider's names are trusted. Nil is none.
	Reserved func(name string) bool
	// Secure tells whether a request came by HTTPS, to us or to a proxy we trust; nil
	// is whether it did to us.
	Secure func(r *http.Request) bool

	// Box seals what goes to providers and back, and knows what gates have signed.
	Box *seal.Box
	// Sessions and Directory are those that the gates look at.
	Sessions  *session.Manager
	Directory *directory.Directory
	// Pages renders.
	Pages *page.Pages
	// Audit is told who did what; nil is not.
	Audit *audit.Recorder
	// Loops and Floods remember what must outlive a reload.
	Loops  *Loops
	Floods *Floods
	// Local and Hasher are needed with LocalUsers only.
	Local  *local.Local
	Hasher *local.Hasher
	// Consents remembers who has agreed to what a route asks; nil asks nobody.
	Consents Consents

	Now func() time.Time // nil: time.Now
	Log *zap.Logger      // nil: silent
}

// Onboarding says what happens when somebody signs in for whom there is no account.
type Onboarding string

// The ways of onboarding. The zero value is Off.
const (
	Auto    Onboarding = "auto"    // an account is made
	Approve Onboarding = "approve" // one is made that waits for approval
	Off     Onboarding = "off"     // nobody gets in whom nobody has made an account
)

// Provider is a place where people sign in, and what holds for who comes from there.
type Provider struct {
	// Name is its name in the configuration, Type its kind (entra, oidc, github);
	// Title and Icon are for the pages.
	Name, Title, Icon, Type string

	// Client signs in there, Channel out; nil for Channel is that this cannot be done.
	Client  Client
	Channel Channel
	// Status tells how the sign-in there stands; nil is ready.
	Status func() oidc.Status

	// EmailDomains are those whose people sign in here, in lower case.
	EmailDomains []string
	Onboarding   Onboarding
	// Guests lets in accounts of other tenants.
	Guests bool
	// NamesTrusted says that only an administrator gives the names of accounts, as in
	// the one tenant of a company: they may then be those that rules name.
	NamesTrusted bool
	// LogoutThere ends the session at the provider as well.
	LogoutThere bool
	// Origin is where the provider's own pages are ("https://login.example.com"): it
	// may frame the front-channel logout. Empty lets nobody frame it.
	Origin string
	// Recheck is how often the provider is asked whether its accounts still are what
	// they were; 0 is never. RecheckGrace is how long a session outlives a provider
	// that does not answer.
	Recheck, RecheckGrace time.Duration
}

// Client is a provider as far as people sign in there; *oidc.Provider is one.
type Client interface {
	// AuthURL is where the browser goes, or an error that is oidc.ErrUnavailable.
	AuthURL(ctx context.Context, r oidc.AuthRequest) (string, error)
	// Exchange verifies what the browser comes back with, and says who it is.
	Exchange(ctx context.Context, c oidc.Callback) (*oidc.Claims, error)
	// Refresh says what the account is now. An error that is oidc.ErrRevoked ends its
	// session.
	Refresh(ctx context.Context, refresh, subject string) (*oidc.Claims, error)
}

// Channel is a provider as far as people sign out there; *oidc.Provider is one.
type Channel interface {
	// LogoutURL is where the browser signs out and comes back from, empty for nowhere.
	LogoutURL(idToken, loginHint, back string) string
	// LogoutToken verifies the provider's word that somebody has signed out.
	LogoutToken(ctx context.Context, raw string) (oidc.LogoutToken, error)
}

// ready tells whether people can sign in there now, and what is wrong when not.
func (pr *Provider) ready() (bool, string) {
	if pr.Status == nil {
		return true, ""
	}
	s := pr.Status()
	return s.Ready, s.Error
}

// callbackURL is where the provider sends people back to. It has to be registered
// there, and serves for the way back from signing out as well.
func (p *Portal) callbackURL(pr *Provider) string {
	return "https://" + p.host + "/source/oauth/callback/" + pr.Name
}
