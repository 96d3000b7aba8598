package tls

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Reasons a client's certificate is no good. They hold nothing that the client
// sent.
var (
	// ErrClientEarly means a certificate that is not valid yet.
	ErrClientEarly = errors.New("client certificate not valid yet")
	// ErrClientExpired means a certificate, or one of its issuers', that has ended.
	ErrClientExpired = errors.New("client certificate expired")
	// ErrClientIssuer means one that none of the CAs has signed.
	ErrClientIssuer = errors.New("client certificate not signed by a CA of the route")
	// ErrClientUsage means one for other purposes, a server's for example.
	ErrClientUsage = errors.New("client certificate is not for client authentication")
	// ErrClientInvalid means one that breaks a rule of RFC 5280 in another way.
	ErrClientInvalid = errors.New("client certificate is not valid")
)

// ClientCA is whom a file trusts to sign the certificates of clients. It never
// changes and may be used from many goroutines.
type ClientCA struct {
	id           string
	certificates []*x509.Certificate
	pool         *x509.CertPool
}

// ReadClientCA reads a file of PEM that holds the certificates of CAs and nothing
// else; the error is a *FileError. A CA that has ended is a warning.
func ReadClientCA(path string) (*ClientCA, []Warning, error) {
	fault := func(err error, mend string) (*ClientCA, []Warning, error) {
		return nil, nil, &FileError{File: path, Err: withoutPath(err), Mend: mend}
	}
	data, _, err := readFile(path)
	if err != nil {
		return fault(err, "")
	}
	f := splitPEM(path, data)
	switch {
	case f.blocks == 0:
		return fault(ErrNotPEM, "expected the certificates of CAs")
	case f.blocks != bytes.Count(data, []byte("-----BEGIN ")):
		return fault(ErrDamaged, "copy it again")
	case len(f.keys) > 0:
		return fault(ErrKeyThere, "leave only the certificates")
	case f.blocks > len(f.certificates):
		return fault(ErrNotCertificate, "lists of revoked certificates are not supported")
	}
	a := &ClientCA{pool: x509.NewCertPool()}
	for i, der := range f.certificates {
		c, err := x509.ParseCertificate(der)
		if err == nil && !c.IsCA {
			err = ErrNotAuthority
		}
		if err != nil {
			return fault(fmt.Errorf("certificate %d: %w", i+1, err),
				"name the CA that signs the certificates of clients")
		}
		a.add(c)
	}
	a.seal()
	return a, a.ended(path, time.Now()), nil
}

func (a *ClientCA) add(c *x509.Certificate) {
	if !slices.ContainsFunc(a.certificates, c.Equal) {
		a.certificates = append(a.certificates, c)
		a.pool.AddCert(c)
	}
}

// seal makes the identity, which the order in the file does not change.
func (a *ClientCA) seal() {
	slices.SortFunc(a.certificates, func(b, c *x509.Certificate) int {
		return bytes.Compare(b.Raw, c.Raw)
	})
	sum := sha256.New()
	for _, c := range a.certificates {
		sum.Write(c.Raw) // each tells its length
	}
	a.id = hex.EncodeToString(sum.Sum(nil))
}

func (a *ClientCA) ended(path string, now time.Time) (list []Warning) {
	for _, c := range a.certificates {
		if now.After(c.NotAfter) {
			list = append(list, Warning{path, fmt.Sprintf("the CA %s expired on %s, and what it"+
				" signed is not valid any more", c.Subject, day(c.NotAfter))})
		}
	}
	return list
}

// ID is the same for all files that hold the same CAs.
func (a *ClientCA) ID() string { return a.id }

// Verify tells until when a client's certificate, which comes first in the chain
// that it sent, is good for authentication; or why it is not, with one of the errors
// of this package. Whether it was revoked is not asked.
func (a *ClientCA) Verify(chain []*x509.Certificate, now time.Time) (time.Time, error) {
	if len(chain) == 0 {
		return time.Time{}, ErrClientInvalid
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	found, err := chain[0].Verify(x509.VerifyOptions{
		Roots: a.pool, Intermediates: between, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return time.Time{}, clientFault(err, chain[0], now)
	}
	var until time.Time
	for _, way := range found {
		end := slices.MinFunc(way, func(b, c *x509.Certificate) int {
			return b.NotAfter.Compare(c.NotAfter)
		})
		if end.NotAfter.After(until) {
			until = end.NotAfter
		}
	}
	return until, nil
}

// clientFault is err in words of ours: those of the library quote the certificate.
func clientFault(err error, leaf *x509.Certificate, now time.Time) error {
	if now.Before(leaf.NotBefore) {
		return ErrClientEarly
	}
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &unknown):
		return ErrClientIssuer
	case !errors.As(err, &invalid):
	case invalid.Reason == x509.Expired:
		return ErrClientExpired
	case invalid.Reason == x509.IncompatibleUsage:
		return ErrClientUsage
	}
	return ErrClientInvalid
}
