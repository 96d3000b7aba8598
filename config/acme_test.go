package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"doorward/config"
)

// TestCertificateGuideShowsWhatWorks loads every example of docs/certificates.md.
func TestCertificateGuideShowsWhatWorks(t *testing.T) {
	text, err := os.ReadFile("../docs/certificates.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```toml\n")[1:]
	if len(blocks) < 5 {
		t.Errorf("%d examples, want one for each provider", len(blocks))
	}
	for i, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		block += "[[route]]\nhosts = [\"www.example.com\"]\nredirect = \"/x\"\n"
		file := filepath.Join(folder(t, map[string]string{"a.toml": block}), "a.toml")
		cfg, found := config.Load(file, func(string) (string, bool) { return "c2VjcmV0", true })
		if len(found) > 0 {
			t.Errorf("example %d: %v\n%s", i+1, found, block)
		} else if cfg.TLS.ACME == nil {
			t.Errorf("example %d orders nothing:\n%s", i+1, block)
		}
	}
}

func TestChallengesFollowFromTheRest(t *testing.T) {
	const dns = "[tls.acme.dns]\nprovider = \"cloudflare\"\ncloudflare = { token = \"${TOKEN}\" }\n"
	for text, want := range map[string]string{
		"[tls.acme]\n":       "[tls-alpn-01 http-01]",
		"[tls.acme]\n" + dns: "[dns-01]",
		"[tls.acme]\nchallenges = [\"http-01\"]\n" + dns: "[http-01]",
	} {
		file := filepath.Join(folder(t, map[string]string{"a.toml": text}), "a.toml")
		cfg, found := config.Load(file, func(string) (string, bool) { return secret, true })
		if err := found.Err(); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := fmt.Sprint(cfg.TLS.ACME.Challenges); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// Secrets of providers and accounts stand in no message, nor in a printed
// configuration.
func TestSecretsOfProvidersAreNotShown(t *testing.T) {
	text := head + fmt.Sprintf(`[tls.acme]
email = "ops"
external_account = { key_id = "k", hmac_key = "%[1]s !" }
[tls.acme.dns]
provider = "rfc2136"
cloudflare = { token = "%[1]s", zone_token = "%[1]s" }
azure = { client_secret = "%[1]s" }
route53 = { secret_access_key = "%[1]s" }
rfc2136 = { server = "ns1", key_name = "k", key = "%[1]s !" }
`, secret)
	file := filepath.Join(folder(t, map[string]string{"a.toml": text}), "a.toml")
	_, found := config.Load(file, noEnv)
	if len(found.Errors()) < 3 {
		t.Errorf("want three mistakes: %v", found)
	}
	if strings.Contains(found.String(), secret) {
		t.Error(found)
	}
	good := strings.NewReplacer(` !`, "", `"ops"`, `"ops@example.com"`, secret, "c2VjcmV0").Replace(text)
	cfg, found := load(t, good)
	if cfg == nil {
		t.Fatal(found)
	}
	for _, form := range []string{"%v", "%+v", "%#v"} {
		a := cfg.TLS.ACME
		if got := fmt.Sprintf(form, []any{*a.DNS.Azure, *a.DNS.Cloudflare, *a.DNS.Route53,
			*a.DNS.RFC2136, *a.ExternalAccount}); strings.Contains(got, "c2VjcmV0") {
			t.Errorf("%s shows %s", form, got)
		}
	}
}
