package config_test

import (
	"fmt"
	"testing"
	"time"

	"doorward/config"
)

// signIn is a file where people sign in, with more of the table and what follows.
func signIn(more string) string {
	return head + "[sign_in]\nhost = 'login.example.com'\n" + more
}

// entra is a provider with a tenant of its own.
const entra = `[[sign_in.provider]]
name = 'azure-ad'
type = 'entra'
tenant = 'contoso.com'
client_id = 'c'
client_secret = '${SECRET}'
`

func TestSignInDefaults(t *testing.T) {
	cfg, _ := mustLoad(t, head)
	if cfg.SignIn != nil {
		t.Errorf("without [sign_in] it is %+v", cfg.SignIn)
	}
	cfg, dir := mustLoad(t, signIn(entra+"icon = 'a.svg'\n"))
	s, pr := cfg.SignIn, &cfg.SignIn.Providers[0]
	for _, c := range []struct {
		key       string
		got, want any
	}{
		{"cookie", s.Cookie, "host"},
		{"idle", time.Duration(s.Idle), 8 * time.Hour},
		{"lifetime", time.Duration(s.Lifetime), 24 * time.Hour},
		{"local_users", s.LocalUsers, true},
		{"throttle.failures", s.Throttle.Failures, 5},
		{"password_policy.min_length", cfg.PasswordPolicy.MinLength, 15},
		{"password_policy.reject_common", cfg.PasswordPolicy.RejectCommon, true},
		{"brand.title", cfg.Brand.Title, "Doorward"},
		{"onboarding", pr.Onboarding, "auto"},
		{"names_trusted", pr.NamesTrusted, true},
		{"guests", pr.Guests, false},
		{"recheck", time.Duration(pr.Recheck), time.Hour},
		{"recheck_grace", time.Duration(pr.RecheckGrace), 4 * time.Hour},
		{"logout", pr.Logout, "provider"},
		{"client_secret", pr.ClientSecret.Reveal(), secret},
		{"icon", pr.Icon, config.Icon(dir + "/a.svg")},
	} {
		if fmt.Sprintf("%#v", c.got) != fmt.Sprintf("%#v", c.want) {
			t.Errorf("%s is %#v, want %#v", c.key, c.got, c.want)
		}
	}
}

func TestNewcomersFollowTheProvider(t *testing.T) {
	const id = "[[sign_in.provider]]\nname = 'id'\nclient_id = 'c'\nclient_secret = '${SECRET}'\n"
	for _, c := range []struct {
		provider, onboarding string
		trusted              bool
	}{
		{entra, "auto", true},
		{entra + "guests = true\n", "auto", false},
		{entra + "names_trusted = false\nonboarding = 'off'\n", "off", false},
		{id + "type = 'entra'\ntenant = 'organizations'\ntenants = ['a.example']\n", "auto", false},
		{id + "type = 'entra'\ntenants = ['a.example', 'b.example']\n", "auto", false},
		{id + "type = 'oidc'\nissuer = 'https://id.example.com'\n", "auto", false},
		{id + "type = 'oidc'\nissuer = 'https://id.example.com'\nnames_trusted = true\n", "auto", true},
		{id + "type = 'oidc'\nissuer = 'https://accounts.google.com'\n", "approve", false},
		{id + "type = 'github'\n", "approve", false},
	} {
		cfg, _ := mustLoad(t, signIn(c.provider))
		pr := &cfg.SignIn.Providers[0]
		if pr.Onboarding != c.onboarding || pr.NamesTrusted != c.trusted {
			t.Errorf("%s: onboarding %q, names trusted %v; want %q, %v", c.provider, pr.Onboarding,
				pr.NamesTrusted, c.onboarding, c.trusted)
		}
	}
}

func TestSignInHost(t *testing.T) {
	for _, c := range []struct{ given, host, name string }{
		{"login.example.com", "login.example.com", "login.example.com"},
		{"Login.Example.com:443", "login.example.com", "login.example.com"},
		{"login.example.com:8443", "login.example.com:8443", "login.example.com"},
		{"[::1]", "[::1]", "[::1]"},
		{"[::1]:8443", "[::1]:8443", "[::1]"},
		{"127.0.0.1:8443", "127.0.0.1:8443", "127.0.0.1"},
	} {
		cfg, _ := mustLoad(t, head+"[sign_in]\nhost = '"+c.given+"'\n")
		if s := cfg.SignIn; s.Host != c.host || s.Hostname() != c.name {
			t.Errorf("%s is %s and %s, want %s and %s", c.given, s.Host, s.Hostname(), c.host, c.name)
		}
	}
}

