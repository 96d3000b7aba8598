package config_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// accessWithSignIn: a rule that leaves open who may pass opens nothing.
func accessWithSignIn(t *testing.T) {
	const route = "[[route]]\nredirect = '/'\n"
	refused(map[string]string{
		signIn(route): "route[0].access: is missing",
		signIn("[[route]]\nrespond = { body = 'x' }\n"):                               "route[0].access: is missing",
		signIn(route + "acces = 'public'\n"):                                          `mean "access"`,
		signIn(route + "access = {}\n"):                                               "does not say who",
		signIn(route + "access = { networks = ['10.0.0.0/8'] }\n"):                    "does not say who",
		signIn(route + "access = { any_user = false }\n"):                             "does not say who",
		signIn(route + "access = { group = ['a'] }\n"):                                `mean "groups"`,
		signIn(route + "access = { public = true, groups = ['a'] }\n"):                "asks nobody",
		signIn(route + "access = { any_user = true, groups = ['a'] }\n"):              "includes everybody",
		signIn(route + "access = { providers = [] }\n"):                               "is empty",
		signIn(route + "access = 'any-user'\npublic_path = ['/']\n"):                  `mean "public_paths"`,
		signIn("[stats]\nhost = 'edge.example.com'\naccess = { networks = ['::1'] }"): "does not say who",
	})(t)
	cfg, found := load(t, signIn(route+"access = { groups = [] }\n"))
	if cfg == nil || !strings.Contains(found.Warnings().String(), "holds nobody") {
		t.Fatalf("an empty list of groups: %v", found)
	}
	if a := cfg.Routes[0].Access; a.Public || a.AnyUser || a.Groups == nil {
		t.Errorf("an empty list of groups means %+v", a)
	}
}

// secretsOfSignIn: a secret that is not there, or can be guessed, refuses the start.
func secretsOfSignIn(t *testing.T) {
	provider := func(secret string) string {
		return signIn(strings.ReplaceAll(entra, "${SECRET}", secret))
	}
	refused(map[string]string{
		provider("${NONE}"):                                          "NONE is not set",
		provider("${EMPTY}"):                                         "EMPTY is empty",
		provider("${EMPTY:-}"):                                       "client_secret: is empty",
		provider(""):                                                 "client_secret: is empty",
		provider("${file:none}"):                                     "cannot be read",
		provider("${CONTROL}"):                                       "control character",
		head + "[state]\nsecret = '12345678'":                        "fewer than 32",
		head + "[state]\nsecret = '${WEAK}'":                         "fewer than 32",
		head + "[state]\nsecret = '${SAME}'":                         "not random",
		head + "[state]\nsecret = '" + strings.Repeat("0", 64) + "'": "not random",
	})(t)
}

func secretsOfExamples(t *testing.T) {
	for _, word := range []string{
		"changeme", "CHANGE_ME", "change-me-please", "please change this", "replace_me_0123456789",
		"your-client-secret", "clientsecret", "Secret", "password123", "admin", "<todo>",
		"changeme0123456789-kJ8vQm2xTz5wRn7yLb4cHf9d",
	} {
		for _, text := range []string{
			signIn(strings.ReplaceAll(entra, "${SECRET}", word)),
			head + "[state]\nsecret = '" + word + "'\n",
			statsPage("users = { ops = '" + word + "' }"),
		} {
			cfg, found := load(t, text)
			if cfg != nil || !strings.Contains(found.Errors().String(), "a word from an example") ||
				strings.Contains(found.String(), word) {
				t.Errorf("%q: got %v", text, found)
			}
		}
	}
	mustLoad(t, signIn(strings.ReplaceAll(entra, "${SECRET}", "s3cr3t~Password.of-the.app")))
}

