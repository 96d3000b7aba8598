package entratest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// hosts are the names that the certificate is for besides loopback: those of
// Microsoft's clouds, and one that must not be called any more.
var hosts = []string{
	"localhost", "login.microsoftonline.com", "graph.microsoft.com",
	"login.microsoftonline.us", "graph.microsoft.us", "dod-graph.microsoft.us",
	"login.partner.microsoftonline.cn", "microsoftgraph.chinacloudapi.cn",
	"graph.windows.net", "sts.windows.net",
}

func (s *Server) listen(t testing.TB) {
	t.Helper()
	if s.CAFile == "" {
		s.certify(t)
	}
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler: s.routes(), TLSConfig: &tls.Config{Certificates: s.certificates},
		ReadHeaderTimeout: Patience,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.URL == "" { // later it is the same, and others read it
		s.address, s.URL = l.Addr().String(), "https://"+l.Addr().String()
	}
	s.server, s.ended = server, make(chan struct{})
	go func() { _ = server.ServeTLS(l, "", "") }()
}

// certify makes a certificate that is its own root.
func (s *Server) certify(t testing.TB) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "A provider for tests"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: hosts, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.CAFile = filepath.Join(t.TempDir(), "entra-ca.pem")
	if err := os.WriteFile(s.CAFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}
	s.roots = x509.NewCertPool()
	s.roots.AppendCertsFromPEM(text)
}

// Client trusts the provider, and takes every host for it: "graph.microsoft.com"
// leads here too. It keeps no cookies and ends with the test.
func (s *Server) Client(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, s.address)
		},
		ForceAttemptHTTP2: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// Roots hold the provider's root, for clients of the test's own.
func (s *Server) Roots() *x509.CertPool { return s.roots.Clone() }
