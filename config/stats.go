package config

import (
	"errors"
	"strings"
)

// Stats says where the statistics are shown, and to whom. After Load the default of
// Access stands in its Networks.
type Stats struct {
	// The host of the page. Empty: no page.
	Host string `toml:"host"`
	// Who may see the page, as a route's access. With [sign_in] best: { groups = [...] }.
	Access Access `toml:"access" shows:"this machine; with users, everybody"`
	// Name = password: who may see the page. Empty: no password is asked for.
	Users map[string]Secret `toml:"users"`
	// The page has buttons to drain servers, put them into maintenance and back.
	Actions bool `toml:"actions" default:"true"`
	// An address for Prometheus: /metrics, /healthz and /readyz over plain HTTP.
	// Empty: none.
	Metrics string `toml:"metrics"`
	// An address with /healthz and /readyz alone, for a balancer in front. Empty:
	// none.
	Health string `toml:"health"`
}

// State says where is kept what must outlive the process.
type State struct {
	// Where: "file:/var/lib/doorward", a folder of Doorward's own.
	URL StateURL `toml:"url" shows:"the state folder that systemd or --state names, otherwise memory"`
	// What keys are made of, at least 32 random characters: the same on all nodes that
	// share the store. Changed, it ends all sessions.
	Secret Secret `toml:"secret" shows:"made by Doorward, in the store"`
}

// StateURL is "file:" and the absolute name of a folder, or empty.
type StateURL string

// Folder returns the folder of a "file:" URL; empty when none is given.
func (u StateURL) Folder() string { return strings.TrimPrefix(string(u), fileScheme) }

const fileScheme = "file:"

// UnmarshalText reads a URL; its folder may be relative.
func (u *StateURL) UnmarshalText(text []byte) error {
	s := string(text)
	scheme, rest, isURL := strings.Cut(s, ":")
	switch scheme {
	case "redis", "rediss", "redis+sentinel", "redis+cluster":
		return &valueError{what: "this kind of store is not available in this version of Doorward"}
	case "file":
		if after, ok := strings.CutPrefix(rest, "//"); ok {
			rest = after
			if !strings.HasPrefix(rest, "/") {
				return &valueError{"names a host", `write "file:/var/lib/doorward"`}
			}
		}
	default:
		if isURL || !strings.HasPrefix(s, "/") {
			return &valueError{"is not a place for state", `write "file:/var/lib/doorward"`}
		}
		return &valueError{"has no scheme", `write "file:/var/lib/doorward"`}
	}
	if rest == "" || hasControl(rest) {
		return &valueError{"names no folder", `write "file:/var/lib/doorward"`}
	}
	*u = StateURL(fileScheme + rest)
	return nil
}

// decode does not show the value in its messages: URLs of stores have passwords.
func (u *StateURL) decode(d *decoder, p place) bool {
	if !d.want(p, stringKind) {
		return false
	}
	var bad *valueError
	if errors.As(u.UnmarshalText([]byte(p.node.text)), &bad) {
		d.errorf(p, bad.hint, "%s", bad.what)
		return false
	}
	*u = StateURL(fileScheme + absolute(d.dir, u.Folder()))
	return true
}
