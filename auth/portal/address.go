package portal

import (
	"net/url"
	"path"
	"strings"

	"doorward/auth/page"
)

// maxReturn is how long a return address may be, in bytes, maxFragment the part
// of it that only the browser knows.
const (
	maxReturn   = 2048
	maxFragment = 1024
)

// Destinations says where a sign-in may end. A Portal asks it about every address
// before it sends anybody there.
type Destinations interface {
	// Destination tells what is served there: host is in lower case, with its port
	// unless that is 443, and path is decoded. It is false for every host that is not
	// ours by name: who is sent to one takes a code along that opens a session there,
	// so routes for any host, or for hosts by pattern, do not count.
	Destination(host, path string) (Destination, bool)
}

// Destination is what stands at an address, as far as it matters to a sign-in.
type Destination struct {
	// Route is the name of the route, Title what visitors call it.
	Route, Title string
	// Provider is the name of the provider that signs in here; empty leaves the
	// choice to the visitor.
	Provider string
	// Consent is what visitors must agree to before they get here; empty is nothing.
	// Tells is what the server is told of them.
	Consent string
	Tells   []page.Told
}

// address is where a visitor goes in the end: to a host that we route, or to a
// page of ours. Only return addresses that were looked at become one.
type address struct {
	url         *url.URL
	own         bool // a page of the sign-in host
	destination Destination
}

// String is the address as it goes into a Location field.
func (a address) String() string { return a.url.String() }

// host is the host without its port, as cookies and sessions know it.
func (a address) host() string { return a.url.Hostname() }

// home is where visitors go who have nowhere else to go.
func (p *Portal) home() address {
	return address{url: &url.URL{Scheme: "https", Host: p.host, Path: "/"}, own: true}
}

// address judges a return address. Whatever is not plainly good leads home: an
// address is a visitor's input, and others may have written it.
func (p *Portal) address(raw, fragment string) address {
	u, ok := parseReturn(raw)
	if !ok {
		return p.home()
	}
	if u.Host == "" {
		u.Scheme, u.Host = "https", p.host
	}
	a := address{url: u}
	if u.Host == p.host {
		a.own = true
		if !ownPage(u.Path) {
			return p.home()
		}
	} else if a.destination, ok = p.o.Destinations.Destination(u.Host, u.Path); !ok {
		return p.home()
	}
	if len(fragment) <= maxFragment && plain(fragment) {
		if f, err := url.PathUnescape(strings.TrimPrefix(fragment, "#")); err == nil && f != "" {
			u.Fragment = f
		}
	}
	return a
}

// parseReturn accepts an absolute https address, or a path on the sign-in host.
// It refuses everything that browsers read in another way than net/url does.
func parseReturn(raw string) (*url.URL, bool) {
	if raw == "" || len(raw) > maxReturn || !plain(raw) || strings.HasPrefix(raw, "//") {
		return nil, false
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil, u.User != nil, u.Opaque != "":
		return nil, false
	case u.Scheme == "" && u.Host == "" && strings.HasPrefix(raw, "/"):
	case u.Scheme != "https", u.Host == "":
		return nil, false
	}
	u.Host = canonicalHost(u.Host)
	if u.Path == "" {
		u.Path = "/"
	}
	if reserved(u.Path) || strings.HasSuffix(u.Hostname(), ".") {
		return nil, false
	}
	return u, true
}

// plain says that a text holds visible ASCII only, and no backslash, which
// browsers take for a slash.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return false
		}
	}
	return true
}

// canonicalHost is a host with its port as addresses are compared: in lower case,
// and without the port that https has anyway.
func canonicalHost(host string) string {
	return strings.TrimSuffix(strings.ToLower(host), ":443")
}

// reserved tells whether a decoded path is one of ours on every host, or might
// become one on the way: dot segments are resolved by browsers, not by us.
func reserved(decoded string) bool {
	for segment := range strings.FieldsFuncSeq(decoded, func(r rune) bool {
		return r == '/' || r == '\\'
	}) {
		if segment == "." || segment == ".." {
			return true
		}
	}
	clean := strings.ToLower(path.Clean(strings.ReplaceAll(decoded, `\`, "/")))
	return clean == "/.doorward" || strings.HasPrefix(clean, "/.doorward/")
}

// ownPage tells whether a page of the sign-in host may be what a sign-in was for.
// Pages that sign in, sign out or receive providers' answers are not: they would
// lead in circles.
func ownPage(path string) bool {
	switch path {
	case "/", "/account", "/account/sessions", "/account/tokens", "/account/password",
		"/account/identities", "/consent":
		return true
	}
	return false
}
