package config

import (
	"slices"
	"strings"
)

// clientCertificate checks what a route wants of the certificates of clients. What
// is in the file is looked at when it is read.
func (v *validator) clientCertificate(r *Route, p place) {
	c := r.ClientCertificate
	if c == nil {
		return
	}
	v.clientHeaders(r, p.key("headers"))
	if !c.Asks() {
		return
	}
	switch at := p.key("ca_file"); {
	case !at.given:
		v.missingf(p, "", "needs ca_file, the CAs that sign the certificates of clients")
	case c.CAFile == "":
		v.errorf(at, "", "the name of the file is empty")
	}
	listen := &v.cfg.Listen
	switch {
	case len(listen.HTTPS) == 0:
		v.errorf(p, "set listen.https", "certificates are shown over TLS, and nothing listens for it")
	case len(listen.HTTP) > 0 && !listen.HTTPRedirect && c.Mode == "require":
		v.warnf(p, "every request over plain HTTP, where nobody shows a certificate, gets 403")
	}
}

// clientHeaders checks the names of the fields that tell about certificates. What
// clients send under these names never reaches a server, on no route.
func (v *validator) clientHeaders(r *Route, p place) {
	names := r.ClientCertificate.Headers.Named()
	seen := make(map[string]string, len(names))
	for _, key := range sortedKeys(names) {
		name, at := names[key], p.key(key)
		lower := strings.ToLower(name)
		v.fieldName(name, at, true)
		switch first, twice := seen[lower]; {
		case twice:
			v.errorf(at, "", "%s has this name already", first)
		case v.hasMeaning(lower):
			v.errorf(at, "", "this field has a meaning of its own, which its sender would lose")
		case setsField(&r.Headers.Request, name) || setsField(&v.cfg.Headers.Request, name):
			v.errorf(at, "", "headers.request sets this field as well")
		}
		seen[lower] = key
	}
}

// hasMeaning reports whether a field of this name, in lower case, is one that
// clients rightly send or that Doorward writes.
func (v *validator) hasMeaning(name string) bool {
	return slices.Contains([]string{
		"host", "cookie", "authorization", "content-type", "content-encoding", "date",
		"user-agent", "referer", "origin", "range", "forwarded", "x-forwarded-for",
		"x-forwarded-host", "x-forwarded-proto", strings.ToLower(v.cfg.Headers.RequestID),
	}, name) || strings.HasPrefix(name, "accept") || strings.HasPrefix(name, "if-") ||
		strings.HasPrefix(name, "sec-")
}

func setsField(ops *HeaderOps, name string) bool {
	same := func(other string) bool { return strings.EqualFold(other, name) }
	return slices.ContainsFunc(sortedKeys(ops.Set), same) ||
		slices.ContainsFunc(sortedKeys(ops.Add), same)
}
