package tls_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"doorward/internal/alloctest"
	doortls "doorward/tls"
)

// guarded are a Manager for *.example whose clients are asked by rules.
func guarded(t *testing.T, rules ...doortls.ClientRule) *doortls.Manager {
	t.Helper()
	return serving(t, func(o *doortls.Options) { o.Clients = rules }, "*.example")
}

// showing is a client that answers every question with a chain; none is no answer.
func showing(name string, chain ...*signed) *tls.Config {
	pair := &tls.Certificate{}
	for _, s := range chain {
		pair.Certificate = append(pair.Certificate, s.cert.Raw)
	}
	if len(chain) > 0 {
		pair.PrivateKey = chain[0].key
	}
	cfg := asking(name)
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return pair, nil
	}
	return cfg
}

func TestClientPolicy(t *testing.T) {
	a, b := clientCA(t, authority(t, "a")), clientCA(t, authority(t, "b"))
	rules := []doortls.ClientRule{
		{Hosts: []string{"off.example"}, Whole: true},
		{Hosts: []string{"part.example", "PART2.example"}},
		{Hosts: []string{"a.example", "part.example", "[::1]"}, CA: a, Whole: true},
		{Hosts: []string{"a.example"}, CA: b},
		{Hosts: []string{"two.example"}, CA: a},
		{Hosts: []string{"two.example", "three.example"}, CA: b, Whole: true},
		{Hosts: []string{"*.wild.example", "~x[0-9]\\.example"}, CA: a},
		{Hosts: []string{"own.wild.example"}, CA: b},
		{Hosts: []string{"~x[1-2]\\.example"}, Whole: true},
		{CA: b},
	}
	m := guarded(t, rules...)
	both := m.ClientPolicy([]byte("two.example"))
	if both == a.ID() || both == b.ID() || both == "" {
		t.Errorf("two.example has %q, want a policy of its own", both)
	}
	for host, want := range map[string]string{
		"off.example":        "",     // a whole rule comes before all that ask
		"a.example":          a.ID(), // a whole rule comes before the second
		"part.example":       a.ID(), // one without certificates takes some requests
		"part2.example":      b.ID(), // and the last rule takes the others
		"three.example":      b.ID(),
		"any.wild.example":   both,
		"own.wild.example":   both,
		"b.any.wild.example": b.ID(),
		"wild.example":       b.ID(),
		"x1.example":         a.ID(),
		"x3.example":         both,
		"x10.example":        b.ID(),
		"unknown":            b.ID(),
		"":                   both, // of all that an address may lead to
		"[::1]":              both,
		"192.0.2.1":          both,
	} {
		if got := m.ClientPolicy([]byte(host)); got != want {
			t.Errorf("%q: policy %q, want %q", host, got, want)
		}
	}
	if got := guarded(t, rules[0], rules[1]).ClientPolicy([]byte("a.example")); got != "" {
		t.Errorf("policy %q where no rule asks", got)
	}
	if got := guarded(t, doortls.ClientRule{CA: a, Hosts: []string{"a.example"}}).ClientPolicy(nil); got != "" {
		t.Errorf("policy %q for clients that name no host", got)
	}
	_, _, err := doortls.Load(doortls.Options{
		Clients: []doortls.ClientRule{{Hosts: []string{"~("}, CA: a}},
	}, nil)
	if err == nil {
		t.Error("a broken expression is loaded")
	}
}

