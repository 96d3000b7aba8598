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
	"html/template"
	"net/http"
	"time"
)

// Options describes Pages.
type Options struct {
	// Brand is what makes the pages a company's own.
	Brand Brand
	// Icons are those of applications and providers, by the names that views use.
	Icons map[string]File
	// Now tells the time, for "2 minutes ago"; nil is time.Now.
	Now func() time.Time
}

// Pages renders pages. It does not change, and may be used by many goroutines.
type Pages struct {
	brand   Brand
	now     func() time.Time
	tongues *tongues
	sheets  map[string]*template.Template
	icons   map[string]template.HTML
	files   *files
	prefix  string // where the files are
}

// New makes Pages. An error names the part of the brand or the icon that cannot
// be used, and why.
func New(o Options) (*Pages, error) {
	p := &Pages{brand: o.Brand, now: o.Now, prefix: "/assets/"}
	if p.now == nil {
		p.now = time.Now
	}
	if p.brand.Title == "" {
		p.brand.Title = "Doorward"
	}
	var err error
	if p.tongues, err = newTongues(o.Brand.Language); err != nil {
		return nil, err
	}
	if p.files, err = newFiles(o); err != nil {
		return nil, err
	}
	if p.sheets, err = newSheets(); err != nil {
		return nil, err
	}
	p.icons, err = newIcons()
	return p, err
}

// Under returns the same pages with their files under another path, such as
// "/.doorward/assets/" on hosts of applications; those of New have them under
// "/assets/".
func (p *Pages) Under(path string) *Pages {
	c := *p
	c.prefix = path
	return &c
}

// Assets serves styles, scripts and pictures: whatever comes before the last slash
// of the path is left aside.
func (p *Pages) Assets() http.Handler { return p.files }

// SignIn writes the sign-in page.
func (p *Pages) SignIn(w http.ResponseWriter, r *http.Request, status int, v SignIn) {
	p.write(w, r, answer{name: "sign_in", status: status, frame: &v.Frame, view: &v,
		alone: true, watch: v.Watch != ""})
}

// SignOut writes the question whether to sign out.
func (p *Pages) SignOut(w http.ResponseWriter, r *http.Request, status int, v SignOut) {
	p.write(w, r, answer{name: "sign_out", status: status, frame: &v.Frame, view: &v,
		alone: true})
}

// SignedOut writes the page after signing out.
func (p *Pages) SignedOut(w http.ResponseWriter, r *http.Request, status int, v SignedOut) {
	p.write(w, r, answer{name: "signed_out", status: status, frame: &v.Frame, view: &v,
		alone: true})
}

// Portal writes the page with the applications.
func (p *Pages) Portal(w http.ResponseWriter, r *http.Request, status int, v Portal) {
	p.write(w, r, answer{name: "portal", status: status, frame: &v.Frame, view: &v})
}

// Account writes the profile.
func (p *Pages) Account(w http.ResponseWriter, r *http.Request, status int, v Account) {
	p.write(w, r, answer{name: "account", status: status, frame: &v.Frame, view: &v,
		without: v.Without})
}

// Sessions writes the sessions of a user.
func (p *Pages) Sessions(w http.ResponseWriter, r *http.Request, status int, v Sessions) {
	p.write(w, r, answer{name: "sessions", status: status, frame: &v.Frame, view: &v,
		without: v.Without})
}

// Tokens writes the tokens of a user.
func (p *Pages) Tokens(w http.ResponseWriter, r *http.Request, status int, v Tokens) {
	p.write(w, r, answer{name: "tokens", status: status, frame: &v.Frame, view: &v,
		without: v.Without})
}

// Password writes the page that changes the password.
func (p *Pages) Password(w http.ResponseWriter, r *http.Request, status int, v Password) {
	p.write(w, r, answer{name: "password", status: status, frame: &v.Frame, view: &v,
		without: v.Without, alone: v.Must})
}

// Identities writes the accounts at providers.
func (p *Pages) Identities(w http.ResponseWriter, r *http.Request, status int, v Identities) {
	p.write(w, r, answer{name: "identities", status: status, frame: &v.Frame, view: &v,
		without: v.Without})
}

// Consent writes the question before an application is opened.
func (p *Pages) Consent(w http.ResponseWriter, r *http.Request, status int, v Consent) {
	p.write(w, r, answer{name: "consent", status: status, frame: &v.Frame, view: &v,
		alone: true})
}

// Setup writes the page that makes the first administrator, or takes an invitation.
func (p *Pages) Setup(w http.ResponseWriter, r *http.Request, status int, v Setup) {
	a := answer{name: "setup", status: status, frame: &v.Frame, view: &v, alone: true}
	if v.Invited {
		a.title = "setup.invited_title"
	}
	p.write(w, r, a)
}

// Continue writes the page that keeps the fragment.
func (p *Pages) Continue(w http.ResponseWriter, r *http.Request, status int, v Continue) {
	p.write(w, r, answer{name: "continue", status: status, frame: &v.Frame, view: &v,
		alone: true})
}

// Message writes a message. Who asks for no HTML gets it as plain text. Status 0
// is that of the kind.
func (p *Pages) Message(w http.ResponseWriter, r *http.Request, status int, v Message) {
	if status == 0 {
		status = v.Kind.status(v.Wait)
	}
	a := answer{name: "message", title: "message." + string(v.Kind) + ".title", alone: true,
		status: status, frame: &v.Frame, view: &v, wait: v.Wait}
	if !wantsHTML(r) {
		p.plain(w, r, &v, a)
		return
	}
	p.write(w, r, a)
}
