package tls

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
)

// minRSA is the shortest RSA key that today's clients accept.
const minRSA = 2048

// pemFile is a file of PEM taken apart, nothing parsed yet.
type pemFile struct {
	path         string
	data         []byte
	blocks       int // of any type
	certificates [][]byte
	keys         []*pem.Block
}

func splitPEM(path string, data []byte) *pemFile {
	f := &pemFile{path: path, data: data}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		f.blocks++
		switch {
		case block.Type == "CERTIFICATE":
			f.certificates = append(f.certificates, block.Bytes)
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			f.keys = append(f.keys, block)
		}
	}
	return f
}

// onlyAuthorities reports whether no certificate in the file can be a server's.
func (f *pemFile) onlyAuthorities() bool {
	return !slices.ContainsFunc(f.certificates, func(der []byte) bool {
		c, err := x509.ParseCertificate(der)
		return err != nil || !c.IsCA
	})
}

// digest identifies what the files of one certificate hold.
type digest [sha256.Size]byte

func digestOf(parts ...[]byte) (d digest) {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d:", len(part))
		h.Write(part)
	}
	h.Sum(d[:0])
	return d
}

// certificate is a certificate with its key, fit to be shown to clients.
type certificate struct {
	pair   tls.Certificate
	names  []string // canonical host names and addresses
	source string
	notes  []string // what is unwise about the content
}

func (c *certificate) leaf() *x509.Certificate { return c.pair.Leaf }

// add makes a certificate of two files, or of one given twice.
func (l *loader) add(certificates, key *pemFile) {
	sum := digestOf(certificates.data, key.data)
	c := cmp.Or(l.parsed[sum], l.earlier[sum])
	if c == nil {
		var err error
		if c, err = newCertificate(certificates, key, l.issuers); err != nil {
			l.errs = append(l.errs, err)
			return
		}
	} else if c.source != certificates.path {
		moved := *c
		moved.source = certificates.path
		c = &moved
	}
	l.parsed[sum] = c
	for _, note := range c.notes {
		l.warn(c.source, note)
	}
	switch leaf := c.leaf(); {
	case l.now.After(leaf.NotAfter):
		l.warn(c.source, "expired on "+day(leaf.NotAfter))
	case l.now.Before(leaf.NotBefore):
		l.warn(c.source, "not valid before "+day(leaf.NotBefore))
	}
	l.found = append(l.found, c)
}

func newCertificate(certificates, keyFile *pemFile, known issuers) (*certificate, error) {
	fault := func(file *pemFile, err error, mend string) error {
		return &FileError{File: file.path, Err: err, Mend: mend}
	}
	key, mend, err := parseKey(keyFile.keys)
	if err != nil {
		return nil, fault(keyFile, err, mend)
	}
	parsed := make([]*x509.Certificate, len(certificates.certificates))
	for i, der := range certificates.certificates {
		if parsed[i], err = known.parse(der); err != nil {
			return nil, fault(certificates, fmt.Errorf("certificate %d: %w", i+1, err), "")
		}
	}
	chain := chainFor(key, parsed)
	if chain == nil {
		mend := "put the matching one there"
		if keyFile != certificates {
			mend = "the key is in " + keyFile.path
		}
		return nil, fault(certificates, ErrKeyMismatch, mend)
	}
	c := &certificate{source: certificates.path}
	if unused := len(parsed) - len(chain); unused > 0 {
		c.notes = append(c.notes, fmt.Sprintf("%d of %d certificates do not belong to the "+
			"chain and are not sent", unused, len(parsed)))
	}
	c.pair = tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, link := range chain {
		c.pair.Certificate = append(c.pair.Certificate, link.Raw)
	}
	c.setNames()
	return c, nil
}

// issuers are the certificates of authorities read so far, by their bytes. The
// files of a large edge all repeat the same few.
type issuers map[string]*x509.Certificate

// parse reads a certificate, that of an authority once.
func (known issuers) parse(der []byte) (*x509.Certificate, error) {
	if c := known[string(der)]; c != nil {
		return c, nil
	}
	c, err := x509.ParseCertificate(der)
	if err == nil && c.IsCA {
		known[string(der)] = c
	}
	return c, err
}