func TestClientPolicy_allocatesNothingForNames(t *testing.T) {
	m := guarded(t, doortls.ClientRule{CA: clientCA(t, authority(t, "a")), Hosts: []string{"a.example"}})
	host := []byte("a.example")
	if n := alloctest.PerRun(100, func() { m.ClientPolicy(host) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestHandshake_asksForCertificates(t *testing.T) {
	root := authority(t, "root")
	m := guarded(t, doortls.ClientRule{CA: clientCA(t, root), Hosts: []string{"a.example"}})
	good, foreign := visitor(t, root, nil), visitor(t, authority(t, "other"), nil)
	for _, c := range []struct {
		host  string
		chain []*signed
		seen  int
	}{
		{"a.example", []*signed{good, root}, 2},
		{"A.EXAMPLE", []*signed{good}, 1},
		// Who shows none, or a bad one, gets an answer that says so.
		{"a.example", nil, 0},
		{"a.example", []*signed{foreign}, 1},
		{"b.example", []*signed{good}, 0},
	} {
		asked := false
		client := showing(c.host, c.chain...)
		show := client.GetClientCertificate
		client.GetClientCertificate = func(i *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = true
			if len(i.AcceptableCAs) != 1 || string(i.AcceptableCAs[0]) != string(root.cert.RawSubject) {
				t.Errorf("CAs asked for: %q", i.AcceptableCAs)
			}
			return show(i)
		}
		got := handshake(t, m, client)
		got.leaf(t)
		if n := len(got.server.PeerCertificates); n != c.seen || asked != (c.host != "b.example") {
			t.Errorf("%s: asked %v, %d certificates seen, want %d", c.host, asked, n, c.seen)
		}
	}
}

// TestClientAuth_security holds the attack cases about certificates of clients.
func TestClientAuth_security(t *testing.T) {
	for name, run := range map[string]func(*testing.T){
		"HOST-08 ticket without a certificate":          ticketWithoutCertificate,
		"HOST-08 ticket of a host that asks for others": ticketOfAnotherPolicy,
		"HOST-08 ticket from before a reload":           ticketFromBefore,
		"HOST-10 no name":                               namelessClient,
		"HOST-19 malicious certificates":                maliciousCertificates,
		"HOST-20 many CAs":                              manyCAs,
	} {
		t.Run(name, run)
	}
}

func versions() []uint16 { return []uint16{tls.VersionTLS12, tls.VersionTLS13} }

// resumes does a handshake and tells whether it went on with the session before.
func resumes(t *testing.T, m *doortls.Manager, client *tls.Config) bool {
	t.Helper()
	got := handshake(t, m, client)
	got.leaf(t)
	return got.server.DidResume
}

// ticketWithoutCertificate: a client that had none, or a bad one, is asked again.
func ticketWithoutCertificate(t *testing.T) {
	root := authority(t, "root")
	m := guarded(t, doortls.ClientRule{CA: clientCA(t, root), Hosts: []string{"a.example"}})
	good := visitor(t, root, nil)
	for _, version := range versions() {
		cache := &stealing{}
		for i, step := range []struct {
			chain   []*signed
			resumed bool
		}{
			{nil, false}, {nil, false}, {[]*signed{named(t, "x")}, false},
			{[]*signed{good}, false}, {[]*signed{good}, true}, {nil, true},
		} {
			client := showing("a.example", step.chain...)
			client.MaxVersion, client.ClientSessionCache = version, cache
			if got := resumes(t, m, client); got != step.resumed {
				t.Errorf("%s, step %d: resumed %v", tls.VersionName(version), i, got)
			}
		}
	}
}

// ticketOfAnotherPolicy offers the session of one host to another, whose
// certificate is the same.
func ticketOfAnotherPolicy(t *testing.T) {
	first, second := authority(t, "first"), authority(t, "second")
	m := guarded(t,
		doortls.ClientRule{CA: clientCA(t, first), Hosts: []string{"first.example"}},
		doortls.ClientRule{CA: clientCA(t, second), Hosts: []string{"second.example"}})
	visitors := map[string]*signed{
		"first.example": visitor(t, first, nil), "second.example": visitor(t, second, nil),
		"public.example": visitor(t, second, nil),
	}
	for _, version := range versions() {
		for from, shown := range visitors {
			for to := range visitors {
				cache := &stealing{}
				client := showing(from, shown)
				client.MaxVersion, client.ClientSessionCache = version, cache
				handshake(t, m, client).leaf(t)
				client.ServerName = to
				if got := resumes(t, m, client); got != (from == to) {
					t.Errorf("%s, %s to %s: resumed %v", tls.VersionName(version), from, to, got)
				}
			}
		}
	}
}

// ticketFromBefore offers a session from before the host asked for certificates, or
// for others.
func ticketFromBefore(t *testing.T) {
	root, other := authority(t, "root"), authority(t, "other")
	rule := func(ca *signed) []doortls.ClientRule {
		return []doortls.ClientRule{{CA: clientCA(t, ca), Hosts: []string{"a.example"}}}
	}
	open := mustLoad(t, doortls.Options{
		Certificates: []string{combined(t, named(t, "a.example"))}, Tickets: true}, nil)
	next := func(before *doortls.Manager, rules []doortls.ClientRule) *doortls.Manager {
		o := doortls.Options{Tickets: true, Clients: rules}
		o.Certificates = []string{combined(t, named(t, "a.example"))}
		return mustLoad(t, o, before)
	}
	for _, version := range versions() {
		client := showing("a.example", visitor(t, root, nil))
		client.MaxVersion, client.ClientSessionCache = version, &stealing{}
		m := open
		for i, step := range []struct {
			rules   []doortls.ClientRule
			resumed bool
		}{{nil, false}, {nil, true}, {rule(root), false}, {rule(root), true}, {rule(other), false},
			{nil, false}, {nil, true}} {
			m = next(m, step.rules)
			if got := resumes(t, m, client); got != step.resumed {
				t.Errorf("%s, step %d: resumed %v", tls.VersionName(version), i, got)
			}
		}
	}
}

// namelessClient: who names no host is asked for what addresses want, and not for
// what some name wants.
func namelessClient(t *testing.T) {
	root := authority(t, "root")
	for _, c := range []struct {
		hosts []string
		seen  int
	}{{[]string{"a.example"}, 0}, {[]string{"192.0.2.1"}, 1}, {nil, 1}} {
		m := guarded(t, doortls.ClientRule{CA: clientCA(t, root), Hosts: c.hosts})
		got := handshake(t, m, showing("", visitor(t, root, nil)))
		got.leaf(t)
		if n := len(got.server.PeerCertificates); n != c.seen {
			t.Errorf("%q: %d certificates seen, want %d", c.hosts, n, c.seen)
		}
		if policy := m.ClientPolicy([]byte("a.example")); c.seen == 0 && policy == m.ClientPolicy(nil) {
			t.Error("a connection without a name is as good as one for a.example")
		}
	}
}

// maliciousCertificates must end the handshake, whoever signed them.
func maliciousCertificates(t *testing.T) {
	root := authority(t, "root")
	m := guarded(t, doortls.ClientRule{CA: clientCA(t, root), Hosts: []string{"a.example"}})
	good := visitor(t, root, nil)
	names := visitor(t, root, func(c *x509.Certificate) {
		for i := range 10000 {
			c.DNSNames = append(c.DNSNames, fmt.Sprintf("host-%d.example", i))
		}
	})
	var many []*signed
	for range 11 {
		many = append(many, good)
	}
	large := *visitor(t, root, nil)
	modulus := new(big.Int).SetBit(big.NewInt(1), 8192, 1)
	large.cert = sign(t, large.cert, root, &rsa.PublicKey{N: modulus, E: 65537})
	odd := *visitor(t, root, nil)
	key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	odd.cert = sign(t, odd.cert, root, key.Public())
	raw := func(der string) *signed {
		return &signed{&x509.Certificate{Raw: []byte(der)}, good.key, nil}
	}
	for name, c := range map[string]struct {
		chain []*signed
		want  string
	}{
		"10,000 names":            {[]*signed{names}, "more than 10 certificates or 32 KiB"},
		"10,000 names behind":     {[]*signed{good, names}, "more than 10 certificates or 32 KiB"},
		"11 certificates":         {many, "more than 10 certificates or 32 KiB"},
		"RSA of 8193 bits":        {[]*signed{&large}, "larger than 8192 bits"},
		"RSA of 8193 bits behind": {[]*signed{good, &large}, "larger than 8192 bits"},
		"curve of no TLS":         {[]*signed{&odd}, "invalid signature"},
		"nothing":                 {[]*signed{raw("x")}, "parse client certificate"},
		"nested":                  {[]*signed{raw(strings.Repeat("\x30\x80", 1<<14))}, "parse client certificate"},
		"somebody else's":         {[]*signed{{good.cert, ecKey(t), nil}}, "invalid signature"},
		"more than a message": {
			[]*signed{raw(strings.Repeat("x", 1<<18))}, "exceeds maximum"},
	} {
		for _, version := range versions() {
			client := showing("a.example", c.chain...)
			client.MaxVersion = version
			got := handshake(t, m, client)
			if got.serverErr == nil || !strings.Contains(got.serverErr.Error(), c.want) {
				t.Errorf("%s, %s: server %v, want %q", tls.VersionName(version), name,
					got.serverErr, c.want)
			}
		}
	}
	handshake(t, m, showing("a.example", good)).leaf(t)
}

// manyCAs: routes of one host that trust different CAs ask for all of them at once,
// and for none by name when these are more than fit into a message.
func manyCAs(t *testing.T) {
	var rules []doortls.ClientRule
	var list []*signed
	for i := range 40 {
		ca := authority(t, fmt.Sprintf("%02d %s", i, strings.Repeat("x", 1000)))
		list = append(list, ca)
		rules = append(rules, doortls.ClientRule{CA: clientCA(t, ca), Hosts: []string{"a.example"}})
	}
	for _, c := range []struct{ rules, hints int }{{1, 1}, {20, 20}, {40, 0}} {
		m := guarded(t, rules[:c.rules]...)
		client := showing("a.example", visitor(t, list[0], nil))
		show := client.GetClientCertificate
		client.GetClientCertificate = func(i *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if len(i.AcceptableCAs) != c.hints {
				t.Errorf("%d CAs: %d asked for by name, want %d", c.rules, len(i.AcceptableCAs), c.hints)
			}
			return show(i)
		}
		got := handshake(t, m, client)
		got.leaf(t)
		if len(got.server.PeerCertificates) != 1 {
			t.Errorf("%d CAs: no certificate arrived", c.rules)
		}
	}
}
