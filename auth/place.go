package auth

import (
	"net/http"
	"net/url"
	"strings"

	"doorward/auth/cookie"
	"doorward/internal/gate"
)

// place is where a request went, for what happens after the verdict.
type place struct {
	host      string // without port
	authority string // the host with the port of HTTPS there, unless that is 443
	path      string // canonical
	target    string // path and query
	secure    bool
}

func (d *Doors) placeOf(q *gate.Question) place {
	p := place{
		host: string(q.Host), path: string(q.Path), target: string(q.Path), secure: q.Secure,
	}
	p.authority = p.host + d.portOf(string(q.Authority), q.Secure)
	if len(q.Query) > 0 {
		p.target += "?" + string(q.Query)
	}
	return p
}

// placeIn is placeOf for a request that no gate has seen.
func (d *Doors) placeIn(r *http.Request) place {
	port := d.portOf(r.Host, r.TLS != nil)
	name := r.Host
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, ']') {
		name = name[:i]
	}
	p := place{
		host: strings.TrimSuffix(strings.ToLower(name), "."), path: r.URL.EscapedPath(),
		target: r.URL.RequestURI(), secure: r.TLS != nil,
	}
	p.authority = p.host + port
	return p
}

// portOf is the port at which a request's host is reached over HTTPS. Who came over
// plain HTTP named another one; then it is that of the sign-in host, which people reach
// where they reach all others.
func (d *Doors) portOf(authority string, secure bool) string {
	if !secure {
		authority = d.Host
	}
	return portOf(authority)
}

// portOf is the port of an authority with its colon, empty for that of https and for
// what is no port.
func portOf(authority string) string {
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || i < strings.LastIndexByte(authority, ']') {
		return ""
	}
	port := authority[i:]
	if len(port) < 2 || len(port) > 6 || port == ":443" ||
		strings.Trim(port[1:], "0123456789") != "" {
		return ""
	}
	return port
}

// maxReturn is how long an address may be that somebody comes back to.
const maxReturn = 2000

// address is where somebody comes back to: this very place, if it is not too long.
func (p place) address() string {
	for _, target := range []string{p.target, p.path} {
		if a := p.origin() + target; len(a) <= maxReturn {
			return a
		}
	}
	return p.origin() + "/"
}

func (p place) origin() string { return "https://" + p.authority }

// page is where the page is that the request came from, as far as that is on the same
// host; else its front page.
func (p place) page(r *http.Request) string {
	u, err := url.Parse(r.Referer())
	if err != nil || u.Scheme != "https" || u.User != nil || u.Opaque != "" ||
		strings.ToLower(strings.TrimSuffix(u.Host, ":443")) != p.authority ||
		!plain(r.Referer()) || Reserved([]byte(u.EscapedPath())) {
		return p.origin() + "/"
	}
	back := place{authority: p.authority, path: u.EscapedPath(), target: u.RequestURI()}
	return back.address()
}

// plain says that a text holds visible ASCII only, and no backslash, which browsers take
// for a slash.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return false
		}
	}
	return true
}

// start is the address where a browser signs in and comes back to ret. What is in more
// are further parameters, name by name.
func (d *Doors) start(browser, ret string, more ...string) string {
	bind := cookie.Public(browser)
	q := url.Values{
		"return": {ret}, "bind": {bind}, "sig": {d.Box.MAC("start", ret+"\n"+bind)},
	}
	for i := 0; i+1 < len(more); i += 2 {
		if more[i+1] != "" {
			q.Set(more[i], more[i+1])
		}
	}
	return d.signIn + "/sign_in?" + q.Encode()
}
