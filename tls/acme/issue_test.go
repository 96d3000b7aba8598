package acme_test

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"doorward/internal/pebbletest"
	doortls "doorward/tls"
	"doorward/tls/acme"
)

func TestManage_issues_over_each_challenge(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{NonceReject: 20})
	for _, c := range []struct {
		challenge string
		host      string
		dns       acme.DNS
		name      string
	}{
		{challenge: acme.HTTP01, name: "http.test"},
		{challenge: acme.TLSALPN01, name: "alpn.test"},
		{challenge: acme.DNS01, name: "*.wild.test", host: "any.wild.test"},
	} {
		t.Run(c.challenge, func(t *testing.T) {
			o := optionsFor(p, memory(t))
			o.Challenges = []string{c.challenge}
			o.DNS = acme.DNS{Provider: p.DNS, Resolvers: []string{p.DNS.Address}}
			m := open(t, o)
			e.serve(t, m, c.name)
			if c.host == "" {
				c.host = c.name
			}
			leaf := issued(t, m, c.host)
			_, err := leaf.Verify(x509.VerifyOptions{
				DNSName: c.host, Roots: p.Roots(t), Intermediates: chainOf(t, m, c.host),
			})
			if err != nil {
				t.Error(err)
			}
			s := statusOf(t, m, c.name)
			if s.State != acme.Ready || s.LastError != "" || s.Issuer == "" ||
				!s.NextTry.After(time.Now()) || s.NextTry.Before(s.RenewFrom) ||
				s.NextTry.After(s.RenewUntil) {
				t.Errorf("status %+v", s)
			}
			if got := e.spoken(); c.challenge == acme.TLSALPN01 &&
				!slices.Contains(got, doortls.ChallengeProtocol) {
				t.Errorf("protocols of handshakes %q", got)
			}
			if texts := p.DNS.TXT(t, "_acme-challenge.wild.test"); len(texts) != 0 {
				t.Errorf("records left behind: %q", texts)
			}
		})
	}
}

func chainOf(t testing.TB, m *acme.Manager, name string) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	for _, der := range m.Certificate(name).Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		pool.AddCert(c)
	}
	return pool
}

func TestManage_goes_over_to_a_challenge_that_works(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{})
	m := open(t, optionsFor(p, memory(t)))
	e.serve(t, m, "a.test")
	e.certs.Store(nil) // nobody answers TLS-ALPN-01
	issued(t, m, "a.test")
}

func TestManage_follows_a_cname_to_where_it_may_write(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{})
	p.DNS.SetCNAME(t, "_acme-challenge.there.test", "there.elsewhere.test")
	o := optionsFor(p, memory(t))
	o.DNS = acme.DNS{
		Provider: p.DNS, Resolvers: []string{p.DNS.Address}, FollowCNAME: true, Propagation: -1,
	}
	m := open(t, o)
	e.serve(t, m, "*.there.test")
	issued(t, m, "x.there.test")
}

func TestManage_makes_the_kind_of_key_asked_for(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{})
	for kind, right := range map[string]func(key any) bool{
		"p384":    func(key any) bool { k, ok := key.(*ecdsa.PublicKey); return ok && k.Params().BitSize == 384 },
		"rsa2048": func(key any) bool { k, ok := key.(*rsa.PublicKey); return ok && k.Size() == 256 },
	} {
		o := optionsFor(p, memory(t))
		o.KeyType, o.Challenges = kind, []string{acme.HTTP01}
		m := open(t, o)
		e.serve(t, m, kind+".test")
		if key := issued(t, m, kind+".test").PublicKey; !right(key) {
			t.Errorf("%s: key %T", kind, key)
		}
	}
}

func TestManage_binds_the_account_to_an_external_one(t *testing.T) {
	t.Parallel()
	const secret = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{ExternalAccounts: map[string]string{"kid-1": secret}})
	o := optionsFor(p, memory(t))
	m := open(t, o)
	e.serve(t, m, "a.test")
	wantText(t, failing(t, m, "a.test").LastError, "xternal")
	m.Close()

	o.CA.ExternalAccount = &acme.ExternalAccount{KeyID: "kid-1", HMACKey: secret + "=="}
	m = open(t, o)
	e.serve(t, m, "a.test")
	if err := m.Renew(t.Context(), "a.test"); err != nil {
		t.Fatal(err)
	}
	issued(t, m, "a.test")
}

func TestManage_asks_the_fallback_when_the_first_is_dead(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	first, second := e.pebble(t, pebbletest.Options{}), e.pebble(t, pebbletest.Options{})
	first.Stop()
	o := optionsFor(first, memory(t))
	o.Fallback = &acme.CA{Directory: second.Directory, CAFile: second.CAFile}
	m := open(t, o)
	e.serve(t, m, "a.test")
	leaf := issued(t, m, "a.test")
	if s := statusOf(t, m, "a.test"); s.State != acme.Ready ||
		"https://"+s.CA+"/dir" != second.Directory {
		t.Errorf("status %+v, want the second authority", s)
	}
	second.Stop()
	err := m.Renew(t.Context(), "a.test")
	if err == nil {
		t.Fatal("renewed by authorities that are dead")
	}
	wantText(t, err.Error(), "a.test: 127.0.0.1:", "refused; 127.0.0.1:")
	if !m.Certificate("a.test").Leaf.Equal(leaf) {
		t.Error("the certificate is not kept")
	}
}

func TestManage_keeps_exactly_the_names_it_was_given(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	f := newFront(t, e.pebble(t, pebbletest.Options{Validity: 4 * time.Second}))
	f.byAge()
	o := acme.Options{Store: memory(t), CA: f.ca(), Timing: quick(), Orders: 100}
	m := open(t, o)
	e.serve(t, m, "Stays.test.", "leaves.test", "stays.test")
	issued(t, m, "leaves.test")
	first := issued(t, m, "stays.test")
	e.serve(t, m, "stays.test")
	if c := m.Certificate("leaves.test"); c != nil || len(m.Status()) != 1 {
		t.Errorf("certificate %v, status %+v of a name that left", c, m.Status())
	}
	// What ran when it left has ended at the first renewal of the one that stays.
	second := another(t, m, "stays.test", first)
	then := find(t, o.Store, "/leaves.test.crt")
	another(t, m, "stays.test", second)
	if now := find(t, o.Store, "/leaves.test.crt"); now.Version != then.Version {
		t.Error("a name that left is renewed")
	}
}

func TestTLS_shows_a_temporary_certificate_until_there_is_one(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{})
	p.Stop()
	m := open(t, optionsFor(p, memory(t)))
	e.serve(t, m, "a.test")
	failing(t, m, "a.test")
	certs := e.certs.Load()
	if got := certs.Unready(); !slices.Equal(got, []string{"a.test"}) {
		t.Errorf("unready %q", got)
	}
	p.Again(t)
	issued(t, m, "a.test")
	if got := certs.Unready(); got != nil {
		t.Errorf("unready %q", got)
	}
	list := certs.Certificates()
	want := func(c doortls.Certificate) bool { return c.Source == "acme" && c.Names[0] == "a.test" }
	if !slices.ContainsFunc(list, want) {
		t.Errorf("certificates %+v", list)
	}
}