func tenantsAreNamed(t *testing.T) {
	tenant := func(text string) string {
		return signIn(strings.ReplaceAll(entra, "tenant = 'contoso.com'\n", text))
	}
	for text, want := range map[string]string{
		"":                                       "needs tenant",
		"tenant = ''\n":                          "tenant: is empty",
		"tenants = []\n":                         "needs tenant",
		"tenant = 'common'\n":                    "every company",
		"tenant = 'COMMON'\n":                    "every company",
		"tenant = 'organizations'\ntenants=[]\n": "every company",
		"tenant = 'consumers'\n":                 "personal account",
		"tenant = 'consumers'\ntenants = ['a.b']\n":            "personal account",
		"tenant = '9188040d-6c67-4c5b-b112-36a304b66dad'\n":    "personal account",
		"tenants = ['9188040D-6C67-4C5B-B112-36A304B66DAD']\n": "personal account",
		"tenant = 'common'\ntenants = ['consumers']\n":         "personal account",
		"tenant = 'common'\ntenants = ['*']\n":                 "neither the ID",
		"tenant = 'common'\ntenants = ['']\n":                  "neither the ID",
		"tenant = 'a.example/../common'\n":                     "neither the ID",
		"tenant = 'a.example'\ntenants = ['b.example']\n":      "already",
	} {
		refused(map[string]string{tenant(text): want})(t)
	}
	for _, text := range []string{
		"tenant = '8eaef023-2b34-4da1-9baa-8bc8c9d6a490'\n",
		"tenant = 'common'\ntenants = ['contoso.com', '8eaef023-2b34-4da1-9baa-8bc8c9d6a490']\n",
		"tenants = ['contoso.com']\n",
	} {
		mustLoad(t, tenant(text))
	}
}

func cookieDomains(t *testing.T) {
	file := func(host, domain string) string {
		return head + "[sign_in]\nhost = '" + host + "'\ncookie = 'domain'\ncookie_domain = '" + domain + "'\n"
	}
	for _, c := range []struct{ host, domain, want string }{
		{"login.example.com", "com", "belongs to nobody"},
		{"login.example.co.uk", "co.uk", "belongs to nobody"},
		{"a.github.io", "github.io", "belongs to nobody"},
		{"a.AzureWebsites.net", "AZUREWEBSITES.NET", "belongs to nobody"},
		{"a.localhost", "localhost", "belongs to nobody"},
		{"10.0.0.1", "10.0.0.1", "not a domain"},
		{"login.example.com", "*.example.com", "not a domain"},
		{"login.example.com", "example.com; Path=/x", "not a domain"},
		{"login.example.com", "ample.com", "not below"},
		{"login.example.com", "login.example.com.evil.org", "not below"},
		{"example.com", "login.example.com", "not below"},
		{"login.example.com", "", "needs the domain"},
	} {
		refused(map[string]string{file(c.host, c.domain): c.want})(t)
	}
	for host, domain := range map[string]string{
		"login.example.com": "example.com", "login.example.com:8443": "Example.com",
		"example.com": "example.com", "login.apps.example.co.uk": "example.co.uk",
		"login.corp.internal": "corp.internal",
	} {
		cfg, _ := mustLoad(t, file(host, domain))
		if got, want := cfg.SignIn.CookieDomain, strings.ToLower(domain); got != want {
			t.Errorf("the cookie is for %s, want %s", got, want)
		}
	}
}

func redirectsStayHere(t *testing.T) {
	file := func(to string) string {
		return signIn("default_redirect = '" + to + "'\n" +
			"[[route]]\nhosts = ['app.example.com', '*.apps.example.com']\nredirect = '/'\naccess = 'public'\n")
	}
	for _, to := range []string{
		"//evil.example", "///evil.example", `/\evil.example`, "https://evil.example/", "http://app.example.com/",
		"https://app.example.com@evil.example/", "https://app.example.com.evil.example/", "javascript:alert(1)",
		"https:app.example.com", "app.example.com", "https://a.b.apps.example.com/", "/ x", "https://",
	} {
		refused(map[string]string{file(to): "default_redirect"})(t)
	}
	for _, to := range []string{
		"/", "/account", "https://app.example.com/x?y=z#w", "https://APP.example.com:8443/",
		"https://a.apps.example.com/", "https://login.example.com/account",
	} {
		mustLoad(t, file(to))
	}
}

