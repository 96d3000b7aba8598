// Package config turns Doorward's TOML files into plain Go structs.
//
// It owns the names, types, defaults and meaning of every key, the reading of
// included files, the expansion of ${NAME} in strings, and every check that can
// be made by looking at the configuration alone. All mistakes are found in one
// pass; each names its file, line, column and key.
//
// It does not own what needs the world outside: reading certificates and pages,
// resolving names and opening listeners belong to the packages that do it, and
// routes that can never match are found by the routing table. It starts no
// goroutine, logs nothing and keeps no state.
//
// The comments on the fields are what the manual and the JSON Schema say about
// each key. The tags say the rest:
//
//	toml      the key
//	default   the value of a key that is not given, or of the whole table
//	enum      the words a value may be, separated by commas
//	min, max  the range of a number
//	is        "path": a file, made absolute; starts at the main file's folder
//	haproxy   what HAProxy calls the key: a hint for who writes that
//	shows     the default as the manual words it, where there is no plain value
//	later     keys of the contract that this version does not have, on field _
package config

// Config is one complete configuration: the main file and everything it
// includes, with defaults filled in, strings expanded and names resolved.
// A Config made by Load is valid, and read-only from then on.
type Config struct {
	// Files are the names of all files that were read, the main one first.
	Files []string `toml:"-"`

	// More files, read in name order; they may hold [[route]], [backends.NAME],
	// [networks.NAME] and [rate_limits.NAME]. Patterns as in a shell, relative to
	// this file's folder.
	Include []string `toml:"include"`
	// Where Doorward accepts connections, and whom it believes.
	Listen Listen `toml:"listen"`
	// Certificates and the rules of the handshake.
	TLS TLS `toml:"tls"`
	// How long Doorward waits, by HAProxy's names and meanings. Never infinite.
	Timeouts Timeouts `toml:"timeouts"`
	// How much Doorward accepts.
	Limits Limits `toml:"limits"`
	// Where is kept what must outlive the process.
	State State `toml:"state"`
	// What is written about requests and about Doorward itself.
	Log Log `toml:"log"`
	// Fields set, added and removed on every request and answer.
	Headers Headers `toml:"headers"`
	// Status code = file: what clients see in place of Doorward's own short pages,
	// for example 503 = "pages/503.html". A route's own error_pages win.
	ErrorPages ErrorPages `toml:"error_pages" is:"path"`
	// The page with the statistics, and the addresses for Prometheus and balancers.
	Stats Stats `toml:"stats"`
	// How people sign in. Without the table nobody is asked.
	SignIn *SignIn `toml:"sign_in"`
	// Who is in the groups that access names.
	Groups map[string]Group `toml:"groups"`
	// Which new passwords of local users are good.
	PasswordPolicy PasswordPolicy `toml:"password_policy"`
	// How the pages look.
	Brand Brand `toml:"brand"`
	// How Doorward sends mail.
	Mail Mail `toml:"mail"`
	// Who is told when a server goes up or down.
	Alerts Alerts `toml:"alerts"`
	// Named sets of networks, usable by name wherever networks stand.
	Networks map[string]NetworkSet `toml:"networks"`
	// What happens to a request. The first route that matches, in file order, wins.
	Routes []Route `toml:"route"`
	// Named limits for requests, which [limits] and routes name in rate_limits.
	RateLimits map[string]*RateLimit `toml:"rate_limits"`
	// Named sets of servers that routes send requests to.
	Backends map[string]*Backend `toml:"backends"`

	root place
}

// At returns the place of a key as a diagnostic without a message, for mistakes
// that show only when something is built: a file that is missing, a key that does
// not fit its certificate. Steps are names of keys and indices of lists, as in
// At("route", 3, "respond", "file"). A key that is not in the file has the place
// of the table it would stand in.
func (c *Config) At(steps ...any) Diagnostic {
	p := c.root
	for _, step := range steps {
		switch step := step.(type) {
		case string:
			p = p.key(step)
		case int:
			p = p.item(step)
		}
	}
	return Diagnostic{Key: p.path}.at(p.position())
}

// ErrorPages maps status codes (400 to 599) to absolute file names.
type ErrorPages map[int]string

// NetworkSet is a named list of networks.
type NetworkSet struct {
	// Networks ("10.0.0.0/8"), single addresses ("::1"), or names of other sets.
	Addresses Networks `toml:"addresses"`
}
