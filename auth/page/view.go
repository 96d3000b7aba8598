package page

import "time"

// Frame is what every page has around its own. The zero Frame is a page for
// nobody in particular.
type Frame struct {
	// Locale is the language that the user has chosen, as in BCP 47; empty is the
	// browser's. The query "lang" of the request goes before both.
	Locale string
	// Who is signed in; nil is nobody. Pages show it, and a menu with it.
	Who *Who
	// SignIn is the origin of the sign-in host ("https://login.example.com"), which
	// links to our own pages begin with. Empty is the host of the request.
	SignIn string
	// Leads are the origins ("https://shop.example.com") that forms of this page
	// may lead to through redirects, beside the page's own: the host that the user
	// came from, and the providers. Chromium follows none to another origin
	// (form-action of the Content-Security-Policy).
	Leads []string
	// Framed is a page that stands within another one, of whatever site: it has nothing
	// around its own, and its links lead out of the frame.
	Framed bool
	// Problems are what was wrong with the form that was sent, in the order to show.
	Problems []Problem
	// Notice is what was done; empty is nothing.
	Notice Notice
}

// Who is the user of a page.
type Who struct {
	// Name is the one to show, Login the one to sign in with, Email may be empty.
	Name, Login, Email string
}

// Code names what was wrong with a form.
type Code string

// What may be wrong with forms.
const (
	// WrongLogin is one text for an unknown user and for a wrong password.
	WrongLogin    Code = "wrong_login"
	Throttled     Code = "throttled"      // Wait says how long
	TooBusy       Code = "too_busy"       // Wait may say how long
	FormExpired   Code = "form_expired"   // the form was too old, or sent twice
	NoProvider    Code = "no_provider"    // no provider is known for the address
	WrongPassword Code = "wrong_password" // the current password is wrong
	// What a new password may lack; Count is the length for the first two.
	PasswordShort    Code = "password_short"
	PasswordLong     Code = "password_long"
	PasswordCommon   Code = "password_common"
	PasswordPersonal Code = "password_personal" // has the user's name in it
	PasswordSimple   Code = "password_simple"   // repeats itself
	PasswordSame     Code = "password_same"     // is the one before
	PasswordDiffers  Code = "password_differs"  // the two fields differ
	NameMissing      Code = "name_missing"
	NameTaken        Code = "name_taken"
	NameInvalid      Code = "name_invalid"
	EmailInvalid     Code = "email_invalid"
	TitleMissing     Code = "title_missing" // a token without a name
	TooMany          Code = "too_many"      // of what the form makes; Count is the most
	LinkInvalid      Code = "link_invalid"  // the one-time code is wrong, used or over
	IdentityTaken    Code = "identity_taken"
	IdentityLast     Code = "identity_last" // nothing would be left to sign in with
	NotSaved         Code = "not_saved"     // the store refused
)

// Problem is one thing that was wrong with a form.
type Problem struct {
	// Code is what was wrong.
	Code Code
	// Wait is how long until another try makes sense; 0 is not known.
	Wait time.Duration
	// Count is the number that the text is about; see Code.
	Count int
}

// Notice names what was done.
type Notice string

// What may have been done.
const (
	ProfileSaved    Notice = "profile_saved"
	PasswordChanged Notice = "password_changed"
	SessionEnded    Notice = "session_ended"
	SessionsEnded   Notice = "sessions_ended"
	TokenDeleted    Notice = "token_deleted"
	IdentityLinked  Notice = "identity_linked"
	IdentityRemoved Notice = "identity_removed"
	SetupDone       Notice = "setup_done"
	SessionOver     Notice = "session_over" // sign in again: the session has ended
)

// App is an application behind a route.
type App struct {
	// Title is its name, and must be there. Icon is a name in Options.Icons; what is
	// not there gives way to a monogram of the title.
	Title, Icon, Description string
	// URL is where it is: absolute, http or https. Group is the heading it is under
	// on the portal; empty is before all others.
	URL, Group string
}

// Provider is a provider as somebody may choose it.
type Provider struct {
	// Name is its name in the configuration, Title the one to show. Icon is a name
	// in Options.Icons or one of ours (microsoft, github, google, gitlab, key);
	// empty is that of Type (entra, oidc, github).
	Name, Title, Icon, Type string
	// URL is where the sign-in with it begins.
	URL string
	// Down says why it cannot be used now; empty is that it can. It is for people,
	// without secrets, and shown as it is.
	Down string
}

// Portal is the view of the page with the applications.
type Portal struct {
	Frame
	// Apps are those that the user may open, in the order to show.
	Apps []App
	// Query leaves out what does not have all of its words: the parameter q.
	Query string
}
