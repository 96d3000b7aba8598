package config

import (
	"slices"
	"strings"
)

func (v *validator) backends() {
	at := v.root.key("backends")
	used := make(map[string]bool)
	for i := range v.cfg.Routes {
		name := v.cfg.Routes[i].Backend
		if v.cfg.Backends[name] == nil {
			// A misspelt name is an error of the route; its backend is not idle.
			name = Nearest(name, sortedKeys(v.cfg.Backends))
		}
		used[name] = true
	}
	for _, name := range sortedKeys(v.cfg.Backends) {
		b, p := v.cfg.Backends[name], at.key(name)
		b.Name = name
		if !isBackendName(name) {
			v.errorf(p, "letters, digits and - _ . :", "cannot be the name of a backend")
		}
		if !used[name] && !v.failed["route"] {
			v.warnf(p, "no route uses this backend")
		}
		v.inherit(&b.Timeouts)
		v.servers(b, p)
		v.http2(b, p)
		v.backendTLS(b, p.key("tls"))
		v.balance(b, p)
		if b.Check != nil {
			v.check(b, p)
		}
	}
	v.sharedCookies(at)
}

// isBackendName allows what HAProxy allows in a proxy's name.
func isBackendName(name string) bool {
	return isName(strings.NewReplacer(".", "_", ":", "_").Replace(name))
}

// inherit fills in the timeouts that the backend does not set.
func (v *validator) inherit(t *BackendTimeouts) {
	all := &v.cfg.Timeouts
	for _, f := range []struct {
		own  *Duration
		from Duration
	}{
		{&t.Connect, all.Connect}, {&t.Server, all.Server},
		{&t.Queue, all.Queue}, {&t.Tunnel, all.Tunnel},
	} {
		if *f.own == 0 {
			*f.own = f.from
		}
	}
}

// backendTLS checks how servers are verified: in one way, or knowingly in none.
func (v *validator) backendTLS(b *Backend, p place) {
	t := &b.TLS
	if !p.given || p.node.kind != tableKind {
		return
	}
	// A server without an address has an error of its own.
	mayUse := func(s Server) bool { return s.TLS || s.Network == "" }
	if len(b.Servers) > 0 && !slices.ContainsFunc(b.Servers, mayUse) {
		v.warnf(p, "no server of this backend has an https:// URL")
	}
	switch {
	case !t.Verify && t.CAFile != "":
		v.errorf(p.key("ca_file"), "", "has no effect with verify = false")
	case !t.Verify && len(t.PinSHA256) > 0:
		v.errorf(p.key("pin_sha256"), "", "has no effect with verify = false")
	case !t.Verify:
		v.warnf(p.key("verify"), "anybody on the way can pose as the servers; ca_file or "+
			"pin_sha256 would trust a private certificate safely")
	case t.CAFile != "" && len(t.PinSHA256) > 0:
		v.errorf(p.key("pin_sha256"), "", "ca_file and pin_sha256 exclude each other")
	}
	if p.key("pin_sha256").given && len(t.PinSHA256) == 0 {
		v.errorf(p.key("pin_sha256"), "", "is empty")
	}
	if t.ServerName != "" && checkHost(t.ServerName) != nil {
		v.errorf(p.key("server_name"), "", "%s is not a host", p.key("server_name").shown())
	}
	if t.Key != "" && t.Certificate == "" {
		v.errorf(p.key("key"), "", "needs the certificate it belongs to")
	}
}
