package backend

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
	"os"
	"slices"
)

// resumable is how many TLS sessions each server may leave with us.
const resumable = 32

// tlsMaterial is what TLSOptions say, with the files read.
type tlsMaterial struct {
	config *tls.Config
	pins   [][sha256.Size]byte
	// digest tells materials apart, by content and not by file names.
	digest [sha256.Size]byte
}

// loadTLS reads the files. Errors name them.
func loadTLS(o *TLSOptions) (*tlsMaterial, error) {
	if o == nil {
		o = &TLSOptions{Verify: true}
	}
	sum := sha256.New()
	m := &tlsMaterial{pins: o.Pins, config: &tls.Config{
		ServerName:         o.ServerName,
		InsecureSkipVerify: !o.Verify,
		MinVersion:         max(o.MinVersion, tls.VersionTLS12),
		NextProtos:         []string{"http/1.1"},
		// The sizes of writes are ours to choose.
		DynamicRecordSizingDisabled: true,
	}}
	fmt.Fprintf(sum, "%t %q %d %x\n", o.Verify, o.ServerName, m.config.MinVersion, o.Pins)
	if o.CAFile != "" {
		pool, err := loadCAs(o.CAFile, sum)
		if err != nil {
			return nil, err
		}
		m.config.RootCAs = pool
	}
	if o.Certificate != "" {
		pair, err := loadPair(o.Certificate, o.Key, sum)
		if err != nil {
			return nil, err
		}
		m.config.Certificates = []tls.Certificate{pair}
	}
	sum.Sum(m.digest[:0])
	return m, nil
}

// readFile reads a file into sum as well, marked with its length.
func readFile(name string, sum hash.Hash) ([]byte, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	_ = binary.Write(sum, binary.BigEndian, int64(len(data)))
	sum.Write(data)
	return data, nil
}

// loadCAs reads a file of CA certificates. One that holds none would trust
// nobody, or with a laxer reading everybody, so it is an error (BE-03).
func loadCAs(name string, sum hash.Hash) (*x509.CertPool, error) {
	rest, err := readFile(name, sum)
	if err != nil {
		return nil, fmt.Errorf("tls.ca_file: %w", err)
	}
	pool, found := x509.NewCertPool(), false
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file %s: %w", name, err)
		}
		pool.AddCert(cert)
		found = true
	}
	if !found {
		return nil, fmt.Errorf("tls.ca_file %s: no PEM block CERTIFICATE in it", name)
	}
	return pool, nil
}

func loadPair(name, key string, sum hash.Hash) (tls.Certificate, error) {
	certPEM, err := readFile(name, sum)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tls.certificate: %w", err)
	}
	keyPEM := certPEM
	if key != "" && key != name {
		if keyPEM, err = readFile(key, sum); err != nil {
			return tls.Certificate{}, fmt.Errorf("tls.key: %w", err)
		}
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tls.certificate %s: %w", name, err)
	}
	return pair, nil
}

// clientConfig is the configuration for one server. It has sessions of its own
// to resume, so that none outlives the rules it was verified by (BE-04).
func (m *tlsMaterial) clientConfig(a address) (*tls.Config, error) {
	c := m.config.Clone()
	c.ClientSessionCache = tls.NewLRUClientSessionCache(resumable)
	if c.ServerName == "" {
		c.ServerName = a.host
		if a.ip.IsValid() {
			c.ServerName = a.ip.WithZone("").String()
		}
	}
	if c.ServerName == "" && !c.InsecureSkipVerify {
		return nil, errors.New("tls.server_name is needed to verify a server on a unix socket")
	}
	if len(m.pins) > 0 {
		c.VerifyConnection = m.checkPins
	}
	return c, nil
}

// checkPins runs after the verification of the certificate, if there is one, and
// on resumed connections too.
func (m *tlsMaterial) checkPins(state tls.ConnectionState) error {
	for _, chain := range state.VerifiedChains {
		if slices.ContainsFunc(chain, m.pinned) {
			return nil
		}
	}
	if len(state.PeerCertificates) == 0 {
		return ErrPin
	}
	leaf, others := state.PeerCertificates[0], state.PeerCertificates[1:]
	if m.pinned(leaf) {
		return nil
	}
	if len(state.VerifiedChains) > 0 {
		return ErrPin
	}
	return m.signedByPinned(leaf, others)
}

// signedByPinned tells whether a pinned CA among the certificates that the
// server sent has really signed for the leaf. That it was sent proves nothing:
// CA certificates are public.
func (m *tlsMaterial) signedByPinned(leaf *x509.Certificate, sent []*x509.Certificate) error {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	found := false
	for _, cert := range sent {
		if m.pinned(cert) {
			roots.AddCert(cert)
			found = true
		} else {
			between.AddCert(cert)
		}
	}
	if !found {
		return ErrPin
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}

func (m *tlsMaterial) pinned(cert *x509.Certificate) bool {
	return slices.Contains(m.pins, sha256.Sum256(cert.RawSubjectPublicKeyInfo))
}
