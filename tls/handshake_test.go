package tls_test

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	doortls "doorward/tls"
)

func wantAlert(t testing.TB, err error, alert string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "remote error: tls: "+alert) {
		t.Errorf("client error %v, want the alert %q", err, alert)
	}
}

func TestHandshake_versions(t *testing.T) {
	dir := combined(t, named(t, "a.example"))
	for _, c := range []struct {
		oldest, client uint16
		refused        bool
	}{
		{0, tls.VersionTLS10, true},
		{0, tls.VersionTLS11, true},
		{0, tls.VersionTLS12, false},
		{0, tls.VersionTLS13, false},
		{tls.VersionTLS13, tls.VersionTLS12, true},
		{tls.VersionTLS13, tls.VersionTLS13, false},
	} {
		m := mustLoad(t, doortls.Options{Certificates: []string{dir}, MinVersion: c.oldest}, nil)
		client := asking("a.example")
		client.MinVersion, client.MaxVersion = tls.VersionTLS10, c.client
		got := handshake(t, m, client)
		if c.refused {
			wantAlert(t, got.clientErr, "protocol version not supported")
		} else if got.leaf(t); got.client.Version != c.client {
			t.Errorf("%s spoken, want %s", tls.VersionName(got.client.Version),
				tls.VersionName(c.client))
		}
	}
}

func TestHandshake_suites_of_tls12(t *testing.T) {
	dir := combined(t, named(t, "a.example"),
		issue(t, wish{names: []string{"a.example"}, key: rsaKey()}))
	m := mustLoad(t, doortls.Options{Certificates: []string{dir}}, nil)
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if !slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
			continue
		}
		client := asking("a.example")
		client.MaxVersion, client.CipherSuites = tls.VersionTLS12, []uint16{suite.ID}
		got := handshake(t, m, client)
		safe := strings.HasPrefix(suite.Name, "TLS_ECDHE_") &&
			(strings.Contains(suite.Name, "_GCM_") || strings.Contains(suite.Name, "_CHACHA20_"))
		if safe != (got.clientErr == nil) {
			t.Errorf("%s: %v, want it accepted: %v", suite.Name, got.clientErr, safe)
		}
	}
}

func TestHandshake_protocols(t *testing.T) {
	dir := combined(t, named(t, "a.example"))
	for _, c := range []struct {
		name          string
		ours, theirs  []string
		want, refused string
	}{
		{name: "default", theirs: []string{"h2", "http/1.1"}, want: "http/1.1"},
		{name: "none asked", theirs: nil, want: ""},
		{name: "ours first", ours: []string{"h2", "http/1.1"},
			theirs: []string{"http/1.1", "h2"}, want: "h2"},
		{name: "unknown", theirs: []string{"ftp"}, refused: "no application protocol"},
		{name: "h2 not offered", theirs: []string{"h2"}, refused: "no application protocol"},
		{name: "ACME challenge", theirs: []string{"acme-tls/1"},
			refused: "no application protocol"},
	} {
		m := mustLoad(t, doortls.Options{Certificates: []string{dir}, NextProtos: c.ours}, nil)
		client := asking("a.example")
		client.NextProtos = c.theirs
		got := handshake(t, m, client)
		switch {
		case c.refused != "":
			wantAlert(t, got.clientErr, c.refused)
		case got.clientErr != nil || got.server.NegotiatedProtocol != c.want:
			t.Errorf("%s: %q, %v, want %q", c.name, got.server.NegotiatedProtocol,
				got.clientErr, c.want)
		}
	}
}

// visits lets one client meet several Managers in turn and tells which of its
// connections were resumed.
func visits(t *testing.T, client *tls.Config, managers ...*doortls.Manager) []bool {
	t.Helper()
	client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	var resumed []bool
	for _, m := range managers {
		got := handshake(t, m, client)
		got.leaf(t)
		resumed = append(resumed, got.server.DidResume)
	}
	return resumed
}

func TestTickets(t *testing.T) {
	dir := combined(t, named(t, "a.example"))
	load := func(before *doortls.Manager, change func(*doortls.Options)) *doortls.Manager {
		o := doortls.Options{Certificates: []string{dir}, Tickets: true}
		if change != nil {
			change(&o)
		}
		return mustLoad(t, o, before)
	}
	first := load(nil, nil)
	strict := load(first, func(o *doortls.Options) { o.StrictSNI = true })
	for _, c := range []struct {
		name     string
		managers []*doortls.Manager
		want     []bool
	}{
		{"resumed", []*doortls.Manager{first, first}, []bool{false, true}},
		{"across reloads", []*doortls.Manager{first, load(load(first, nil), nil)},
			[]bool{false, true}},
		{"another process", []*doortls.Manager{first, load(nil, nil)}, []bool{false, false}},
		{"another policy", []*doortls.Manager{first, strict, strict},
			[]bool{false, false, true}},
		{"switched off", []*doortls.Manager{first,
			load(first, func(o *doortls.Options) { o.Tickets = false })}, []bool{false, false}},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			client := asking("a.example")
			client.MaxVersion = version
			if got := visits(t, client, c.managers...); !slices.Equal(got, c.want) {
				t.Errorf("%s, %s: resumed %v, want %v", c.name, tls.VersionName(version),
					got, c.want)
			}
		}
	}
}

func TestTickets_end_with_their_name(t *testing.T) {
	a, b := named(t, "a.example"), named(t, "b.example")
	o := doortls.Options{Certificates: []string{combined(t, a, b)}, Tickets: true, StrictSNI: true}
	both := mustLoad(t, o, nil)
	o.Certificates = []string{combined(t, b)}
	without := mustLoad(t, o, both)
	client := asking("a.example")
	if got := visits(t, client, both, both); !got[1] {
		t.Fatal("not resumed while the name is served")
	}
	wantAlert(t, handshake(t, without, client).clientErr, "unrecognized name")
}
