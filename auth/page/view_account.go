package page

import "time"

// Area is what the pages of an account have in common.
type Area struct {
	Frame
	// Without says which pages there are not.
	Without Without
}

// Without are pages that an account does not have.
type Without struct {
	// Each of them leaves out the page of its name.
	Tokens, Password, Identities bool
}

// Account is the view of the profile. It POSTs "locale", empty for the browser's,
// to /account.
type Account struct {
	Area
	// EmailVerified says that the address of the user is proven.
	EmailVerified bool
	// Groups are those of the user, with where each is from.
	Groups []Group
	// GroupsUnknown says that the provider could not tell all of them.
	GroupsUnknown bool
	// Created is when the account was made, SignedIn the last sign-in.
	Created, SignedIn time.Time
}

// Group is a group that somebody is in.
type Group struct {
	// Name is the one that rules name, Title the one to show; empty is Name.
	Name, Title string
	// From is where the user has it from.
	From []GroupSource
}

// Way is how somebody comes into a group; they are the kinds of user.Source.
type Way string

// The ways into a group.
const (
	// WayMember is a member in the store.
	WayMember Way = "member"
	// WayNamed is a user whom the configuration names, WayAddress one whose verified
	// address it names.
	WayNamed   Way = "named"
	WayAddress Way = "address"
	// WayRole and WayGroup are a role and a group at a provider, WayProvider is
	// everybody who signs in there.
	WayRole     Way = "role"
	WayGroup    Way = "group"
	WayProvider Way = "provider"
)

// GroupSource is where somebody has a group from.
type GroupSource struct {
	// Way is how.
	Way Way
	// Name is the address, role or group, Provider the title of the provider.
	Name, Provider string
}

// Sessions is the view of the sessions of a user. It POSTs "end" = an ID, or
// "others" for all but this one, to /account/sessions.
type Sessions struct {
	Area
	// Sessions are in the order to show.
	Sessions []Session
}

// Session is one session of the user.
type Session struct {
	// ID names the session in the form.
	ID string
	// Current is the one that asks for this page.
	Current bool
	// Client is the address it began from, Agent the User-Agent, Provider the title
	// of who signed in; empty is a local password.
	Client, Agent, Provider string
	// MFA says that a second factor was used.
	MFA bool
	// Created is when it began, LastSeen when it was last used, Expires when it ends
	// in any case; a zero Expires is not shown.
	Created, LastSeen, Expires time.Time
}

// Tokens is the view of the tokens of a user. It POSTs "title", "days" (a number,
// 0 is for ever) and any number of "route" to make one, or "delete" = an ID, to
// /account/tokens.
type Tokens struct {
	Area
	// Tokens are in the order to show.
	Tokens []Token
	// New is shown this once.
	New *NewToken
	// Title and Days fill the form in again after a problem.
	Title string
	Days  int
	// Routes may be chosen; empty gives no choice.
	Routes []Choice
	// MaxDays is how long a token may live; 0 has no limit.
	MaxDays int
}

// Token is one token of the user.
type Token struct {
	// ID names the token in the form, Title is what it is for.
	ID, Title string
	// Routes are the titles of what it opens; empty is all that its user may.
	Routes []string
	// Created is when it was made; Expires is zero for never, LastUsed for not yet.
	Created, Expires, LastUsed time.Time
}

// NewToken is a token that was made just now.
type NewToken struct {
	// Title is what it is for, Secret the token itself.
	Title, Secret string
}

// Choice is something that may be chosen in a form.
type Choice struct {
	// Value is what the form sends, Title what it says.
	Value, Title string
	// Chosen says that it is chosen already.
	Chosen bool
}

// Password is the view of the page that changes the password. It POSTs "current",
// "new" and "again" to Action.
type Password struct {
	Area
	// Action is an address of ours; empty is /account/password.
	Action string
	// Must says that the user cannot go on without: the page then stands alone.
	Must bool
	// First says that there is none yet: it then asks for no current one.
	First bool
	// MinLength is how many characters it has at least; 0 says nothing.
	MinLength int
}

// Identities is the view of the accounts at providers. It POSTs "unlink" = the
// name of a provider or "link" = the name of one to /account/identities.
type Identities struct {
	Area
	// Linked are the user's.
	Linked []Identity
	// Others may be linked; their URL is not used.
	Others []Provider
}

// Identity is an account at a provider that signs the user in.
type Identity struct {
	// Provider is whose it is.
	Provider Provider
	// Name and Email are what the provider said last.
	Name, Email string
	// Kept says that it cannot be removed: it is the only way in.
	Kept bool
	// Linked is when it was linked, SignedIn when it was last used; zero is never.
	Linked, SignedIn time.Time
}
