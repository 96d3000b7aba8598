package config

import (
	"mime"
	"regexp"
	"strconv"
	"strings"
)

func (v *validator) routes() {
	at := v.root.key("route")
	names := make(map[string]place)
	for i := range v.cfg.Routes {
		r, p := &v.cfg.Routes[i], at.item(i)
		if p.key("name").given {
			v.routeName(r.Name, p.key("name"), names)
		}
		v.matches(r, p)
		v.action(r, p)
		v.rewrite(r, p)
		v.routeHeaders(r, p)
		v.clientCertificate(r, p.key("client_certificate"))
		v.errorPages(r.ErrorPages, p.key("error_pages"))
		v.networks(&r.Networks, p.key("networks"))
		v.access(&r.Access, p.key("access"))
		v.gate(r, p)
		r.where = Diagnostic{Key: p.path}.at(p.position())
		v.nobody(r.Networks, p.key("networks"))
		if !p.key("body_bytes").given {
			r.BodyBytes = v.cfg.Limits.BodyBytes
		}
	}
	for i := range v.cfg.Routes {
		if r := &v.cfg.Routes[i]; r.Name == "" {
			r.Name = freeName(defaultName(r), names)
		}
		v.app(&v.cfg.Routes[i], at.item(i).key("app"))
	}
}

// routeName checks a name that was given.
func (v *validator) routeName(name string, p place, names map[string]place) {
	first, taken := names[name]
	switch {
	case name == "" || len(name) > 128 || strings.ContainsFunc(name, notInName):
		v.errorf(p, "", "must be 1 to 128 printable characters without spaces and quotes")
	case taken:
		v.errorf(p, "", "the route in %s has this name already", p.as(first.position()))
	default:
		names[name] = p
	}
}

// notInName reports characters that end a field of a log line.
func notInName(r rune) bool { return r <= ' ' || r > '~' || r == '"' }

// defaultName is the first host, and the first path where there is one.
func defaultName(r *Route) string {
	name := "*"
	if len(r.Hosts) > 0 {
		name = r.Hosts[0]
	}
	if len(r.Paths) > 0 && r.Paths[0] != "/" {
		name += strings.TrimPrefix(r.Paths[0], "=")
	}
	return strings.Map(func(r rune) rune {
		if notInName(r) {
			return '_'
		}
		return r
	}, name)
}

// freeName takes the name, or the first of name#2, name#3 ... that is free.
func freeName(name string, taken map[string]place) string {
	free := name
	for n := 2; ; n++ {
		if _, ok := taken[free]; !ok {
			taken[free] = place{}
			return free
		}
		free = name + "#" + strconv.Itoa(n)
	}
}

// matches checks what says which requests the route takes.
func (v *validator) matches(r *Route, p place) {
	for i, host := range r.Hosts {
		v.hostPattern(host, p.key("hosts").item(i), true)
	}
	for i, path := range r.Paths {
		v.pathPattern(path, p.key("paths").item(i))
		v.notReserved(path, p.key("paths").item(i))
	}
	for i, method := range r.Methods {
		v.method(method, p.key("methods").item(i))
	}
	v.duplicates(r.Hosts, p.key("hosts"))
	v.duplicates(r.Paths, p.key("paths"))
	v.matchers(r.Headers.Match, p.key("headers"))
	for _, name := range sortedKeys(r.Headers.Match) {
		v.fieldName(name, p.key("headers").key(name), false)
	}
	v.sameName(sortedKeys(r.Headers.Match), p.key("headers"))
	v.matchers(r.Query, p.key("query"))
	for _, key := range []string{"hosts", "paths", "methods"} {
		at := p.key(key)
		if at.given && at.node.kind == listKind && len(at.node.items) == 0 {
			v.errorf(at, "without the key the route takes all", "is empty")
		}
	}
}

func (v *validator) method(method string, p place) {
	upper := strings.ToUpper(method)
	switch {
	case !isToken(method):
		v.errorf(p, "", "%s is not a method", p.shown())
	case method == "CONNECT":
		v.errorf(p, "", "CONNECT asks for a tunnel of the client's choice, which is never routed")
	case method != upper && strings.Contains(
		" GET HEAD POST PUT DELETE OPTIONS PATCH TRACE CONNECT ", " "+upper+" "):
		v.errorf(p, p.hintf("did you mean %q?", upper), "methods are in upper case")
	}
}

