package proxy

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"doorward/proxy/netio"
)

// ClientCertificate says what a route wants of the certificates of its clients. The
// zero value wants nothing.
type ClientCertificate struct {
	// Mode says who passes, Authority which certificates are good.
	Mode      ClientMode
	Authority ClientAuthority
	// Headers are the fields that tell the server. What clients send under these names
	// must be among what Request of every route removes.
	Headers ClientHeaders
}

// ClientMode says who passes.
type ClientMode uint8

const (
	// ClientOff looks at no certificate.
	ClientOff ClientMode = iota
	// ClientRequest lets those pass that show none, and nobody with a bad one.
	ClientRequest
	// ClientRequire lets only those pass that show a good one.
	ClientRequire
)

// ClientAuthority judges certificates. It is used from many goroutines.
type ClientAuthority interface {
	// ID is the same for authorities that judge alike.
	ID() string
	// Verify tells until when the certificate that comes first in what a client sent
	// is good, or why it is not, in words that hold nothing of it.
	Verify(chain []*x509.Certificate, now time.Time) (until time.Time, err error)
}

// ClientHeaders are names of request fields; an empty one is not sent.
type ClientHeaders struct {
	// Verified gets SUCCESS or NONE. The others are sent with SUCCESS alone.
	Verified string
	// Subject and Issuer get names as RFC 4514 writes them, Serial and Fingerprint
	// (SHA-256) hex, NotAfter the end in the form of RFC 3339.
	Subject, Issuer, Serial, Fingerprint, NotAfter string
}

// Why a request is refused for its client's certificate, besides what an authority
// says.
var (
	errOtherPolicy   = errors.New("connection made for a host that asks for other client certificates")
	errNoCertificate = errors.New("client shows no certificate")
	errNamesTooLong  = errors.New("names in the client certificate too long")
	errNoLongerGood  = errors.New("client certificate expired since it was shown")
)

// clientCert is what a connection knows of its client since the handshake. It is
// shared by all requests on the connection.
type clientCert struct {
	// host is the one that the handshake was for, policy what it asked for.
	host, policy string
	// chain is what the client sent. It has the key of the first one; nothing else is
	// known of it.
	chain []*x509.Certificate

	mu     sync.Mutex
	said   clientNames // once an authority has found the certificate good
	judged []judgement
}

// judgement is what one authority makes of the certificate.
type judgement struct {
	authority string
	until     time.Time
	err       error
}

// clientNames are the values of the fields.
type clientNames struct{ subject, issuer, serial, fingerprint, notAfter string }

// newClientCert keeps what a handshake has found out, under the snapshot that it was
// made with; nil when no host asks for certificates.
func newClientCert(s *Snapshot, state *tls.ConnectionState) *clientCert {
	if s == nil || s.ClientPolicy == nil {
		return nil
	}
	host := canonicalSNI(state.ServerName)
	return &clientCert{
		host: string(host), policy: s.ClientPolicy(host), chain: state.PeerCertificates,
	}
}

// canonicalSNI writes a name of a handshake as hosts of requests are written.
func canonicalSNI(name string) []byte {
	b := []byte(strings.TrimSuffix(name, "."))
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return b
}

// asked is what the handshake asked for; "" is nothing.
func (c *clientCert) asked() string {
	if c == nil {
		return ""
	}
	return c.policy
}

// outlived tells whether the policy of a host is not that of the connection because
// it has changed since.
func (c *clientCert) outlived(host []byte) bool { return c == nil || string(host) == c.host }

// judge tells whether an authority finds the certificate good, and what it says then.
// Each is asked once, for as long as the certificate is good.
func (c *clientCert) judge(by ClientAuthority, now time.Time) (clientNames, error) {
	if c == nil || len(c.chain) == 0 {
		return clientNames{}, errNoCertificate
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	id := by.ID()
	for i := range c.judged {
		j := &c.judged[i]
		if j.authority == id {
			if j.err == nil && now.After(j.until) {
				j.err = errNoLongerGood
			}
			return c.said, j.err
		}
	}
	j := judgement{authority: id}
	if j.until, j.err = by.Verify(c.chain, now); j.err == nil {
		j.err = c.read()
	}
	c.judged = append(c.judged, j)
	return c.said, j.err
}

// maxNames bounds what a certificate may say of its holder, as it goes into fields.
const maxNames = 4 << 10

func (c *clientCert) read() error {
	cert := c.chain[0]
	sum := sha256.Sum256(cert.Raw)
	c.said = clientNames{
		subject:     distinguishedName(cert.RawSubject),
		issuer:      distinguishedName(cert.RawIssuer),
		serial:      strings.ToUpper(cert.SerialNumber.Text(16)),
		fingerprint: hex.EncodeToString(sum[:]),
		notAfter:    cert.NotAfter.UTC().Format(time.RFC3339),
	}
	if max(len(c.said.subject), len(c.said.issuer), len(c.said.serial)) > maxNames {
		return errNamesTooLong
	}
	return nil
}

// checkClientCertificate returns the status of a refusal, or 0. A connection is good
// for hosts that ask for what it was asked for; then the route decides whether the
// answer is good enough.
func (x *exchange) checkClientCertificate() int {
	ask, r := x.snap.ClientPolicy, &x.route.Client
	if ask == nil && r.Mode == ClientOff {
		return 0
	}
	cert := x.c.client
	if ask != nil && x.c.l.TLS && ask(x.host) != cert.asked() {
		x.rec.Err = errOtherPolicy
		x.keep = false
		if cert.outlived(x.host) {
			x.leaveConnection()
		}
		return http.StatusMisdirectedRequest
	}
	if r.Mode == ClientOff {
		return 0
	}
	_, err := cert.judge(r.Authority, netio.At(x.began))
	if err == nil || err == errNoCertificate && r.Mode == ClientRequest {
		return 0
	}
	x.rec.Err = err
	x.leaveConnection()
	return http.StatusForbidden
}

// leaveConnection lets the client begin another connection, on which it may show
// another certificate: on this one it cannot.
func (x *exchange) leaveConnection() {
	x.keep = false
	if many := x.c.many.Load(); many != nil {
		many.Drain()
	}
}

// appendClientCertificate writes what the client's certificate says, when the route
// wants to know.
func (x *exchange) appendClientCertificate(b []byte) []byte {
	r := &x.route.Client
	if r.Mode == ClientOff {
		return b
	}
	h := &r.Headers
	said, err := x.c.client.judge(r.Authority, netio.At(x.began))
	if err != nil {
		return appendLine(b, h.Verified, "NONE")
	}
	b = appendLine(b, h.Verified, "SUCCESS")
	b = appendLine(b, h.Subject, said.subject)
	b = appendLine(b, h.Issuer, said.issuer)
	b = appendLine(b, h.Serial, said.serial)
	b = appendLine(b, h.Fingerprint, said.fingerprint)
	return appendLine(b, h.NotAfter, said.notAfter)
}

// appendLine writes a field, unless it has no name.
func appendLine(b []byte, name, value string) []byte {
	if name == "" {
		return b
	}
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}
