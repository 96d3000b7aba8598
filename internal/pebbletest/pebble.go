// Package pebbletest runs Pebble, a certificate authority for tests, and its DNS
// server, so that tests issue real certificates without leaving this machine.
//
// Every host name resolves to 127.0.0.1 for the authority, which asks for
// challenges on the ports that the test gave. What must happen is waited for by
// looking, with Patience as the bound. It knows nothing of what is tested.
//
// It is for tests: nothing that ships imports it.
package pebbletest

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"doorward/internal/porttest"
)

// Patience is how long anything may take that must happen. It is generous, since
// it is only spent by tests that fail.
const Patience = 30 * time.Second

// Options says what kind of authority is wanted. The zero value issues for five
// years to everybody who answers a challenge on ports that nobody listens on.
type Options struct {
	// HTTPPort and TLSPort are where HTTP-01 and TLS-ALPN-01 are asked for.
	HTTPPort, TLSPort int
	// Validity of certificates, in whole seconds; 0: five years.
	Validity time.Duration
	// ExternalAccounts are keys by their ids, one of which a new account has to
	// show; none: it need not.
	ExternalAccounts map[string]string
	// NonceReject is how many good nonces of a hundred are refused.
	NonceReject int
	// Blocked are domains that no certificate is issued for.
	Blocked []string
	// OCSP is the URL that certificates name as their responder; empty: none.
	OCSP string
	// Port of the directory; 0: a free one. To start again where one ended.
	Port int
	// Keep is the authority whose address, DNS and own certificate this one takes
	// over; nil: none. Its accounts and its root are not among them.
	Keep *Pebble
}

// Pebble is a running authority.
type Pebble struct {
	// Directory is the URL that ACME begins at.
	Directory string
	// CAFile is the root of the authority's own server, in PEM.
	CAFile string
	// DNS is its name server.
	DNS *DNS

	o          Options
	folder     string
	management string
	process    *process
	client     *http.Client
}

// Start starts one that ends with the test.
func Start(t testing.TB, o Options) *Pebble {
	t.Helper()
	p := &Pebble{o: o, folder: t.TempDir()}
	if o.Keep != nil {
		p.o.Port, p.folder, p.DNS = o.Keep.o.Port, o.Keep.folder, o.Keep.DNS
	} else {
		p.DNS = startDNS(t)
		certify(t, p.folder)
	}
	if p.o.Port == 0 {
		p.o.Port = porttest.Free(t)
	}
	p.CAFile = filepath.Join(p.folder, "ca.pem")
	p.client = clientFor(t, p.CAFile)
	p.Directory = fmt.Sprintf("https://127.0.0.1:%d/dir", p.o.Port)
	address := porttest.Address(t)
	p.management = "https://" + address
	p.process = start(t, "pebble", p.environment(),
		"-config", p.configure(t, address), "-dnsserver", p.DNS.Address)
	t.Cleanup(p.Stop)
	p.process.until(t, func() error { return p.ready(p.Directory) })
	p.process.until(t, func() error { return p.ready(p.management + "/roots/0") })
	return p
}

func (p *Pebble) environment() []string {
	return []string{
		"PEBBLE_VA_NOSLEEP=1", "PEBBLE_AUTHZREUSE=0",
		fmt.Sprintf("PEBBLE_WFE_NONCEREJECT=%d", p.o.NonceReject),
	}
}

// configure writes Pebble's own configuration and returns its path.
func (p *Pebble) configure(t testing.TB, management string) string {
	t.Helper()
	inner := map[string]any{
		"listenAddress":           fmt.Sprintf("127.0.0.1:%d", p.o.Port),
		"managementListenAddress": management,
		"certificate":             filepath.Join(p.folder, "server.pem"),
		"privateKey":              filepath.Join(p.folder, "server.key"),
		"httpPort":                p.o.HTTPPort,
		"tlsPort":                 p.o.TLSPort,
		"keyAlgorithm":            "rsa", // Pebble gives out keys of this kind alone
		"ocspResponderURL":        p.o.OCSP,
		"domainBlocklist":         p.o.Blocked,
		"profiles": map[string]any{"default": map[string]any{
			"description": "for tests", "validityPeriod": int(p.o.Validity.Seconds()),
		}},
	}
	if len(p.o.ExternalAccounts) > 0 {
		inner["externalAccountBindingRequired"] = true
		inner["externalAccountMACKeys"] = p.o.ExternalAccounts
	}
	text, err := json.Marshal(map[string]any{"pebble": inner})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.folder, "pebble.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Stop ends the authority; what it knew is lost. A second Stop does nothing.
func (p *Pebble) Stop() { p.process.stop() }

// Again starts another authority in the place of one that was stopped, which has
// its address and DNS but knows no account.
func (p *Pebble) Again(t testing.TB) *Pebble {
	t.Helper()
	o := p.o
	o.Keep = p
	return Start(t, o)
}

// Roots are those that the certificates it issues lead to.
func (p *Pebble) Roots(t testing.TB) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if text := p.get(t, "/roots/0"); !pool.AppendCertsFromPEM(text) {
		t.Fatalf("root of Pebble: %q", text)
	}
	return pool
}

// Intermediate is who signs the certificates, for a responder of the test.
func (p *Pebble) Intermediate(t testing.TB) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	certificate, _ := pem.Decode(p.get(t, "/intermediates/0"))
	private, _ := pem.Decode(p.get(t, "/intermediate-keys/0"))
	if certificate == nil || private == nil {
		t.Fatal("Pebble gives out no intermediate")
	}
	signer, err := x509.ParseCertificate(certificate.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS1PrivateKey(private.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return signer, key
}

// SuggestRenewal makes the authority suggest to renew a certificate, given in
// PEM, between two times (RFC 9773).
func (p *Pebble) SuggestRenewal(t testing.TB, certificate string, from, until time.Time) {
	t.Helper()
	answer := fmt.Sprintf(`{"suggestedWindow":{"start":%q,"end":%q}}`,
		from.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339))
	p.SuggestRenewalText(t, certificate, answer)
}

// SuggestRenewalText is SuggestRenewal with any answer, a malformed one as well.
func (p *Pebble) SuggestRenewalText(t testing.TB, certificate, answer string) {
	t.Helper()
	post(t, p.client, p.management+"/set-renewal-info/", map[string]any{
		"Certificate": certificate, "ARIResponse": answer,
	})
}

// Log is what it wrote so far.
func (p *Pebble) Log() string { return p.process.out.String() }

func (p *Pebble) ready(url string) error {
	answer, err := p.client.Get(url)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, answer.Status)
	}
	return nil
}

func (p *Pebble) get(t testing.TB, path string) []byte {
	t.Helper()
	answer, err := p.client.Get(p.management + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %s", path, answer.Status, err, text)
	}
	return text
}