// action checks what is done with the request: one of three things.
func (v *validator) action(r *Route, p place) {
	var given []string
	for _, key := range []string{"backend", "redirect", "respond"} {
		if p.key(key).given {
			given = append(given, key)
		}
	}
	switch {
	case len(given) == 0:
		v.missingf(p, "", "needs one of backend, redirect, respond")
	case len(given) > 1:
		v.errorf(p.key(given[1]), "", "%s is given too, and a route has one of backend, "+
			"redirect, respond", given[0])
	case given[0] == "backend" && v.cfg.Backends[r.Backend] == nil:
		at := p.key("backend")
		v.errorf(at, didYouMean(r.Backend, sortedKeys(v.cfg.Backends)),
			"there is no backend %s", at.shown())
	}
	if r.Redirect != nil {
		v.redirect(r.Redirect, p.key("redirect"))
	}
	if r.Respond != nil {
		v.respond(r.Respond, p.key("respond"))
	}
}

// absoluteURL is how a redirect to another host begins.
var absoluteURL = regexp.MustCompile(`^(https?|\{scheme\})://[^/]`)

// redirect checks that the place is a URL or a path: anything else is read by
// browsers as relative to where they are.
func (v *validator) redirect(r *Redirect, p place) {
	at := p
	if p.given && p.node.kind == tableKind {
		at = p.key("to")
		if !at.given {
			v.missingf(p, "", `needs to = "https://..."`)
			return
		}
	}
	if !v.template(r.To, at) {
		return
	}
	path := strings.HasPrefix(r.To, "/") && !strings.HasPrefix(r.To, "//") ||
		strings.HasPrefix(r.To, "{path}") || strings.HasPrefix(r.To, "{uri}")
	if !absoluteURL.MatchString(r.To) && !path || strings.ContainsAny(r.To, " \\\"<>") {
		v.errorf(at, `begin it with "https://" or "/"`, "is not a place to redirect to")
	}
}

func (v *validator) respond(r *Respond, p place) {
	bodyless := r.Status == 204 || r.Status == 304
	switch {
	case r.Body != "" && r.File != "":
		v.errorf(p.key("file"), "", "body and file exclude each other")
	case bodyless && (r.Body != "" || r.File != ""):
		v.errorf(p.key("status"), "", "an answer with status %d has no body", r.Status)
	}
	if at := p.key("content_type"); r.ContentType != "" {
		if _, _, err := mime.ParseMediaType(r.ContentType); err != nil || hasControl(r.ContentType) {
			v.errorf(at, "", "%s is not a media type", at.shown())
		}
	}
}

// rewrite checks the keys that only matter on the way to a backend.
func (v *validator) rewrite(r *Route, p place) {
	for _, key := range []string{
		"strip_prefix", "replace_prefix", "upgrades", "origins", "timeouts", "identity_headers",
	} {
		if p.key(key).given && !p.key("backend").given {
			v.missingf(p.key(key), "", "has no effect without a backend")
		}
	}
	if at := p.key("strip_prefix"); r.StripPrefix != "" {
		v.path(r.StripPrefix, at)
		if p.key("replace_prefix").given {
			v.errorf(at, "", "strip_prefix and replace_prefix exclude each other")
		}
	}
	if r.ReplacePrefix != nil {
		at := p.key("replace_prefix")
		if !at.key("from").given || !at.key("to").given {
			v.missingf(at, "", "needs from and to")
		} else {
			v.path(r.ReplacePrefix.From, at.key("from"))
			v.path(r.ReplacePrefix.To, at.key("to"))
		}
	}
	v.upgrades(r, p)
}

// upgrades checks what a connection may become, and who may ask for it.
func (v *validator) upgrades(r *Route, p place) {
	for i, origin := range r.Origins {
		if origin != "same" {
			v.hostPattern(origin, p.key("origins").item(i), false)
		}
	}
	for i, protocol := range r.Upgrades {
		at := p.key("upgrades").item(i)
		switch {
		case strings.EqualFold(protocol, "h2c") || strings.EqualFold(protocol, "h2"):
			v.errorf(at, "", "HTTP/2 inside of an upgrade would bypass every rule")
		case !isToken(strings.ReplaceAll(protocol, "/", "")):
			v.errorf(at, "", "%s is not the name of a protocol", at.shown())
		}
	}
}

func (v *validator) routeHeaders(r *Route, p place) {
	v.headerOps(&r.Headers.Request, p.key("headers").key("request"))
	v.headerOps(&r.Headers.Response, p.key("headers").key("response"))
}
