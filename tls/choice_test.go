package tls_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"testing"
	"time"

	"doorward/internal/alloctest"
	doortls "doorward/tls"
)

func TestChoice_by_name(t *testing.T) {
	dir := combined(t, named(t, "first.example"), named(t, "*.example", "a.b.example"),
		named(t, "exact.example", "Upper.Example"), named(t, "*"), named(t, "x*.partial.example"))
	lax := mustLoad(t, doortls.Options{
		Certificates: []string{dir}, Internal: []string{"*.localhost", "exact.example"},
	}, nil)
	strict := mustLoad(t, doortls.Options{
		Certificates: []string{dir}, Internal: []string{"*.localhost"}, StrictSNI: true,
	}, nil)
	cases := []struct {
		ask     string
		want    string // first name of the certificate
		unknown bool   // strict: refused
	}{
		{ask: "first.example", want: "first.example"},
		{ask: "exact.example", want: "exact.example"},
		{ask: "EXACT.eXample", want: "exact.example"},
		{ask: "upper.example", want: "exact.example"},
		{ask: "other.example", want: "*.example"},
		{ask: "OTHER.example.", want: "*.example"},
		{ask: "a.b.example", want: "*.example"},
		{ask: "c.b.example", want: "first.example", unknown: true},
		{ask: "example", want: "first.example", unknown: true},
		{ask: "example.org", want: "first.example", unknown: true},
		{ask: "xy.partial.example", want: "first.example", unknown: true},
		{ask: "", want: "first.example", unknown: true},
		{ask: "k.localhost", want: "k.localhost"},
		{ask: "k.k.localhost", want: "first.example", unknown: true},
		{ask: "localhost", want: "first.example", unknown: true},
	}
	for _, c := range cases {
		t.Run(c.ask, func(t *testing.T) {
			if got := handshake(t, lax, asking(c.ask)).leaf(t).DNSNames[0]; got != c.want {
				t.Errorf("%q gets the certificate of %q, want %q", c.ask, got, c.want)
			}
			got := handshake(t, strict, asking(c.ask))
			if c.unknown {
				wantAlert(t, got.clientErr, "unrecognized name")
			} else if name := got.leaf(t).DNSNames[0]; name != c.want {
				t.Errorf("strict: %q gets the certificate of %q, want %q", c.ask, name, c.want)
			}
		})
	}
}

// TestChoice_of_names_a_client_library_would_not_send asks without a handshake:
// crypto/tls refuses a trailing dot on the wire, another reader might not.
func TestChoice_of_names_a_client_library_would_not_send(t *testing.T) {
	dir := combined(t, named(t, "first.example"), named(t, "kelvin.example", "*.w.example"))
	m := mustLoad(t, doortls.Options{Certificates: []string{dir}}, nil)
	for ask, want := range map[string]string{
		"KELVIN.example.":       "kelvin.example",
		"kelvin.example..":      "first.example",
		"\u212Aelvin.example":   "first.example", // the Kelvin sign folds to k in Unicode
		".w.example":            "first.example",
		"w.example":             "first.example",
		"*.w.example":           "kelvin.example",
		"kelvin.example\x00.io": "first.example",
	} {
		c, err := m.ServerConfig().GetCertificate(&tls.ClientHelloInfo{ServerName: ask})
		if err != nil || c.Leaf.DNSNames[0] != want {
			t.Errorf("%q gets %v, %v, want the certificate of %q", ask, c.Leaf.DNSNames, err, want)
		}
	}
}

func TestChoice_by_what_the_client_can_verify(t *testing.T) {
	dir := combined(t,
		issue(t, wish{names: []string{"a.example"}, key: rsaKey()}),
		issue(t, wish{names: []string{"a.example"}, key: edKey(t)}),
		issue(t, wish{names: []string{"a.example"}}))
	m := mustLoad(t, doortls.Options{Certificates: []string{dir}}, nil)
	withRSA := &tls.Config{ServerName: "a.example", InsecureSkipVerify: true,
		MaxVersion:   tls.VersionTLS12,
		CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}
	for _, c := range []struct {
		name   string
		client *tls.Config
		want   x509.PublicKeyAlgorithm
	}{
		{"modern", asking("a.example"), x509.ECDSA},
		{"no name", asking(""), x509.ECDSA},
		{"RSA only", withRSA, x509.RSA},
	} {
		if got := handshake(t, m, c.client).leaf(t).PublicKeyAlgorithm; got != c.want {
			t.Errorf("%s: certificate with %v, want %v", c.name, got, c.want)
		}
	}
}

