package backend_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"doorward/proxy/backend"
)

// authority is a CA for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "test CA"},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert, a.key = sign(t, template, nil)
	return a
}

func sign(t testing.TB, c *x509.Certificate, by *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := c, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// leaf is a certificate for names and addresses, with the CA's behind it.
func (a *authority) leaf(t testing.TB, left time.Duration, names ...string) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore:    time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(left),
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	cert, key := sign(t, template, a)
	return tls.Certificate{
		Certificate: [][]byte{cert.Raw, a.cert.Raw}, PrivateKey: key, Leaf: cert,
	}
}

func pin(cert *x509.Certificate) [][sha256.Size]byte {
	return [][sha256.Size]byte{sha256.Sum256(cert.RawSubjectPublicKeyInfo)}
}

// file writes the CA's certificate to a file.
func (a *authority) file(t testing.TB) string {
	name := filepath.Join(t.TempDir(), "ca.pem")
	a.write(t, name)
	return name
}

func (a *authority) write(t testing.TB, name string) {
	t.Helper()
	writePEM(t, name, "CERTIFICATE", a.cert.Raw)
}

func writePEM(t testing.TB, name, kind string, der []byte) {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// secure is a peer that speaks TLS with a certificate.
func secure(t testing.TB, cert tls.Certificate, change ...func(*tls.Config)) *peer {
	c := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}}
	for _, f := range change {
		f(c)
	}
	return serve(t, tls.NewListener(listen(t, "tcp", "127.0.0.1:0"), c))
}

// httpsAt are options for one https server.
func httpsAt(p *peer, o backend.TLSOptions) backend.Options {
	options := at("https://" + p.Addr().String())
	options.TLS = &o
	return options
}

// wantError demands that New fails and names what is wrong.
func wantError(t testing.TB, o backend.Options, name string) {
	t.Helper()
	if _, err := backend.New(o, nil); err == nil || strings.Count(err.Error(), name) != 1 {
		t.Errorf("error %v, want one that names %s once", err, name)
	}
}

// keyPair writes certificate and key to two files, or to one.
func keyPair(t testing.TB, cert tls.Certificate) (certFile, keyFile, both string) {
	t.Helper()
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, certFile, "CERTIFICATE", cert.Certificate[0])
	writePEM(t, keyFile, "PRIVATE KEY", key)
	both = filepath.Join(dir, "both.pem")
	first, _ := os.ReadFile(certFile)
	second, _ := os.ReadFile(keyFile)
	if err := os.WriteFile(both, slices.Concat(second, first), 0o600); err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile, both
}
