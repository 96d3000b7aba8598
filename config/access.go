package config

// Access says who may pass a route. Who is one of the users, in one of the groups or
// has one of the roles is let in; networks, providers, methods and mfa must hold
// besides. An empty list holds nobody.
//
// After Load exactly one of these is true: Public is set, AnyUser is set, or one of
// Users, Groups and Roles is not nil.
type Access struct {
	// Everybody, without signing in. The same as access = "public".
	Public bool `toml:"public" default:"false"`
	// Everybody who has signed in. The same as access = "any-user".
	AnyUser bool `toml:"any_user" default:"false"`
	// Names of users, or e-mail addresses, which count where a provider has verified
	// them.
	Users []string `toml:"users"`
	// Groups: those of [groups.NAME], and those made with "doorward group".
	Groups []string `toml:"groups"`
	// Roles that a provider gave.
	Roles []string `toml:"roles"`
	// Only sign-ins with these providers count; "local" is a password kept here.
	Providers []string `toml:"providers" shows:"all"`
	// Networks the client must be in, whoever it is. Without [sign_in] this is all there
	// is to say.
	Networks Networks `toml:"networks" shows:"all"`
	// A second factor is needed.
	MFA bool `toml:"mfa" default:"false"`
	// The only methods. GET includes HEAD.
	Methods []string `toml:"methods" shows:"all"`

	given bool
}

// Given says whether the key was in the file.
func (a *Access) Given() bool { return a.given }

// SignedIn says whether somebody has to sign in to pass.
func (a *Access) SignedIn() bool { return !a.Public }

// needsUser says whether a rule has a part that is about users.
func (a *Access) needsUser() bool {
	return a.AnyUser || a.MFA || a.names() || a.Providers != nil
}

// names says whether the rule has lists of whom to let in.
func (a *Access) names() bool { return a.Users != nil || a.Groups != nil || a.Roles != nil }

// Bearer says which tokens of a provider programs may come with, in the field
// Authorization.
type Bearer struct {
	// The provider that issues them.
	Provider string `toml:"provider"`
	// One of these must be their audience.
	Audiences []string `toml:"audiences"`
	// One of these must be among their scopes, or their roles.
	Scopes []string `toml:"scopes" shows:"any"`
}

// IdentityHeaders say in which fields the server learns who somebody is: by a preset,
// or by fields of one's own.
type IdentityHeaders struct {
	// Preset is authentik, remote-user, forwarded or none; empty when there are Fields,
	// or when the key was not given.
	Preset string
	// Fields are names of fields and their values, with placeholders such as {user}.
	Fields Fields
}
