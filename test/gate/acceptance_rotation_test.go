package gate_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"doorward/internal/entratest"
)

// replaceFile puts another file in the place of the one there, whole, as tools do that
// renew secrets.
func replaceFile(t *testing.T, path string, text []byte) {
	t.Helper()
	err := os.WriteFile(path+".new", text, 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// comes fails the test unless somebody new signs in.
func (h *entraHouse) comes(user, when string) {
	h.t.Helper()
	if p := h.visitor(user).enter("https://app.example/"); p.status != http.StatusOK ||
		p.url != "https://app.example/" {
		h.t.Fatalf("%s: %d at %s\n%s", when, p.status, p.url, p.body)
	}
}

// failsTo fails the test unless the provider does not believe the edge, and the page and
// the log say so.
func (h *entraHouse) failsTo(user, code string) {
	h.t.Helper()
	p := h.visitor(user).enter("https://app.example/")
	if p.status < 400 || !strings.HasPrefix(p.url, "https://login.example/") ||
		!strings.Contains(h.Log(), code) {
		h.t.Fatalf("with what is over: %d at %s, and the log says no %s\n%s", p.status, p.url,
			code, p.body)
	}
}

// Acceptance 14: a secret is replaced by a reload; who is in stays in, with what they hold
// open.
func TestAcceptance14Secret(t *testing.T) {
	const next = "the next secret of the app registration"
	file := filepath.Join(t.TempDir(), "secret")
	replaceFile(t, file, []byte(entraSecret+"\n"))
	keys := "client_secret = \"${file:" + file + "}\"\n"
	entra := startEntra(t, nil)
	h := newEntraHouse(t, entra, keys)
	ann := h.signedIn(entraOfAnn)
	open := ann.hold()
	entra.ChangeApp(t, "doorward", func(a *entratest.App) {
		a.Secrets, a.ExpiredSecrets = []string{next}, a.Secrets
	})
	h.failsTo(entraOfBob, "AADSTS7000222")
	replaceFile(t, file, []byte(next+"\n"))
	if err := h.Reload(h.site(keys)); err != nil {
		t.Fatal(err)
	}
	h.comes(entraOfBob, "with the next secret")
	if p := ann.enter("https://app.example/"); p.status != http.StatusOK || p.hops != 0 {
		t.Errorf("who was in before: %d after %d redirects", p.status, p.hops)
	}
	select {
	case what := <-open.closed:
		t.Errorf("%s is over", what)
	default:
	}
	if strings.Contains(h.Log(), entraSecret) || strings.Contains(h.Log(), next) {
		t.Error("a secret is in the log")
	}
}

// signedPair is a certificate of ours with its key, in PEM.
func signedPair(t *testing.T) (parsed *x509.Certificate, certificate, key []byte) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "doorward"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return parsed, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// Acceptance 14, without a secret: the next certificate is used as soon as it is there, and
// not even a reload is needed.
func TestAcceptance14Certificate(t *testing.T) {
	entra := startEntra(t, nil)
	dir := t.TempDir()
	registered := func(renew func(certificate, key string, a *entratest.App)) {
		entra.ChangeApp(t, "doorward", func(a *entratest.App) {
			a.Secrets = nil
			renew(filepath.Join(dir, "entra.pem"), filepath.Join(dir, "entra.key"), a)
		})
	}
	pair := func(certificate, key string, a *entratest.App) {
		parsed, public, secret := signedPair(t)
		replaceFile(t, key, secret)
		replaceFile(t, certificate, public)
		a.Certificates = []*x509.Certificate{parsed}
	}
	registered(pair)
	h := newEntraHouse(t, entra, "certificate = \""+filepath.Join(dir, "entra.pem")+
		"\"\nkey = \""+filepath.Join(dir, "entra.key")+"\"\n")
	h.comes(entraOfAnn, "with the first certificate")
	registered(func(_, _ string, a *entratest.App) {
		parsed, _, _ := signedPair(t)
		a.Certificates = []*x509.Certificate{parsed}
	})
	h.failsTo(entraOfBob, "AADSTS700027")
	registered(pair)
	h.comes(entraOfBob, "with the next certificate")
	for _, r := range entra.Requests(entratest.TokenPart) {
		if r.Form.Has("client_secret") || !r.Form.Has("client_assertion") {
			t.Error("the provider was shown something else than a certificate")
		}
	}
}

// Acceptance 14, where the platform has a token for us: the file is read at each use.
func TestAcceptance14FederatedToken(t *testing.T) {
	entra := startEntra(t, nil)
	file := filepath.Join(t.TempDir(), "token")
	const issuer, subject, audience = "https://cluster.example", "doorward", "api://AzureADTokenExchange"
	renew := func(write bool) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := jwt.Signed(signer).Claims(jwt.Claims{
			Issuer: issuer, Subject: subject, Audience: jwt.Audience{audience}, ID: rand.Text(),
			Expiry: jwt.NewNumericDate(time.Now().Add(time.Hour)),
		}).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		if write {
			replaceFile(t, file, []byte(text))
		}
		entra.ChangeApp(t, "doorward", func(a *entratest.App) {
			a.Secrets = nil
			a.Federated = []entratest.Federated{{
				Issuer: issuer, Subject: subject, Audience: audience, Key: key.Public(),
			}}
		})
	}
	renew(true)
	h := newEntraHouse(t, entra, "federated_token_file = \""+file+"\"\n")
	h.comes(entraOfAnn, "with the first token")
	renew(false)
	h.failsTo(entraOfBob, "AADSTS700027")
	renew(true)
	h.comes(entraOfBob, "with the next token")
}
