package proxy_test

import (
	"strings"
	"testing"

	"doorward/proxy"
)

// What becomes of request fields by name: anybody may send those of the first
// list, trusted proxies those of the second, nobody those of the third.
var (
	free = []string{
		"X", "Accept", "X-Custom", "X-Forwarded", "X-Forwardedfor", "XForwarded-For", "Proxy-X",
		"Forwarded-For", "X-Real", "X-Real-Ipx", "X-Originals", "X-Client", "Content-Type",
		"X-" + strings.Repeat("Long-", 20),
	}
	fromProxies = []string{
		"X-Real-Ip", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Uri",
		"X-Forwarded-Method", "X-Forwarded-User", "X-Forwarded-Groups", "X-Original-Url",
		"X-Original-Uri", "X-Rewrite-Url", "X-Http-Method", "X-Http-Method-Override",
		"X-Envoy-External-Address", "X-Arr-Ssl", "X-Arr-Log-Id",
		"X-Forwarded-" + strings.Repeat("long", 50),
		"Remote-User", "X-Authentik-Username", "X-Auth-Request-Email", "X-Pomerium-Jwt-Assertion",
		"X-Doorward-User", "X-Forwarded-Preferred-Username", "X-Remote-User", "X-Webauth-User",
	}
	fromNobody = []string{
		"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Proxy",
		"X-Forwarded-Client-Cert", "X-SSL-Client-Verify", "X-Ssl-Cert", "X-Client-Cert",
		"X-Client-Cert-Dn", "X-Client-Certificate",
	}
)

func spellings(name string) []string {
	return []string{name, strings.ToLower(name), strings.ToUpper(name)}
}

func TestGuardedNames(t *testing.T) {
	for i, names := range [][]string{free, fromProxies, fromNobody} {
		for _, name := range names {
			for _, s := range spellings(name) {
				if anybody, proxies := proxy.Passes(s); anybody != (i == 0) || proxies != (i < 2) {
					t.Errorf("%s passes from anybody: %v, from proxies: %v", s, anybody, proxies)
				}
			}
		}
	}
}

// signs are the token characters that some software reads as "-" or "_".
const signs = "!#$%&'*+._`|~^"

func TestSecurityGuardedNames(t *testing.T) {
	guarded := append(append([]string{}, fromProxies...), fromNobody...)
	for id, alias := range map[string]string{
		"ID-04_underscore_alias": "_", "ID-05_dot_alias": ".", "ID-06_any_sign": signs,
	} {
		t.Run(id, func(t *testing.T) {
			for _, name := range guarded {
				for i := range name {
					if name[i] != '-' {
						continue
					}
					for _, sign := range alias {
						for _, s := range spellings(name[:i] + string(sign) + name[i+1:]) {
							if anybody, proxies := proxy.Passes(s); anybody || proxies {
								t.Errorf("%s passes", s)
							}
						}
					}
				}
			}
		})
	}
	t.Run("ID-06_letters_and_digits_make_another_name", func(t *testing.T) {
		for _, name := range []string{"X0Forwarded-For", "X-ForwardedzFor", "X-Forwarded1Host"} {
			if anybody, _ := proxy.Passes(name); !anybody {
				t.Errorf("%s does not pass", name)
			}
		}
	})
}

func TestSecurityConnectionNames(t *testing.T) {
	for id, names := range map[string][]string{
		"HOP-01_HOP-02_identity":     fromProxies,
		"HOP-03_credentials":         {"Cookie", "Authorization"},
		"HOP-04_framing_and_host":    {"Content-Length", "Transfer-Encoding", "Host", "Content-Type"},
		"HOP-05_forwarding":          fromNobody,
		"HOP-06_aliases_and_expects": {"X_Forwarded_For", "x.real.ip", "Content_Length", "Expect"},
	} {
		t.Run(id, func(t *testing.T) {
			for _, name := range names {
				for _, s := range spellings(name) {
					if !proxy.ProtectedFromConnection(s) {
						t.Errorf("Connection may name %s", s)
					}
				}
			}
		})
	}
	t.Run("HOP-07_the_rest_may_be_named", func(t *testing.T) {
		for _, name := range append(free[:len(free):len(free)], "TE", "Trailer", "HTTP2-Settings",
			"Proxy-Connection", "User-Agent") {
			if name != "Content-Type" && proxy.ProtectedFromConnection(name) {
				t.Errorf("Connection may not name %s", name)
			}
		}
	})
}
