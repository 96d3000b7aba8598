package page

// SignIn is the view of the sign-in page.
type SignIn struct {
	Frame
	// To is the application that the user came for; its zero value is the portal.
	To App
	// Form asks for a name; nil is that nobody signs in here without a provider.
	Form *Form
	// Providers are those that may be chosen, in the order to show.
	Providers []Provider
	// Known is somebody who is signed in already and may go on as such.
	Known *Known
	// Watch is an address of ours that answers 200 as soon as this browser is signed
	// in, in another tab say, and 204 until then: the page then loads itself again,
	// by GET at Again. Empty does not look.
	Watch string
	// Again is where this page is, with its parameters.
	Again string
}

// Form is the form of local users. It POSTs "login", "password" and, from the
// script, "fragment" to Action.
type Form struct {
	// Action is an address of ours, with the parameters that have to come back.
	Action string
	// Login fills the field in.
	Login string
	// EmailOnly asks for a mail address and no password: its domain says which
	// provider signs in.
	EmailOnly bool
	// Forgot is where a forgotten password leads; empty shows no link.
	Forgot string
}

// Known is somebody to continue as. The button POSTs "continue" = "yes" to Action.
type Known struct {
	Who
	Action string
}

// SignOut is the view of the question whether to sign out. It POSTs to /sign_out.
type SignOut struct {
	Frame
	// Return is sent along as "return"; empty is not.
	Return string
	// Provider is the title of the provider where the session ends too; empty is
	// that it ends here only.
	Provider string
}

// SignedOut is the view of the page after signing out.
type SignedOut struct {
	Frame
	// Provider is the title of the provider where the session may still be open.
	Provider string
	// Return is where the user may go from here; empty is the sign-in page.
	Return string
}

// Told names what an application is told of its users.
type Told string

// What applications may be told.
const (
	TellsName   Told = "name"
	TellsEmail  Told = "email"
	TellsGroups Told = "groups"
	TellsRoles  Told = "roles"
)

// Consent is the view of the page that asks before an application is opened. It
// POSTs "answer" = "accept" or "refuse" to Action.
type Consent struct {
	Frame
	// App is what will be opened.
	App App
	// Action is an address of ours, with the parameters that have to come back.
	Action string
	// Text is what the configuration of the route has to say. Blank lines part
	// paragraphs.
	Text string
	// Tells is what the application is told.
	Tells []Told
}

// Setup is the view of the page that makes the first administrator, and of the one
// that takes an invitation. It POSTs "code", "name", "title", "email", "password"
// and "again" to Action.
type Setup struct {
	Frame
	// Action is an address of ours.
	Action string
	// Code is the one-time secret; empty asks for it.
	Code string
	// Name, Title and Email fill the fields in.
	Name, Title, Email string
	// MinLength is how many characters a password has at least; 0 says nothing.
	MinLength int
	// Invited says that this is an invitation and makes no administrator.
	Invited bool
}

// Continue is the view of the small page between two redirects that keeps the
// fragment of the address, which servers do not see.
type Continue struct {
	Frame
	// URL is where to go on, with a query: the script adds "&fragment=" and the
	// fragment to it.
	URL string
	// To is the title of what waits there, a provider's say; empty says nothing.
	To string
}
