package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"slices"
	"time"
)

// writeCertificate makes a P-256 key and a certificate signed by itself, and
// writes both to one file, as HAProxy reads them. Load tools that name the
// address instead of a host find that in it as well.
func writeCertificate(file string, hosts []string) error {
	template := certificateFor(hosts...)
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	_, err := newAuthority(file, template)
	return err
}

// authority signs the certificates of many names.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	text        []byte // the certificate, as it stands in the files
}

// newAuthority makes a certificate signed by itself and writes it to a file, its
// key with it.
func newAuthority(file string, template *x509.Certificate) (*authority, error) {
	template.KeyUsage |= x509.KeyUsageCertSign
	template.IsCA = true
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	a := &authority{certificate: template, key: key}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	a.text = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a, writePair(file, a.text, key)
}

// write makes a key and a certificate for a name and writes both to one file,
// with the authority's certificate as the rest of the chain.
func (a *authority) write(name, file string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, certificateFor(name), a.certificate,
		key.Public(), a.key)
	if err != nil {
		return err
	}
	leaf := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return writePair(file, slices.Concat(leaf, a.text), key)
}

func certificateFor(hosts ...string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: hosts[0]},
		DNSNames:              hosts,
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
}

func writePair(file string, chain []byte, key *ecdsa.PrivateKey) error {
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := slices.Concat(chain, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	return os.WriteFile(file, text, 0o600)
}
