package tls_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io/fs"
	"math/big"
	"path/filepath"
	"testing"
	"time"

	doortls "doorward/tls"
)

// visitor is a client's certificate from issuer, changed by change.
func visitor(t testing.TB, issuer *signed, change func(*x509.Certificate)) *signed {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "visitor"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(template)
	}
	key := ecKey(t)
	return &signed{sign(t, template, issuer, key.Public()), key, issuer}
}

func sign(t testing.TB, c *x509.Certificate, issuer *signed, key crypto.PublicKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, issuer.cert, key, issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func authority(t testing.TB, name string) *signed {
	t.Helper()
	return issue(t, wish{common: name, authority: true})
}

// clientCA reads a file with the certificates of the list.
func clientCA(t testing.TB, list ...*signed) *doortls.ClientCA {
	t.Helper()
	text := "# whom we trust\n"
	for _, s := range list {
		text += s.certPEM()
	}
	file := filepath.Join(files{"ca.pem": text}.in(t, t.TempDir()), "ca.pem")
	ca, warnings, err := doortls.ReadClientCA(file)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("ReadClientCA = %v, %v", warnings, err)
	}
	return ca
}

func TestClientCA_sameForTheSameCAs(t *testing.T) {
	a, b := authority(t, "a"), authority(t, "b")
	both := clientCA(t, a, b).ID()
	if got := clientCA(t, b, a, b).ID(); got != both {
		t.Errorf("in another order %s, want %s", got, both)
	}
	for _, other := range []*signed{a, b} {
		if clientCA(t, other).ID() == both {
			t.Error("one of two CAs has the identity of both")
		}
	}
}

func TestClientCA_expired(t *testing.T) {
	old := issue(t, wish{common: "old", authority: true,
		from: time.Now().Add(-2 * time.Hour), to: time.Now().Add(-time.Hour)})
	dir := files{"ca.pem": old.certPEM()}.in(t, t.TempDir())
	_, warnings, err := doortls.ReadClientCA(filepath.Join(dir, "ca.pem"))
	if err != nil || len(warnings) != 1 {
		t.Errorf("ReadClientCA = %v, %v, want one warning", warnings, err)
	}
}

// TestClientCA_security: a file that does not say whom to trust is an error, and
// never a policy that trusts anybody or asks nobody.
func TestClientCA_security(t *testing.T) {
	ca := authority(t, "ca")
	leaf := visitor(t, ca, nil)
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"HOST-11 empty":              {"", doortls.ErrNotPEM},
		"HOST-11 text":               {"trust everybody\n", doortls.ErrNotPEM},
		"HOST-11 no CA":              {leaf.certPEM(), doortls.ErrNotAuthority},
		"HOST-11 one is no CA":       {ca.certPEM() + leaf.certPEM(), doortls.ErrNotAuthority},
		"HOST-11 a key too":          {ca.certPEM() + ca.keyPEM(t), doortls.ErrKeyThere},
		"HOST-11 list of revocation": {ca.certPEM() + block("X509 CRL", ca.cert.Raw), doortls.ErrNotCertificate},
		"HOST-11 cut off":            {ca.certPEM() + ca.certPEM()[:100], doortls.ErrDamaged},
		"HOST-11 not a certificate":  {block("CERTIFICATE", []byte("x")), nil},
		"HOST-11 too large":          {ca.certPEM() + string(make([]byte, 1<<20)), doortls.ErrFileTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(files{"ca.pem": c.text}.in(t, t.TempDir()), "ca.pem")
			wantCAFault(t, file, c.want)
		})
	}
	t.Run("HOST-11 missing", func(t *testing.T) {
		wantCAFault(t, filepath.Join(t.TempDir(), "ca.pem"), fs.ErrNotExist)
	})
	t.Run("HOST-11 folder", func(t *testing.T) { wantCAFault(t, t.TempDir(), nil) })
}

func wantCAFault(t *testing.T, file string, want error) {
	t.Helper()
	ca, _, err := doortls.ReadClientCA(file)
	var fault *doortls.FileError
	if ca != nil || !errors.As(err, &fault) || fault.File != file || want != nil && !errors.Is(err, want) {
		t.Errorf("ReadClientCA = %v, %v, want %v", ca, err, want)
	}
}

func TestClientCA_verify(t *testing.T) {
	root, other := authority(t, "root"), authority(t, "other")
	between := issue(t, wish{common: "between", authority: true, issuer: root, to: soon(30 * time.Minute)})
	usage := func(list ...x509.ExtKeyUsage) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtKeyUsage = list }
	}
	for name, c := range map[string]struct {
		chain []*signed
		want  error
		until time.Time
	}{
		"signed by the CA": {chain: []*signed{visitor(t, root, nil)}, until: soon(time.Hour)},
		// It is good for as long as all that it hangs on are.
		"signed by one between": {
			chain: []*signed{visitor(t, between, nil), between}, until: soon(30 * time.Minute)},
		"more than needed": {
			chain: []*signed{visitor(t, root, nil), other, between, root}, until: soon(time.Hour)},
		"for any purpose": {chain: []*signed{visitor(t, root, usage())}, until: soon(time.Hour)},
		"for a server": {
			chain: []*signed{visitor(t, root, usage(x509.ExtKeyUsageServerAuth))},
			want:  doortls.ErrClientUsage},
		"for mail": {
			chain: []*signed{visitor(t, root, usage(x509.ExtKeyUsageEmailProtection))},
			want:  doortls.ErrClientUsage},
		"one between is missing": {
			chain: []*signed{visitor(t, between, nil)}, want: doortls.ErrClientIssuer},
		"signed by another": {
			chain: []*signed{visitor(t, other, nil), other}, want: doortls.ErrClientIssuer},
		"signed by itself": {chain: []*signed{named(t, "a")}, want: doortls.ErrClientIssuer},
		"signed by no CA": {
			chain: []*signed{visitor(t, visitor(t, root, nil), nil), visitor(t, root, nil)},
			want:  doortls.ErrClientIssuer},
		"expired": {chain: []*signed{visitor(t, root, func(c *x509.Certificate) {
			c.NotAfter = time.Now().Add(-time.Minute)
		})}, want: doortls.ErrClientExpired},
		"from tomorrow": {chain: []*signed{visitor(t, root, func(c *x509.Certificate) {
			c.NotBefore = soon(time.Minute)
		})}, want: doortls.ErrClientEarly},
		"critical extension": {chain: []*signed{visitor(t, root, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3}, Critical: true}}
		})}, want: doortls.ErrClientInvalid},
		"none": {want: doortls.ErrClientInvalid},
	} {
		var chain []*x509.Certificate
		for _, s := range c.chain {
			chain = append(chain, s.cert)
		}
		until, err := clientCA(t, root).Verify(chain, time.Now())
		if err != c.want || until.Sub(c.until).Abs() > time.Minute {
			t.Errorf("%s: Verify = %v, %v, want %v, %v", name, until, err, c.until, c.want)
		}
	}
}

func soon(d time.Duration) time.Time { return time.Now().Add(d) }