// parseKey reads the one private key among blocks and checks its strength. With
// the error comes how to mend it.
func parseKey(blocks []*pem.Block) (key crypto.Signer, mend string, err error) {
	switch len(blocks) {
	case 0:
		return nil, "", ErrKeyMissing
	case 1:
	default:
		return nil, "one file for each certificate with its key",
			fmt.Errorf("%d private keys in one file", len(blocks))
	}
	block := blocks[0]
	if block.Type == "ENCRYPTED PRIVATE KEY" ||
		strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, "decrypt it with: openssl pkey -in KEY -out NEWKEY", ErrKeyEncrypted
	}
	parsed, err := parseKeyDER(block.Bytes)
	if err != nil {
		return nil, "", err
	}
	switch k := parsed.(type) {
	case *rsa.PrivateKey:
		if bits := k.N.BitLen(); bits < minRSA {
			return nil, "RSA needs 2048 bits", fmt.Errorf("RSA, %d bits: %w", bits, ErrKeyWeak)
		}
		return k, "", nil
	case *ecdsa.PrivateKey:
		if bits := k.Params().BitSize; bits < 256 {
			return nil, "use P-256", fmt.Errorf("ECDSA, %d bits: %w", bits, ErrKeyWeak)
		}
		return k, "", nil
	case ed25519.PrivateKey:
		return k, "", nil
	}
	return nil, "use ECDSA or RSA", fmt.Errorf("%T: %w", parsed, ErrKeyWeak)
}

// parseKeyDER tries the three forms by content: the names of PEM blocks are
// often wrong.
func parseKeyDER(der []byte) (any, error) {
	key, pkcs8Err := x509.ParsePKCS8PrivateKey(der)
	if pkcs8Err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	return nil, fmt.Errorf("unreadable private key: %w", pkcs8Err)
}

// chainFor orders certificates as TLS sends them (RFC 8446, section 4.4.2):
// the one that belongs to key, then each one's issuer as far as they are given.
// It returns nil when none belongs to key.
func chainFor(key crypto.Signer, given []*x509.Certificate) []*x509.Certificate {
	type publicKey interface{ Equal(crypto.PublicKey) bool }
	public, ok := key.Public().(publicKey)
	if !ok {
		return nil
	}
	at := slices.IndexFunc(given, func(c *x509.Certificate) bool {
		return public.Equal(c.PublicKey)
	})
	if at < 0 {
		return nil
	}
	chain := []*x509.Certificate{given[at]}
	rest := slices.Delete(slices.Clone(given), at, at+1)
	for len(rest) > 0 {
		last := chain[len(chain)-1]
		at := slices.IndexFunc(rest, func(c *x509.Certificate) bool {
			return bytes.Equal(last.RawIssuer, c.RawSubject) && signed(last, c)
		})
		if at < 0 {
			break
		}
		chain = append(chain, rest[at])
		rest = slices.Delete(rest, at, at+1)
	}
	return chain
}

// signed reports whether issuer, whose name c bears, is who signed it. Their key
// identifiers tell (RFC 5280, section 4.2.1.1). The signature is only asked where
// those are missing, since checking it takes longer than all else of a file.
func signed(c, issuer *x509.Certificate) bool {
	if len(c.AuthorityKeyId) > 0 && len(issuer.SubjectKeyId) > 0 && issuer.IsCA {
		return bytes.Equal(c.AuthorityKeyId, issuer.SubjectKeyId)
	}
	return c.CheckSignatureFrom(issuer) == nil
}

// setNames collects what the certificate is for. Certificates without subject
// alternative names are refused by clients (RFC 9525, section 6.3), but the name
// still chooses among them.
func (c *certificate) setNames() {
	leaf := c.leaf()
	for _, name := range leaf.DNSNames {
		c.names = append(c.names, canonical(name))
	}
	for _, address := range leaf.IPAddresses {
		c.names = append(c.names, address.String())
	}
	if len(c.names) == 0 {
		c.notes = append(c.notes, "no subject alternative name; clients refuse it")
		if name := canonical(leaf.Subject.CommonName); name != "" {
			c.names = append(c.names, name)
		}
	}
}
