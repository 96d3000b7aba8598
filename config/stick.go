package config

import "strings"

// Selector is a word that says by what something is chosen: "src", "uri", "user",
// or "header:NAME" and "cookie:NAME" where a name belongs to it.
type Selector string

// Kind returns the word without the name: "header" of "header:X-User".
func (s Selector) Kind() string {
	kind, _, _ := strings.Cut(string(s), ":")
	return kind
}

// Name returns what stands behind the colon: "X-User" of "header:X-User". It is
// empty where no name belongs to the word.
func (s Selector) Name() string {
	_, name, _ := strings.Cut(string(s), ":")
	return name
}

// Stick is a stick table: a client that was seen before gets the server it had.
type Stick struct {
	// What tells clients apart: the address ("src"), a cookie or a header field of
	// the request ("cookie:NAME", "header:NAME"), or who is signed in ("user").
	On Selector `toml:"on" default:"src" enum:"src,cookie:NAME,header:NAME,user"`
	// Clients that are remembered.
	Size Count `toml:"size" default:"100k" min:"1" max:"67108864"`
	// How long a client is remembered after its last request.
	Expire Duration `toml:"expire" default:"30m"`
	// When the table is full: the client unseen for longest is forgotten, or new
	// ones are not remembered.
	Full string `toml:"full" default:"oldest" enum:"oldest,refuse"`
	// Bits of an IPv6 address that count. 64: all addresses of one subscriber are
	// one client.
	IPv6Prefix int `toml:"ipv6_prefix" default:"128" min:"1" max:"128"`
}

// Cookie is a cookie with which clients come back to their server. It names the
// server by a value that says nothing about it.
type Cookie struct {
	// The name of the cookie.
	Name string `toml:"name"`
	// The domain for which the client keeps it. Empty: the host of the request.
	Domain string `toml:"domain"`
	// With which requests from other sites the client sends it. off: not said.
	SameSite string `toml:"same_site" default:"lax" enum:"lax,strict,none,off"`
	// Scripts of a page cannot read it.
	HTTPOnly bool `toml:"http_only" default:"true"`
	// The client sends it over HTTPS alone.
	Secure bool `toml:"secure" default:"true"`
	// Servers do not see it.
	Indirect bool `toml:"indirect" default:"true"`
	// Answers that set it are not kept by caches.
	NoCache bool `toml:"nocache" default:"true"`
	// A client that was away for longer is balanced anew. "0s": no limit.
	MaxIdle Delay `toml:"max_idle" default:"0s"`
	// A client that came first longer ago is balanced anew. "0s": no limit.
	MaxLife Delay `toml:"max_life" default:"0s"`
}
