package route

import (
	"net/netip"
	"slices"

	"doorward/internal/netset"
)

// Rule is one entry of the table as its writer gave it. The zero value of every
// matcher matches all requests; a rule takes a request when all its matchers
// do. A list matches when one of its entries does.
type Rule struct {
	// Name stands in errors. The table does not need it to be unique.
	Name string
	// Hosts are exact names ("app.example.com"), wildcards for exactly one
	// label ("*.example.com"), and regular expressions of the whole canonical
	// host ("~app[0-9]+\.example\.com").
	Hosts []string
	// Paths are prefixes on whole segments ("/admin" takes /admin, /admin/ and
	// /admin/x, never /adminx; a slash at its end changes nothing), exact paths
	// ("=/healthz"), and regular expressions of the whole canonical path
	// ("~/users/[0-9]+"). Compile makes the first two canonical; expressions
	// must expect a canonical path, with its escapes ("~/a%20b").
	Paths []string
	// Methods are compared byte by byte, as RFC 9110 section 9.1 has it.
	Methods []string
	// Headers and Query must all match.
	Headers, Query []Matcher
	// Networks are those the client may come from; nil means anywhere, an empty
	// set nobody.
	Networks *netset.Set
	// Canonical makes the rule decide on the canonical path, and forward it,
	// although it has no Paths. Set it for what depends on the path later: a
	// gate, a prefix to strip or replace. A rule with Paths always does.
	Canonical bool
	// EncodedSlashes lets paths with %2F pass as long as all readings of such a
	// path come to this rule. Other rules answer them with 400.
	EncodedSlashes bool
}

// Matcher asks for a header field or a query parameter.
type Matcher struct {
	// Name of the field, whatever its case, or of the parameter, exactly.
	Name string
	// Value is the exact value, "*" for any, or "~" and a regular expression of
	// the whole value. One of several fields or parameters of the name suffices.
	Value string
}

// String returns the matcher as a line of the config file would show it.
func (m Matcher) String() string { return m.Name + " = " + m.Value }

// rule is a Rule ready to be asked.
type rule struct {
	hosts          []hostKey
	paths          []pathKey
	methods        []string
	headers, query []matcher
	networks       *netset.Set
	// onPath says that the rule decides on the canonical path.
	onPath         bool
	encodedSlashes bool
	// open says that host and path are all the rule looks at.
	open bool
	// marks has one bit for each header and query matcher, by its text. What one
	// rule demands, another can only demand too if it has the same bits.
	marks uint64
}

// takesAll reports whether the rule takes every request of its hosts and leaves
// the path alone.
func (u *rule) takesAll() bool { return u.open && !u.onPath }

// takes reports whether the matchers other than host and path agree.
func (u *rule) takes(r *Request) bool {
	if u.open {
		return true
	}
	return u.takesMethod(r.Method) && u.takesClient(r.Client) &&
		u.takesHeaders(r.Fields) && u.takesQuery(r.Query)
}

func (u *rule) takesMethod(method []byte) bool {
	for _, m := range u.methods {
		if string(method) == m {
			return true
		}
	}
	return len(u.methods) == 0
}

func (u *rule) takesClient(client netip.Addr) bool {
	return u.networks == nil || u.networks.Contains(client)
}

func (u *rule) takesHeaders(fields Fields) bool {
	for i := range u.headers {
		if fields == nil || !u.headers[i].matchesField(fields) {
			return false
		}
	}
	return true
}

func (u *rule) takesQuery(query []byte) bool {
	for i := range u.query {
		if !u.query[i].matchesQuery(query) {
			return false
		}
	}
	return true
}

// takesPath reports whether one of the regular expressions among the paths
// matches, or there are no paths at all. Prefixes and exact paths are found
// through the tree and not asked here.
func (u *rule) takesPath(path []byte) bool {
	for i := range u.paths {
		if re := u.paths[i].re; re != nil && re.Match(path) {
			return true
		}
	}
	return len(u.paths) == 0
}

// covers reports whether u takes every request that v takes, as far as the
// matchers other than host and path are concerned.
func (u *rule) covers(v *rule) bool {
	if u.open {
		return true
	}
	if u.marks&^v.marks != 0 {
		return false
	}
	if u.networks != nil && (v.networks == nil || !u.networks.Covers(v.networks)) {
		return false
	}
	if len(u.methods) > 0 && len(v.methods) == 0 {
		return false
	}
	for _, m := range v.methods {
		if len(u.methods) > 0 && !slices.Contains(u.methods, m) {
			return false
		}
	}
	return covers(u.headers, v.headers) && covers(u.query, v.query)
}