// identityFieldsAreOurs: fields of one's own are dropped from what clients send, so they
// can be none that clients need, and none that says how the request came here.
func identityFieldsAreOurs(t *testing.T) {
	file := func(name, value string) string {
		return signIn("[[route]]\nbackend = 'web'\naccess = 'any-user'\n" +
			"identity_headers = { \"" + name + "\" = \"" + value + "\" }\n" +
			"[backends.web]\nservers = ['http://10.0.0.1']\n")
	}
	for _, name := range []string{
		"Host", "host", "Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
		"Content-Length", "Proxy-Connection", "Expect", "Cookie", "Set-Cookie", "Content-Type", "Accept",
		"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port",
		"X-Real-IP", "Via", "X-Request-ID", "X-Original-URL", "Sec-Fetch-Mode", "If-Match", "Origin",
		"", "X User", "X:User", "X-User\\r\\nX-Admin", "Ünser",
	} {
		refused(map[string]string{file(name, "{user}"): "identity_headers"})(t)
	}
	for _, value := range []string{
		"{admin}", "{client_ip}", "{user", "user}", "{}", "{user}\\r\\nX-Admin: 1", "\\u0000", "{user} }",
	} {
		refused(map[string]string{file("X-User", value): "identity_headers"})(t)
	}
	mustLoad(t, file("X-User", "{{ {user} {name} {email} {groups} {roles} {id} {provider} {jwt} }}"))
}

func secretsGoToHTTPS(t *testing.T) {
	file := func(key, value string) string {
		if key == "issuer" {
			return signIn("[[sign_in.provider]]\nname = 'a'\ntype = 'oidc'\nissuer = '" + value +
				"'\nclient_id = 'c'\n")
		}
		return signIn(entra + key + " = '" + value + "'\n")
	}
	for _, key := range []string{"issuer", "authority_host", "graph_url"} {
		for _, value := range []string{
			"http://id.example.com", "ftp://id.example.com", "https://u:p@id.example.com", "https://",
			"https://id.example.com/#x", "https://id.example.com:0", "https://id.example.com:x",
			"file:///etc/passwd", "https://a b", "http://localhost.example.com", "https://[fe80::1%25eth0]",
		} {
			refused(map[string]string{file(key, value): key})(t)
		}
		mustLoad(t, file(key, "https://id.example.com"))
		mustLoad(t, file(key, "http://127.0.0.1:8080"))
	}
}

// TestSecretsOfSignInAreNotPrinted: what signs people in shows none of its secrets, right or wrong.
func TestSecretsOfSignInAreNotPrinted(t *testing.T) {
	cfg, _ := mustLoad(t, signIn(entra+"[state]\nsecret = '${LONG}'\n"))
	long, _ := testEnv("LONG")
	data, err := json.Marshal([]any{cfg.SignIn, cfg.State})
	if err != nil {
		t.Fatal(err)
	}
	out := fmt.Sprintf("%v %+v %#v %+v %#v %s", *cfg.SignIn, cfg.SignIn, cfg.SignIn, cfg.State, cfg.State, data)
	if strings.Contains(out, secret) || strings.Contains(out, long) {
		t.Errorf("printed: %s", out)
	}
	if cfg.State.Secret.Reveal() != long {
		t.Errorf("the secret is %q", cfg.State.Secret.Reveal())
	}
	for _, text := range []string{
		signIn(strings.ReplaceAll(entra, "'${SECRET}'", "['"+secret+"']")),
		signIn(strings.ReplaceAll(entra, "'${SECRET}'", "\""+secret+"\\u0000\"")),
		signIn(strings.ReplaceAll(entra, "'c'", "''") + "certificate = 'x'\n"),
		head + "[state]\nsecret = '" + secret + "'\n",
	} {
		cfg, found := load(t, text)
		if cfg != nil || strings.Contains(found.String(), secret) {
			t.Errorf("%q: got %v", text, found)
		}
	}
}