func TestChoice_between_certificates_for_one_name(t *testing.T) {
	now := time.Now()
	days := func(n int) time.Time { return now.Add(time.Duration(n) * 24 * time.Hour) }
	short := issue(t, wish{names: []string{"a.example"}, to: days(10)})
	long := issue(t, wish{names: []string{"a.example"}, to: days(20)})
	later := issue(t, wish{names: []string{"a.example"}, from: days(1), to: days(90)})
	for _, c := range []struct {
		name string
		list []*signed
		want *signed
	}{
		{"longer last", []*signed{short, long}, long},
		{"longer first", []*signed{long, short}, long},
		{"not valid yet", []*signed{later, short}, short},
		{"the same twice", []*signed{short, short}, short},
	} {
		m := mustLoad(t, doortls.Options{Certificates: []string{combined(t, c.list...)}}, nil)
		if got := handshake(t, m, asking("a.example")).leaf(t); !got.Equal(c.want.cert) {
			t.Errorf("%s: another certificate than expected", c.name)
		}
	}
}

func TestCertificates_describes_them(t *testing.T) {
	root := issue(t, wish{common: "root", authority: true})
	leaf := issue(t, wish{names: []string{"a.example", "*.a.example"}, issuer: root})
	m := mustLoad(t, doortls.Options{
		Certificates: []string{combined(t, leaf)}, Internal: []string{"*.localhost"},
	}, nil)
	list := m.Certificates()
	if len(list) != 2 {
		t.Fatalf("Certificates() = %+v, want two", list)
	}
	got := list[0]
	if !slices.Equal(got.Names, []string{"a.example", "*.a.example"}) || got.Internal ||
		got.Issuer != "CN=root" || !got.NotAfter.Equal(leaf.cert.NotAfter) || got.Source == "" {
		t.Errorf("Certificates()[0] = %+v", got)
	}
	if got := list[1]; !got.Internal || !slices.Equal(got.Names, []string{"*.localhost"}) {
		t.Errorf("Certificates()[1] = %+v, want the internal root", got)
	}
}

// TestLookup_does_not_allocate covers what every handshake pays.
func TestLookup_does_not_allocate(t *testing.T) {
	m, hello := crowd(t, 100)
	get := m.ServerConfig().GetCertificate
	allocs := alloctest.PerRun(100, func() {
		if c, err := get(hello); c == nil || err != nil {
			t.Fatal("no certificate")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for a lookup, want 0", allocs)
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, names := range []int{10, 10_000} {
		b.Run(fmt.Sprint(names), func(b *testing.B) {
			m, hello := crowd(b, names)
			get := m.ServerConfig().GetCertificate
			b.ReportAllocs()
			for b.Loop() {
				get(hello)
			}
		})
	}
}

// crowd returns a Manager with many names, spread over files of 100 each, and a
// client that asks for one under a wildcard.
func crowd(t testing.TB, names int) (*doortls.Manager, *tls.ClientHelloInfo) {
	t.Helper()
	f, key := files{}, ecKey(t)
	for i := 0; i < names; i += 100 {
		var list []string
		for k := range min(100, names) {
			list = append(list, fmt.Sprintf("h%d.example", i+k), fmt.Sprintf("*.h%d.example", i+k))
		}
		s := issue(t, wish{names: list, key: key})
		f[fmt.Sprintf("%d.pem", i)] = s.certPEM() + s.keyPEM(t)
	}
	o := doortls.Options{Certificates: []string{f.in(t, t.TempDir())}}
	hello := &tls.ClientHelloInfo{ServerName: fmt.Sprintf("www.h%d.example", names-1)}
	return mustLoad(t, o, nil), hello
}

// BenchmarkHandshake is a whole new connection over loopback, with and without a
// ticket.
func BenchmarkHandshake(b *testing.B) {
	dir := combined(b, named(b, "a.example"))
	m := mustLoad(b, doortls.Options{Certificates: []string{dir}, Tickets: true}, nil)
	for _, c := range []struct {
		name  string
		cache tls.ClientSessionCache
	}{{"full", nil}, {"resumed", tls.NewLRUClientSessionCache(1)}} {
		b.Run(c.name, func(b *testing.B) {
			client := asking("a.example")
			client.ClientSessionCache = c.cache
			for b.Loop() {
				handshake(b, m, client).leaf(b)
			}
		})
	}
}
