package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"doorward/config"
	"doorward/tls"
)

// diff says in words what is different from the old generation, an entry for
// each kind of thing. It is empty when nothing is.
func (g *generation) diff(old *generation) []string {
	out := []string{}
	is, was := g.cfg, old.cfg
	note := func(kind string, was, is []setting) {
		out = append(out, compare(kind, was, is)...)
	}
	note("listeners", listenerSettings(was), listenerSettings(is))
	note("routes", routeSettings(was), routeSettings(is))
	note("backends", backendSettings(was), backendSettings(is))
	note("servers", serverSettings(was), serverSettings(is))
	note("rate limits", namedSettings(was.RateLimits), namedSettings(is.RateLimits))
	note("groups", namedSettings(was.Groups), namedSettings(is.Groups))
	note("certificates", certificateSettings(old.certs), certificateSettings(g.certs))
	note("settings", sectionSettings(was), sectionSettings(is))
	return out
}

// setting is one thing with a name, and its value in a form to compare.
type setting struct{ name, value string }

// newSetting takes the exported fields of v as the value. Secrets in it count, which
// is why a value is compared and never shown.
func newSetting(name string, v any) setting {
	text, err := json.Marshal(v)
	if err != nil {
		text = fmt.Appendf(nil, "%+v", v)
	}
	return setting{name, fmt.Sprintf("%s%q", text, secrets(reflect.ValueOf(v)))}
}

// secrets are the texts in a value that it does not show, in an order that is always
// the same.
func secrets(v reflect.Value) (found []string) {
	if !v.IsValid() || !v.CanInterface() {
		return nil
	}
	switch hidden := v.Interface().(type) {
	case config.Secret:
		return []string{hidden.Reveal()}
	case config.Fields:
		return []string{fmt.Sprint(map[string]string(hidden))}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return secrets(v.Elem())
	case reflect.Struct:
		for _, field := range v.Fields() {
			found = append(found, secrets(field)...)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			found = append(found, secrets(v.Index(i))...)
		}
	case reflect.Map:
		for key, value := range v.Seq2() {
			for _, s := range secrets(value) {
				found = append(found, fmt.Sprintf("%v: %s", key, s))
			}
		}
		slices.Sort(found)
	}
	return found
}

func compare(kind string, was, is []setting) []string {
	var added, changed, removed []string
	before, after := values(was), values(is)
	for _, s := range is {
		switch old, ok := before[s.name]; {
		case !ok:
			added = append(added, s.name)
		case old != s.value:
			changed = append(changed, s.name)
		}
	}
	for _, s := range was {
		if _, ok := after[s.name]; !ok {
			removed = append(removed, s.name)
		}
	}
	var out []string
	add := func(what string, names []string) {
		if len(names) > 0 {
			out = append(out, kind+" "+what+": "+strings.Join(names, ", "))
		}
	}
	add("added", added)
	add("changed", changed)
	add("removed", removed)
	if len(added)+len(removed) == 0 && !slices.EqualFunc(was, is, sameName) {
		out = append(out, kind+" reordered")
	}
	return out
}

func sameName(a, b setting) bool { return a.name == b.name }

func values(settings []setting) map[string]string {
	m := make(map[string]string, len(settings))
	for _, s := range settings {
		m[s.name] = s.value
	}
	return m
}

func listenerSettings(cfg *config.Config) (out []setting) {
	for address, face := range faces(cfg) {
		out = append(out, newSetting(address, face))
	}
	slices.SortFunc(out, func(a, b setting) int { return strings.Compare(a.name, b.name) })
	return out
}

func routeSettings(cfg *config.Config) (out []setting) {
	for i := range cfg.Routes {
		out = append(out, newSetting(cfg.Routes[i].Name, cfg.Routes[i]))
	}
	return out
}

func backendSettings(cfg *config.Config) (out []setting) {
	for _, b := range sortedBackends(cfg) {
		b := *b
		b.Servers, b.ServerURLs = nil, nil
		out = append(out, newSetting(b.Name, b))
	}
	return out
}

func serverSettings(cfg *config.Config) (out []setting) {
	for _, b := range sortedBackends(cfg) {
		for _, s := range b.Servers {
			out = append(out, newSetting(b.Name+"/"+s.Name, s))
		}
	}
	return out
}

func namedSettings[V any](tables map[string]V) (out []setting) {
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		out = append(out, newSetting(name, tables[name]))
	}
	return out
}

// certificateSettings are the certificates by file, so that a renewed one shows
// as changed.
func certificateSettings(m *tls.Manager) (out []setting) {
	for _, c := range m.Certificates() {
		name := c.Source
		if c.Internal {
			name = "internal CA"
		}
		out = append(out, newSetting(name, c))
	}
	return out
}

// sectionSettings are the tables that have no names of their own in them.
func sectionSettings(cfg *config.Config) []setting {
	listen := cfg.Listen
	listen.HTTP, listen.HTTPS, listen.HTTPRedirect = nil, nil, false
	return []setting{
		newSetting("listen", listen),
		newSetting("tls", cfg.TLS),
		newSetting("timeouts", cfg.Timeouts),
		newSetting("limits", cfg.Limits),
		newSetting("state", cfg.State),
		newSetting("log", cfg.Log),
		newSetting("headers", cfg.Headers),
		newSetting("error_pages", cfg.ErrorPages),
		newSetting("stats", cfg.Stats),
		newSetting("mail", cfg.Mail),
		newSetting("alerts", cfg.Alerts),
		newSetting("networks", cfg.Networks),
		newSetting("sign_in", cfg.SignIn),
		newSetting("password_policy", cfg.PasswordPolicy),
		newSetting("brand", cfg.Brand),
	}
}
