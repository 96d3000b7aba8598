package config

// Headers are the rules for header fields of every request and answer.
type Headers struct {
	// The preset of security fields on every answer: strict or none. The keys below
	// win over it.
	Security string `toml:"security" default:"strict" enum:"strict,off"`
	// Request fields with "_" in their name are dropped, because servers that turn
	// names into variables cannot tell them from "-". Or passed on.
	Underscores string `toml:"underscores" default:"drop" enum:"drop,pass"`
	// How servers learn about the client: X-Forwarded-For, -Host and -Proto,
	// Forwarded (RFC 7239), both, or nothing.
	Forwarded string `toml:"forwarded" default:"both" enum:"both,x-forwarded,rfc7239,off"`
	// The field that carries the request's id to the server and back to the client.
	// Empty: none.
	RequestID string `toml:"request_id" default:"X-Request-ID"`
	// Changes to every request before it goes to a server.
	Request HeaderOps `toml:"request"`
	// Changes to every answer, Doorward's own included.
	Response HeaderOps `toml:"response"`
}

// HeaderOps are changes to the fields of one message. They are done in the
// order remove, set, add.
type HeaderOps struct {
	// Name = value: replaces every field of that name. Values may use {host}
	// {client_ip} {request_id} {scheme} {user} {method} {path} {query} {uri}.
	Set Fields `toml:"set"`
	// Name = value: one more field. Placeholders as in set.
	Add Fields `toml:"add"`
	// Names of fields to remove.
	Remove []string `toml:"remove"`
}

// RouteHeaders are a route's matchers and changes, which share one table: the
// keys request and response hold changes, every other key is a matcher.
type RouteHeaders struct {
	// Name = value: the request must have the field. A value is compared as it is;
	// "~regex" is a regular expression, "*" any value.
	Match map[string]string `toml:"*"`
	// Changes to the route's requests, done after the global ones.
	Request HeaderOps `toml:"request"`
	// Changes to the route's answers, done after the global ones.
	Response HeaderOps `toml:"response"`
}
