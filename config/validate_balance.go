package config

import (
	"slices"
	"strings"
	"time"
)

// nobodySigned is what to know about everything that goes by the user.
const nobodySigned = "signing in is not available in this version of Doorward, " +
	"so the client's address counts"

// balance checks how requests are shared out and kept together.
func (v *validator) balance(b *Backend, p place) {
	at := p.key("balance")
	v.selector(b.Balance, at)
	limited := func(s Server) bool { return s.MaxConnections > 0 }
	if len(b.Servers) > 0 && !slices.ContainsFunc(b.Servers, limited) {
		if b.Balance == "first" {
			v.warnf(at, "no server has max_connections, so the first one takes every request")
		}
		if b.QueueLimit > 0 && p.key("queue_limit").given {
			v.warnf(p.key("queue_limit"), "no server has max_connections, so no request waits")
		}
	}
	if at := p.key("slow_start"); b.SlowStart > Delay(time.Hour) {
		v.errorf(at, "", "%s is longer than 1h", at.shown())
	}
	if b.SlowStart > 0 && b.Check == nil {
		v.warnf(p.key("slow_start"), "the backend has no check, so no server comes back")
	}
	if at := p.key("maintenance_page"); at.given && b.MaintenancePage == "" {
		v.errorf(at, "", "the name of the file is empty")
	}
	v.backups(b, p)
	if b.Stick != nil {
		v.stick(b, p)
	}
	v.cookie(b, p)
}

func (v *validator) backups(b *Backend, p place) {
	backup := func(s Server) bool { return s.Backup }
	others := slices.ContainsFunc(b.Servers, func(s Server) bool { return !s.Backup })
	switch {
	case len(b.Servers) == 0:
	case !others:
		v.warnf(p, "every server is a backup")
	case b.UseAllBackups && !slices.ContainsFunc(b.Servers, backup):
		v.warnf(p.key("use_all_backups"), "no server of this backend is a backup")
	}
}

// selector checks the name in "header:NAME" and the like.
func (v *validator) selector(s Selector, p place) {
	name := s.Name()
	switch s.Kind() {
	case "user":
		v.warnf(p, nobodySigned)
	case "header", "cookie":
		if !isToken(name) {
			v.errorf(p, "", "%s: what stands behind the colon is not a name", p.shown())
		}
	}
	if s.Kind() != "header" {
		return
	}
	switch strings.ToLower(name) {
	case "cookie":
		v.warnf(p, "this field changes with every cookie, and the server with it; "+
			"one cookie does better")
	case "authorization":
		v.warnf(p, "a client with a new token in this field counts as another client")
	}
}

func (v *validator) stick(b *Backend, p place) {
	at := p.key("stick")
	on := at.key("on")
	v.selector(b.Stick.On, on)
	if at.key("ipv6_prefix").given && b.Stick.On != "src" && b.Stick.On != "user" {
		v.errorf(at.key("ipv6_prefix"), "", `has no effect with on = %s`, on.shown())
	}
	switch b.Balance.Kind() {
	case "source", "uri", "header", "user":
		v.warnf(at, "clients are kept together twice: by balance = %s and by this table, "+
			"which wins", p.key("balance").shown())
	}
}

// onlyPlain reports whether clients talk to Doorward without TLS, and no proxy in
// front of it can have spoken TLS with them.
func (v *validator) onlyPlain() bool {
	l := &v.cfg.Listen
	return len(l.HTTPS) == 0 && len(l.TrustedProxies.Entries)+len(l.ProxyProtocol.Entries) == 0
}
