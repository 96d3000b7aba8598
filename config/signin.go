package config

// SignIn says how people sign in. Without the table nobody can, and no route asks
// who somebody is.
type SignIn struct {
	// The host of the pages: sign-in, portal, account, and the callbacks of providers.
	// With its port, unless that is 443. It is no host of a route.
	Host string `toml:"host"`
	// A cookie for each host, which no other host ever gets, or one for all hosts below
	// cookie_domain.
	Cookie string `toml:"cookie" default:"host" enum:"host,domain"`
	// The domain of the cookie with cookie = "domain": "example.com". Every server below
	// it that is not behind Doorward gets the cookie too.
	CookieDomain string `toml:"cookie_domain"`
	// A session ends after so long without a request.
	Idle Duration `toml:"idle" default:"8h"`
	// A session ends after so long, whatever happens.
	Lifetime Duration `toml:"lifetime" default:"24h"`
	// People with a password kept here may sign in. With false there is no form: with
	// one provider they are sent straight there.
	LocalUsers bool `toml:"local_users" default:"true"`
	// A second factor: nobody is asked; routes with mfa ask; everybody is asked.
	// Providers have it, local users do not.
	MFA string `toml:"mfa" default:"optional" enum:"off,optional,required"`
	// Where somebody goes who came to sign in from nowhere: a path of host, or a URL of
	// a host that routes name.
	DefaultRedirect string `toml:"default_redirect" shows:"the portal"`
	// How those who guess passwords are slowed down.
	Throttle Throttle `toml:"throttle"`
	// Where people have accounts, in the order of the buttons.
	Providers []Provider `toml:"provider"`
}

// Hostname is the host without its port.
func (s *SignIn) Hostname() string {
	host, _ := splitPort(s.Host)
	return host
}

// Throttle bounds wrong passwords of local users. Known browsers have counts of
// their own, so that strangers do not lock the owner out.
type Throttle struct {
	// Wrong passwords of one user before each more costs a wait of 1s, 2s, 4s and so on.
	Failures int `toml:"failures" default:"5" min:"1" max:"100"`
	// The longest such wait.
	MaxWait Duration `toml:"max_wait" default:"15m"`
	// Wrong passwords from one address in a minute. An IPv6 subscriber (/64) is one
	// address.
	PerMinute int `toml:"per_minute" default:"20" min:"1" max:"100000"`
	// The same in an hour.
	PerHour int `toml:"per_hour" default:"100" min:"1" max:"1000000"`
	// Passwords that are worked on at a time; each takes 19 MiB of memory. 0: half the
	// processors.
	Hashes int `toml:"hashes" default:"0" min:"0" max:"64"`
	// How long a sign-in waits for its turn.
	Queue Duration `toml:"queue" default:"2s"`
}

// Group says who is in a group that rules name, beside the members that the store
// has.
type Group struct {
	// Groups of providers, as their tokens have them: for Entra ID the object ID. One
	// counts from every provider, "azure-ad:ID" only from the provider of that name.
	ProviderGroups []string `toml:"provider_groups"`
	// Roles of providers: for Entra ID the value of an app role.
	Roles []string `toml:"roles"`
	// Names of users, or their e-mail addresses where a provider has verified them.
	Users []string `toml:"users"`
	// What it is called on pages.
	Title string `toml:"title" shows:"the name"`
}

// PasswordPolicy says which new passwords of local users are good.
type PasswordPolicy struct {
	// The least number of characters.
	MinLength int `toml:"min_length" default:"15" min:"8" max:"128"`
	// Refuses what is guessed first: well-known passwords, keyboard rows, the user's own
	// name.
	RejectCommon bool `toml:"reject_common" default:"true"`
	// More words that a guess would begin with: the company, its products. brand.title
	// is one.
	RejectWords []string `toml:"reject_words"`
}
