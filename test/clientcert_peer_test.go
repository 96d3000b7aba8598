package test_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"doorward/internal/edgetest"
)

// clientCA signs certificates of clients.
type clientCA struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newClientCA(t *testing.T, name string) *clientCA {
	t.Helper()
	ca := &clientCA{key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: []string{"Test"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	ca.cert = certify(t, template, template, ca.key.Public(), ca.key)
	return ca
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func certify(t *testing.T, c, issuer *x509.Certificate, key crypto.PublicKey, signer crypto.Signer,
) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, key, signer)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// issue gives a certificate for a client, changed by change.
func (ca *clientCA) issue(t *testing.T, change func(*x509.Certificate)) *tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0xbeef), Subject: pkix.Name{CommonName: "anna"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(template)
	}
	key := newKey(t)
	c := certify(t, template, ca.cert, key.Public(), ca.key)
	return &tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key, Leaf: c}
}

// file writes the CA's certificate to a file.
func (ca *clientCA) file(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw}
	if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// asks is a route of a host whose clients are asked for certificates.
func asks(t *testing.T, host, mode string, ca *clientCA, more ...string) string {
	return fmt.Sprintf("[[route]]\nhosts = [%q]\nbackend = \"app\"\n%s\n"+
		"client_certificate = { mode = %q, ca_file = %q }\n", host, strings.Join(more, "\n"), mode,
		ca.file(t))
}

// tells answers with the fields that it got, one a line, whose names begin with what
// tells of certificates.
func tells(w http.ResponseWriter, r *http.Request) {
	for name, values := range r.Header {
		if strings.HasPrefix(name, "X-Client-Cert") {
			fmt.Fprintf(w, "%s: %q\n", strings.TrimPrefix(name, "X-Client-Cert-"), values)
		}
	}
}

// heard are the lines of tells.
func heard(body string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(body) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		out[name] = value
	}
	return out
}

// guest is a client for one version of HTTP that names sni in its handshakes and
// shows cert when it is asked; nil is none.
type guest struct {
	version, sni string
	cert         *tls.Certificate
	cache        tls.ClientSessionCache
}

func (g guest) config(e *edgetest.Edge) *tls.Config {
	return &tls.Config{
		RootCAs: e.Roots(), ServerName: g.sni, ClientSessionCache: g.cache,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if g.cert == nil {
				return &tls.Certificate{}, nil
			}
			return g.cert, nil
		},
	}
}

// client has connections of its own, which all requests share, whatever their host.
func (g guest) client(t *testing.T, e *edgetest.Edge) *http.Client {
	t.Helper()
	cfg := g.config(e)
	var transport http.RoundTripper
	switch g.version {
	case "HTTP/1.1", "HTTP/2.0":
		tr := &http.Transport{TLSClientConfig: cfg, MaxConnsPerHost: 1, Protocols: &http.Protocols{}}
		tr.Protocols.SetHTTP1(g.version == "HTTP/1.1")
		tr.Protocols.SetHTTP2(g.version == "HTTP/2.0")
		t.Cleanup(tr.CloseIdleConnections)
		transport = tr
	default:
		tr := &http3.Transport{
			TLSClientConfig: cfg,
			Dial: func(ctx context.Context, _ string, c *tls.Config, q *quic.Config) (*quic.Conn, error) {
				c.ServerName = g.sni
				return quic.DialAddr(ctx, e.HTTPS, c, q)
			},
		}
		t.Cleanup(func() { _ = tr.Close() })
		transport = tr
	}
	return &http.Client{Transport: rewriteHost{transport, e.HTTPS}, Timeout: edgetest.Patience}
}

// pageOf asks for a URL and returns status and body.
func pageOf(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return resp.StatusCode, string(body)
}

func httpVersions() []string { return []string{"HTTP/1.1", "HTTP/2.0", "HTTP/3.0"} }

// certificateEdge is an edge with routes of all kinds, before which text is put.
func certificateEdge(t *testing.T, ours, other *clientCA) *edgetest.Edge {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(tells))
	t.Cleanup(server.Close)
	return edgetest.Start(t, edgetest.Config{
		Listen: "http3 = true",
		TLS:    "strict_sni = false",
		Text: fmt.Sprintf("[backends.app]\nservers = [%q]\n", server.URL) +
			asks(t, "open.example", "require", ours, `paths = ["/closed"]`) +
			asks(t, "machines.example", "require", ours) +
			asks(t, "more.example", "require", ours) +
			asks(t, "maybe.example", "request", ours) +
			asks(t, "other.example", "require", other) +
			asks(t, "off.example", "off", other) +
			asks(t, "both.example", "require", ours, `paths = ["/ours"]`) +
			asks(t, "both.example", "require", other) +
			"[[route]]\nhosts = [\"open.example\"]\nbackend = \"app\"\n" +
			"[[route]]\nhosts = [\"canary.example\"]\nrespond = { body = \"x\" }\n" + site,
	})
}
