package tls

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	rootLife   = 10 * 365 * 24 * time.Hour
	rootNotice = 365 * 24 * time.Hour // how early the end of the root is warned of
	leafLife   = 90 * 24 * time.Hour
	leafLimit  = 1000      // names kept; clients choose names under a wildcard
	clockSkew  = time.Hour // how far a client's clock may be behind
)

// authority signs certificates for internal names when they are asked for. It
// lives on from Manager to Manager while its root stays the same.
type authority struct {
	root   *x509.Certificate
	key    crypto.Signer
	source string        // file of the root; "" in memory
	life   time.Duration // of leaves; 0: leafLife

	mu     sync.Mutex
	leaves map[string]*leaf
	order  []string // of leaves, oldest first
}

// leaf is a certificate that is made once, by whoever asks first.
type leaf struct {
	make  func() (*tls.Certificate, error)
	renew time.Time
}

// newRoot makes a root of its own for an authority.
func newRoot(now time.Time) (*x509.Certificate, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("key of the internal root: %w", err)
	}
	// Browsers list roots by name: a part of chance tells two of ours apart.
	var mark [4]byte
	rand.Read(mark[:])
	template := &x509.Certificate{
		Subject: pkix.Name{
			Organization: []string{"Doorward"},
			CommonName:   "Doorward internal CA " + hex.EncodeToString(mark[:]),
		},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(rootLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	root, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, nil, fmt.Errorf("internal root: %w", err)
	}
	return root, key, nil
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (
	*x509.Certificate, error,
) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// certificate returns the certificate of a canonical name, which the caller has
// checked to be internal.
func (a *authority) certificate(name string) (*tls.Certificate, error) {
	now := time.Now()
	a.mu.Lock()
	l, known := a.leaves[name]
	if !known || now.After(l.renew) {
		l = &leaf{
			make:  sync.OnceValues(func() (*tls.Certificate, error) { return a.issue(name, now) }),
			renew: now.Add(cmp.Or(a.life, leafLife) * 2 / 3),
		}
		a.keep(name, l, known)
	}
	a.mu.Unlock()
	return l.make()
}

// keep stores a leaf, in the place of the oldest when there are too many.
func (a *authority) keep(name string, l *leaf, known bool) {
	if !known {
		if len(a.order) >= leafLimit {
			delete(a.leaves, a.order[0])
			a.order = slices.Delete(a.order, 0, 1)
		}
		a.order = append(a.order, name)
	}
	a.leaves[name] = l
}

// issue signs a certificate for one name.
func (a *authority) issue(name string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("key for internal name %q: %w", name, err)
	}
	template := &x509.Certificate{
		NotBefore:   now.Add(-clockSkew),
		NotAfter:    now.Add(cmp.Or(a.life, leafLife)),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if template.NotAfter.After(a.root.NotAfter) {
		template.NotAfter = a.root.NotAfter
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	c, err := sign(template, a.root, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("internal name %q: %w", name, err)
	}
	return &tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key, Leaf: c}, nil
}

func encodeCertificate(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
