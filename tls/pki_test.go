package tls_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	doortls "doorward/tls"
)

// signed is a certificate of a test with its key and, unless it signed itself,
// the one that signed it.
type signed struct {
	cert   *x509.Certificate
	key    crypto.Signer
	issuer *signed
}

// wish says what a certificate shall be; the zero value is an ECDSA one of an
// authority, valid today.
type wish struct {
	names     []string
	common    string
	key       crypto.Signer
	issuer    *signed // nil: signs itself
	authority bool
	from, to  time.Time
}

func issue(t testing.TB, w wish) *signed {
	t.Helper()
	if w.key == nil {
		w.key = ecKey(t)
	}
	if w.from.IsZero() {
		w.from = time.Now().Add(-time.Hour)
	}
	if w.to.IsZero() {
		w.to = time.Now().Add(30 * 24 * time.Hour)
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: w.common},
		DNSNames:              w.names,
		NotBefore:             w.from,
		NotAfter:              w.to,
		BasicConstraintsValid: true,
		IsCA:                  w.authority,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	s := &signed{key: w.key, issuer: w.issuer}
	parent, signer := template, w.key
	if w.issuer != nil {
		parent, signer = w.issuer.cert, w.issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, w.key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	if s.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return s
}

func named(t testing.TB, names ...string) *signed { return issue(t, wish{names: names}) }

func ecKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// rsaKey is one key for all tests: making one takes long.
var rsaKey = sync.OnceValue(func() crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func edKey(t testing.TB) crypto.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (s *signed) certPEM() string { return block("CERTIFICATE", s.cert.Raw) }

// keyPEM gives the key as most tools write it today.
func (s *signed) keyPEM(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil {
		t.Fatal(err)
	}
	return block("PRIVATE KEY", der)
}

func (s *signed) oldKeyPEM(t testing.TB) string {
	t.Helper()
	switch key := s.key.(type) {
	case *rsa.PrivateKey:
		return block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return block("EC PRIVATE KEY", der)
	}
	t.Fatalf("no old form for %T", s.key)
	return ""
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// files are contents by path below a folder.
type files map[string]string

// in writes the files with mode 0600 and returns the folder.
func (f files) in(t testing.TB, dir string) string {
	t.Helper()
	for name, content := range f {
		write(t, filepath.Join(dir, name), content, 0o600)
	}
	return dir
}

func write(t testing.TB, path, content string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// combined is a folder with one combined file for each certificate: a.pem, b.pem
// and so on.
func combined(t testing.TB, list ...*signed) string {
	t.Helper()
	f := files{}
	for i, s := range list {
		f[string(rune('a'+i))+".pem"] = s.certPEM() + s.keyPEM(t)
	}
	return f.in(t, t.TempDir())
}

func mustLoad(t testing.TB, o doortls.Options, before *doortls.Manager) *doortls.Manager {
	t.Helper()
	m, _, err := doortls.Load(o, before)
	if err != nil {
		t.Fatalf("Load(%+v) = %v", o, err)
	}
	return m
}

// outcome is what a handshake led to.
type outcome struct {
	client, server tls.ConnectionState
	clientErr      error
	serverErr      error
}

// leaf returns the certificate that the client was shown.
func (o outcome) leaf(t testing.TB) *x509.Certificate {
	t.Helper()
	if o.clientErr != nil || o.serverErr != nil {
		t.Fatalf("handshake: client %v, server %v", o.clientErr, o.serverErr)
	}
	return o.client.PeerCertificates[0]
}

// handshake lets a client with its configuration meet the manager's.
func handshake(t testing.TB, m *doortls.Manager, client *tls.Config) outcome {
	t.Helper()
	clientEnd, serverEnd := loopback(t)
	defer clientEnd.Close()
	defer serverEnd.Close()
	return meet(t, m, tls.Client(clientEnd, client), serverEnd)
}

// loopback is a connection with buffers: over net.Pipe both sides of TLS 1.3
// would write at the same time and wait for each other.
func loopback(t testing.TB) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// meet completes the handshake of a client that speaks to the other end of
// serverEnd, and one byte from the server, before which tickets arrive.
func meet(t testing.TB, m *doortls.Manager, client *tls.Conn, serverEnd net.Conn) outcome {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	client.SetDeadline(deadline)
	serverEnd.SetDeadline(deadline)
	server := tls.Server(serverEnd, m.ServerConfig())
	var o outcome
	done := make(chan struct{})
	go func() {
		defer close(done)
		if o.serverErr = server.Handshake(); o.serverErr != nil {
			serverEnd.Close()
			return
		}
		server.Write([]byte("!"))
	}()
	if o.clientErr = client.Handshake(); o.clientErr == nil {
		_, o.clientErr = io.ReadFull(client, make([]byte, 1))
	}
	<-done
	o.client, o.server = client.ConnectionState(), server.ConnectionState()
	return o
}

// asking is a client that asks for a host name and believes every certificate.
func asking(name string) *tls.Config {
	return &tls.Config{ServerName: name, InsecureSkipVerify: true}
}
