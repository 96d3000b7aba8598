package acme

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"
)

// issuer orders certificates of one authority. It is ours and not certmagic's,
// which opens listeners for challenges and reads answers without a bound.
type issuer struct {
	directory string
	key       string // of the authority, in the store
	host      string // of the authority, for people
	email     string
	external  *ExternalAccount
	http      *http.Client
	storage   *Storage
	limit     *limiter
	solvers   map[string]acmez.Solver
	log       *zap.Logger

	mu    sync.Mutex
	ready *acmez.Client // knows the directory; nil: not reached yet
	since time.Time
}

// directoryLife is how long an authority is taken to be as it said.
const directoryLife = 12 * time.Hour

var _ certmagic.Issuer = (*issuer)(nil)

// newIssuer checks what can be checked without asking the authority.
func newIssuer(ca CA, o *Options) (*issuer, error) {
	u, err := url.Parse(ca.Directory)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("directory %q: not a URL", ca.Directory)
	}
	if u.Scheme != "https" {
		return nil, fmt.Errorf("directory %q: %w", ca.Directory, ErrInsecure)
	}
	roots, err := rootsOf(ca.CAFile)
	if err != nil {
		return nil, err
	}
	external, err := ca.ExternalAccount.check()
	if err != nil {
		return nil, err
	}
	named := certmagic.ACMEIssuer{CA: ca.Directory}
	return &issuer{
		directory: ca.Directory, key: named.IssuerKey(), host: u.Host,
		email: o.Email, external: external, http: newHTTPClient(roots), log: o.Log,
	}, nil
}

// IssuerKey names the authority in the store.
func (i *issuer) IssuerKey() string { return i.key }

// Issue orders a certificate, as part of the try in ctx. certmagic goes on to the
// next issuer after any error; that is not always right, so the try decides.
func (i *issuer) Issue(
	ctx context.Context, csr *x509.CertificateRequest,
) (*certmagic.IssuedCertificate, error) {
	t := tryOf(ctx)
	if t.stop != nil {
		return nil, t.stop
	}
	chain, err := i.order(ctx, t, csr)
	if err != nil {
		if ctx.Err() != nil {
			t.stop = err
		}
		t.reasons = append(t.reasons, i.host+": "+reason(err))
		return nil, err
	}
	return &certmagic.IssuedCertificate{Certificate: chain.ChainPEM, Metadata: chain}, nil
}

func (i *issuer) order(
	ctx context.Context, t *try, csr *x509.CertificateRequest,
) (acme.Certificate, error) {
	client, err := i.client(ctx)
	if err != nil {
		return acme.Certificate{}, err
	}
	directory, err := client.GetDirectory(ctx)
	if err != nil {
		return acme.Certificate{}, err
	}
	t.newOrder, t.paid = directory.NewOrder, false
	t.take = func(ctx context.Context) error { return i.limit.take(ctx, i.key) }
	used, err := i.account(ctx, client)
	if err != nil {
		return acme.Certificate{}, err
	}
	params, err := acmez.OrderParametersFromCSR(used, csr)
	if err != nil {
		return acme.Certificate{}, err
	}
	if directory.RenewalInfo != "" && t.issuer == i.key {
		params.Replaces = t.replaces
	}
	chains, err := client.ObtainCertificate(ctx, params)
	if err != nil && params.Replaces != nil && t.refused(err) {
		i.log.Info("the authority does not take the order as a renewal; ordered anew",
			zap.String("ca", i.host), zap.String("reason", reason(err)))
		params.Replaces = nil
		chains, err = client.ObtainCertificate(ctx, params)
	}
	if err != nil && i.lost(ctx, client, used, err) {
		i.log.Warn("the authority closed our account; another is registered",
			zap.String("ca", i.host), zap.String("account", used.Location))
		if err := i.forget(ctx, used); err != nil {
			return acme.Certificate{}, err
		}
		if params.Account, err = i.account(ctx, client); err != nil {
			return acme.Certificate{}, err
		}
		params.Replaces = nil
		chains, err = client.ObtainCertificate(ctx, params)
	}
	if err != nil {
		return acme.Certificate{}, err
	}
	if len(chains) == 0 {
		return acme.Certificate{}, fmt.Errorf("no certificate: %w", ErrAnswer)
	}
	return chains[0], checkChain(chains[0].ChainPEM, csr, time.Now())
}

// renewalInfo asks when a certificate is to be renewed (RFC 9773).
func (i *issuer) renewalInfo(
	ctx context.Context, leaf *x509.Certificate,
) (acme.RenewalInfo, error) {
	client, err := i.client(ctx)
	if err != nil {
		return acme.RenewalInfo{}, err
	}
	return client.GetRenewalInfo(ctx, leaf)
}

// client returns one that knows the directory. The library's own log stays silent,
// as it repeats what goes over the wire.
func (i *issuer) client(ctx context.Context) (*acmez.Client, error) {
	i.mu.Lock()
	client, since := i.ready, i.since
	i.mu.Unlock()
	if client != nil && time.Since(since) < directoryLife {
		return client, nil
	}
	if err := i.reach(ctx); err != nil {
		return nil, err
	}
	client = &acmez.Client{
		Client: &acme.Client{
			Directory: i.directory, HTTPClient: i.http, UserAgent: "doorward",
		},
		ChallengeSolvers: i.solvers,
	}
	if _, err := client.GetDirectory(ctx); err != nil {
		return nil, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ready, i.since = client, time.Now()
	return client, nil
}

// reach returns why the authority cannot be asked. The library would try for long,
// and all the while let nobody else ask any other authority.
func (i *issuer) reach(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, i.directory, nil)
	if err != nil {
		return err
	}
	answer, err := i.http.Do(r)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// checkChain sees that a chain is what was ordered, before it takes the place of
// one that works.
func checkChain(chain []byte, csr *x509.CertificateRequest, now time.Time) error {
	certificates, err := parseChain(chain)
	if err != nil {
		return err
	}
	leaf := certificates[0]
	public, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(csr.PublicKey) {
		return fmt.Errorf("the certificate has another key: %w", ErrAnswer)
	}
	for _, name := range csr.DNSNames {
		if !slices.Contains(leaf.DNSNames, name) {
			return fmt.Errorf("the certificate is not for %s: %w", name, ErrAnswer)
		}
	}
	if !now.Before(leaf.NotAfter) {
		return fmt.Errorf("the certificate has ended: %w", ErrAnswer)
	}
	for n, c := range certificates[1:] {
		if certificates[n].CheckSignatureFrom(c) != nil {
			return fmt.Errorf("the chain does not hold together: %w", ErrAnswer)
		}
	}
	return nil
}

// parseChain reads PEM with certificates alone, the leaf first.
func parseChain(chain []byte) ([]*x509.Certificate, error) {
	var der bytes.Buffer
	for {
		var block *pem.Block
		if block, chain = pem.Decode(chain); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("a block %q among certificates: %w", block.Type, ErrAnswer)
		}
		der.Write(block.Bytes)
	}
	certificates, err := x509.ParseCertificates(der.Bytes())
	if err != nil {
		return nil, errors.Join(ErrAnswer, err)
	}
	if len(certificates) == 0 {
		return nil, fmt.Errorf("no certificate: %w", ErrAnswer)
	}
	return certificates, nil
}