// TestAccessSaysWho: whatever form a rule is written in, it has one of three meanings.
func TestAccessSaysWho(t *testing.T) {
	const route = "[[route]]\nredirect = '/'\n"
	for _, c := range []struct {
		text, want string
	}{
		{head + route, "public, not given"},
		{head + route + "access = 'public'\n", "public"},
		{head + route + "access = { networks = ['10.0.0.0/8'] }\n", "public in 1"},
		{head + route + "access = {}\n", "public"},
		{signIn(route + "access = 'public'\n"), "public"},
		{signIn(route + "access = { public = true, networks = ['::1'] }\n"), "public in 1"},
		{signIn(route + "access = 'any-user'\n"), "any user"},
		{signIn(route + "access = { any_user = true, methods = ['GET'] }\n"), "any user"},
		{signIn(route + "access = { providers = ['local'] }\n"), "any user"},
		{signIn(entra + route + "access = { mfa = true, networks = ['::1'] }\n"), "any user in 1"},
		{signIn(route + "access = { users = ['anna'] }\n"), "named"},
		{signIn(route + "access = { groups = [] }\n"), "named"},
		{signIn(route + "access = { roles = ['Admin'], networks = ['::1'] }\n"), "named in 1"},
	} {
		cfg, _ := mustLoad(t, c.text)
		if got := meaning(&cfg.Routes[0].Access); got != c.want {
			t.Errorf("%s\nmeans %s, want %s", c.text, got, c.want)
		}
	}
}

// meaning is who may pass, in words.
func meaning(a *config.Access) string {
	named := a.Users != nil || a.Groups != nil || a.Roles != nil
	var out string
	switch {
	case a.Public && !a.AnyUser && !named && !a.SignedIn():
		out = "public"
	case a.AnyUser && !a.Public && !named && a.SignedIn():
		out = "any user"
	case named && !a.Public && !a.AnyUser && a.SignedIn():
		out = "named"
	default:
		return fmt.Sprintf("%+v", *a)
	}
	if n := len(a.Networks.Prefixes); n > 0 {
		out += fmt.Sprint(" in ", n)
	}
	if !a.Given() {
		out += ", not given"
	}
	return out
}

func TestStatsAreAGatedPage(t *testing.T) {
	for more, want := range map[string]string{
		"":                                       "public in 2, not given",
		"access = { groups = ['admins'] }\n":     "named",
		"access = 'any-user'\nactions = false\n": "any user",
		"access = { public = true, networks = ['::1'] }\n":                  "public in 1",
		"users = { ops = '${SECRET}' }\n":                                   "public, not given",
		"access = 'public'\nusers = { ops = '${SECRET}' }\n":                "public",
		"access = { any_user = true, networks = ['::1'] }\nactions=false\n": "any user in 1",
	} {
		cfg, _ := mustLoad(t, signIn("[stats]\nhost = 'edge.example.com'\n"+more))
		if got := meaning(&cfg.Stats.Access); got != want {
			t.Errorf("%q means %s, want %s", more, got, want)
		}
	}
}

func TestAppsHaveTitlesAndAddresses(t *testing.T) {
	for _, c := range []struct{ route, title, url string }{
		{"hosts = ['a.example.com']\napp = {}", "a.example.com", "https://a.example.com/"},
		{"name = 'wiki'\nhosts = ['a.example.com']\npaths = ['=/wiki']\napp = { title = 'Wiki' }", "Wiki",
			"https://a.example.com/wiki"},
		{"hosts = ['*.example.com']\napp = { url = 'https://b.example.com/x' }", "*.example.com",
			"https://b.example.com/x"},
		{"hosts = ['*.example.com']\napp = { hidden = true }", "*.example.com", ""},
	} {
		cfg, _ := mustLoad(t, signIn("[[route]]\nredirect = '/'\naccess = 'public'\n"+c.route+"\n"))
		if a := cfg.Routes[0].App; a.Title != c.title || a.URL != c.url {
			t.Errorf("%s: %q at %q, want %q at %q", c.route, a.Title, a.URL, c.title, c.url)
		}
	}
	cfg, _ := mustLoad(t, head+"[sign_in]\nhost = 'login.localhost:8443'\n"+
		"[[route]]\nhosts = ['a.localhost']\nredirect = '/'\naccess = 'public'\napp = {}\n")
	if got, want := cfg.Routes[0].App.URL, "https://a.localhost:8443/"; got != want {
		t.Errorf("beside a sign-in host with a port the address is %s, want %s", got, want)
	}
}

func TestIdentityHeadersAreAPresetOrATable(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "{Preset: Fields:[]}",
		"identity_headers = 'remote-user'\n": "{Preset:remote-user Fields:[]}",
		"identity_headers = { X-User = '{user}', X-A = '{{a}} {id}' }\n": "{Preset: Fields:[X-A X-User]}",
		"identity_headers = { Authorization = 'Bearer {jwt}' }\n":        "{Preset: Fields:[Authorization]}",
	} {
		cfg, _ := mustLoad(t, signIn("[[route]]\nbackend = 'web'\naccess = 'any-user'\n"+text+
			"[backends.web]\nservers = ['http://10.0.0.1']\n"))
		if got := fmt.Sprintf("%+v", cfg.Routes[0].IdentityHeaders); got != want {
			t.Errorf("%q gives %s, want %s", text, got, want)
		}
	}
}
