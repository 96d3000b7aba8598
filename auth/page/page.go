// Package page renders the pages of sign-in as HTML: sign-in itself, the portal,
// the account, and what goes wrong. Each page is a method of [Pages] that takes a
// plain view; every text is there in English, German and French.
//
// It renders only. Who may see a page, what its forms do and where its links lead
// is decided by who calls it: views say which fields each form sends. No page
// needs a script; those that have one load it from their own host, since the
// Content-Security-Policy allows nothing inline.
package page

import (
	"net/http"
	"time"
)

// Options describes Pages.
type Options struct {
	Brand Brand
	// Icons are those of applications and providers, by the names that views use.
	Icons map[string]File
	// Now tells the time, for "2 minutes ago"; nil is time.Now.
	Now func() time.Time
}

// Brand is what makes the pages a company's own. The zero Brand is Doorward's.
type Brand struct {
	// Title is the name on all pages; empty is Doorward.
	Title string
	// Logo, Favicon and Background are pictures; zero ones are ours. The background
	// lies behind the pages that stand alone, such as sign-in.
	Logo, Favicon, Background File
	// Color is the accent, "#rrggbb" or "#rgb"; empty is ours. Shades that can be
	// read on light and dark grounds are made of it.
	Color string
	// Links are at the foot of every page: imprint, privacy, help.
	Links []Link
	// Language is that of users whose browser asks for none of ours; empty is
	// English.
	Language string
}

// File is a picture: svg, png, jpg, webp, avif, gif or ico, by its name.
type File struct {
	Name string
	Data []byte
}

// Link is a link at the foot.
type Link struct{ Title, URL string }

// Pages renders pages. It does not change, and may be used by many goroutines.
type Pages struct{}

// New makes Pages. An error names the part of the brand or the icon that cannot
// be used, and why.
func New(o Options) (*Pages, error) { return &Pages{}, nil }

// Under returns the same pages with their files under another path, such as
// "/.doorward/assets/" on hosts that are not ours; the first Pages have them under
// "/assets/".
func (p *Pages) Under(path string) *Pages { c := *p; return &c }

// Assets serves styles, scripts and pictures: whatever comes before the last slash
// of the path is left aside.
func (p *Pages) Assets() http.Handler { return http.NotFoundHandler() }

// SignIn writes the sign-in page.
func (p *Pages) SignIn(w http.ResponseWriter, r *http.Request, status int, v SignIn) {}

// SignOut writes the question whether to sign out.
func (p *Pages) SignOut(w http.ResponseWriter, r *http.Request, status int, v SignOut) {}

// SignedOut writes the page after signing out.
func (p *Pages) SignedOut(w http.ResponseWriter, r *http.Request, status int, v SignedOut) {}

// Portal writes the page with the applications.
func (p *Pages) Portal(w http.ResponseWriter, r *http.Request, status int, v Portal) {}

// Account writes the profile.
func (p *Pages) Account(w http.ResponseWriter, r *http.Request, status int, v Account) {}

// Sessions writes the sessions of a user.
func (p *Pages) Sessions(w http.ResponseWriter, r *http.Request, status int, v Sessions) {}

// Tokens writes the tokens of a user.
func (p *Pages) Tokens(w http.ResponseWriter, r *http.Request, status int, v Tokens) {}

// Password writes the page that changes the password.
func (p *Pages) Password(w http.ResponseWriter, r *http.Request, status int, v Password) {}

// Identities writes the accounts at providers.
func (p *Pages) Identities(w http.ResponseWriter, r *http.Request, status int, v Identities) {}

// Consent writes the question before an application is opened.
func (p *Pages) Consent(w http.ResponseWriter, r *http.Request, status int, v Consent) {}

// Setup writes the page that makes the first administrator.
func (p *Pages) Setup(w http.ResponseWriter, r *http.Request, status int, v Setup) {}

// Continue writes the page that keeps the fragment.
func (p *Pages) Continue(w http.ResponseWriter, r *http.Request, status int, v Continue) {}

// Message writes a message. Who asks for no HTML gets it as plain text. Status 0
// is that of the kind.
func (p *Pages) Message(w http.ResponseWriter, r *http.Request, status int, v Message) {}
