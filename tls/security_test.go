package tls_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	doortls "doorward/tls"
)

// TestSecurity holds the attack cases that this package answers, by their id.
func TestSecurity(t *testing.T) {
	for name, run := range map[string]func(*testing.T){
		"HOST-01 unknown name reveals no other":      unknownName,
		"HOST-03 trailing dot in the name":           trailingDot,
		"HOST-04 case of the name":                   nameCase,
		"HOST-07 wildcard covers one label":          wildcardDepth,
		"HOST-08 ticket for another host":            foreignTicket,
		"HOST-09 hello in pieces of one byte":        splitHello,
		"HOST-09 hello larger than a record":         largeHello,
		"HOST-13 early data is not offered":          noEarlyData,
		"HOST-14 renegotiation":                      renegotiation,
		"HOST-14 flood of key updates":               keyUpdateFlood,
		"HOST-16 unknown protocol":                   unknownProtocol,
		"FS-01 key readable by others":               readableKey,
		"FS-02 files of the authority are private":   privateFiles,
		"FS-05 root replaced by a link":              linkedRoot,
		"RLD-03 missing certificate changes nothing": missingFile,
		"RLD-09 half of a pair replaced":             halfPair,
	} {
		t.Run(name, run)
	}
}

func serving(t *testing.T, change func(*doortls.Options), names ...string) *doortls.Manager {
	t.Helper()
	var list []*signed
	for _, name := range names {
		list = append(list, named(t, name))
	}
	o := doortls.Options{Certificates: []string{combined(t, list...)}, Tickets: true}
	if change != nil {
		change(&o)
	}
	return mustLoad(t, o, nil)
}

func strictly(o *doortls.Options) { o.StrictSNI = true }

func unknownName(t *testing.T) {
	m := serving(t, strictly, "secret.example", "other.example")
	for _, name := range []string{"nope.example", "", "192.0.2.1"} {
		got := handshake(t, m, asking(name))
		wantAlert(t, got.clientErr, "unrecognized name")
		if len(got.client.PeerCertificates) > 0 {
			t.Errorf("%q was shown %v", name, got.client.PeerCertificates[0].DNSNames)
		}
	}
}

func trailingDot(t *testing.T) {
	m := serving(t, nil, "first.example", "admin.example")
	c, err := m.ServerConfig().GetCertificate(&tls.ClientHelloInfo{ServerName: "admin.example."})
	if err != nil || c.Leaf.DNSNames[0] != "admin.example" {
		t.Errorf("admin.example. gets %v, %v", c.Leaf.DNSNames, err)
	}
	c, err = m.ServerConfig().GetCertificate(&tls.ClientHelloInfo{ServerName: "admin.example.."})
	if err != nil || c.Leaf.DNSNames[0] != "first.example" {
		t.Errorf("admin.example.. gets %v, %v, want no match", c.Leaf.DNSNames, err)
	}
}

func nameCase(t *testing.T) {
	m := serving(t, strictly, "aDmin.example")
	for _, name := range []string{"ADMIN.EXAMPLE", "admin.example"} {
		handshake(t, m, asking(name)).leaf(t)
	}
}

func wildcardDepth(t *testing.T) {
	m := serving(t, strictly, "*.example")
	handshake(t, m, asking("a.example")).leaf(t)
	for _, name := range []string{"a.b.example", "example", "xexample"} {
		wantAlert(t, handshake(t, m, asking(name)).clientErr, "unrecognized name")
	}
}

// stealing offers the session of one host to every other.
type stealing struct{ state *tls.ClientSessionState }

func (s *stealing) Get(string) (*tls.ClientSessionState, bool)  { return s.state, s.state != nil }
func (s *stealing) Put(_ string, state *tls.ClientSessionState) { s.state = state }

// foreignTicket resumes with a ticket that crypto/tls would accept for every
// name of the certificate.
func foreignTicket(t *testing.T) {
	public := named(t, "public.example", "mtls.example")
	m := mustLoad(t, doortls.Options{Certificates: []string{combined(t, public)}, Tickets: true}, nil)
	roots := x509.NewCertPool()
	roots.AddCert(public.cert)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client := &tls.Config{RootCAs: roots, MaxVersion: version, ClientSessionCache: &stealing{}}
		for _, step := range []struct {
			name    string
			resumed bool
		}{
			{"public.example", false}, {"PUBLIC.example", true}, {"mtls.example", false},
			{"mtls.example", true},
		} {
			client.ServerName = step.name
			got := handshake(t, m, client)
			if got.leaf(t); got.server.DidResume != step.resumed {
				t.Errorf("%s %s: resumed %v, want %v", tls.VersionName(version), step.name,
					got.server.DidResume, step.resumed)
			}
		}
	}
}

func splitHello(t *testing.T) {
	m := serving(t, strictly, "a.example", "b.example")
	clientEnd, serverEnd := loopback(t)
	defer clientEnd.Close()
	defer serverEnd.Close()
	client := tls.Client(splitting{clientEnd}, asking("b.example"))
	if got := meet(t, m, client, serverEnd).leaf(t).DNSNames[0]; got != "b.example" {
		t.Errorf("shown the certificate of %s", got)
	}
}

func largeHello(t *testing.T) {
	m := serving(t, strictly, "a.example", "b.example")
	client := asking("b.example")
	for i := range 100 {
		client.NextProtos = append(client.NextProtos, fmt.Sprintf("%0200d", i))
	}
	client.NextProtos = append(client.NextProtos, "http/1.1")
	if got := handshake(t, m, client).leaf(t).DNSNames[0]; got != "b.example" {
		t.Errorf("shown the certificate of %s", got)
	}
}

func noEarlyData(t *testing.T) {
	m, cache := serving(t, nil, "a.example"), &stealing{}
	client := asking("a.example")
	client.ClientSessionCache = cache
	handshake(t, m, client).leaf(t)
	_, session, err := cache.state.ResumptionState()
	if err != nil || session == nil || session.EarlyData {
		t.Errorf("session %+v, %v, want one without early data", session, err)
	}
}

func renegotiation(t *testing.T) {
	m := serving(t, nil, "a.example")
	c := newRawClient(t, m, tls.VersionTLS12)
	err := c.answers(t, c.seal12(t, c.conn.hello()))
	if !strings.Contains(err.Error(), "unexpected handshake message") {
		t.Errorf("server: %v, want renegotiation refused", err)
	}
}

func keyUpdateFlood(t *testing.T) {
	m := serving(t, nil, "a.example")
	c := newRawClient(t, m, tls.VersionTLS13)
	if err := c.answers(t, c.keyUpdates(t, 1000)); !strings.Contains(err.Error(), "too many") {
		t.Errorf("server: %v, want the flood refused", err)
	}
}

func unknownProtocol(t *testing.T) {
	m := serving(t, nil, "a.example")
	for _, protocol := range []string{"ftp", "acme-tls/1", "h2"} {
		client := asking("a.example")
		client.NextProtos = []string{protocol}
		wantAlert(t, handshake(t, m, client).clientErr, "no application protocol")
	}
}

func readableKey(t *testing.T) {
	a := named(t, "a.example")
	for _, c := range []struct {
		mode            fs.FileMode
		refused, warned bool
	}{
		{mode: 0o600}, {mode: 0o640, warned: true}, {mode: 0o604, refused: true},
		{mode: 0o644, refused: true}, {mode: 0o602, refused: true},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "a.crt"), a.certPEM(), 0o644)
		write(t, filepath.Join(dir, "a.key"), a.keyPEM(t), c.mode)
		_, warnings, err := doortls.Load(doortls.Options{Certificates: []string{dir}}, nil)
		if errors.Is(err, doortls.ErrKeyReadable) != c.refused {
			t.Errorf("mode %o: Load = %v", c.mode, err)
		}
		if c.refused && !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: %v tells no mend", c.mode, err)
		}
		if (len(warnings) == 1) != c.warned {
			t.Errorf("mode %o: warnings %v, want one: %v", c.mode, warnings, c.warned)
		}
	}
}

func privateFiles(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := filepath.Join(t.TempDir(), "state", "ca")
	mustLoad(t, doortls.Options{Internal: []string{"*.localhost"}, InternalDir: dir}, nil)
	want := map[string]fs.FileMode{"internal-ca.pem": 0o600, "internal-ca.crt": 0o644}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(want) {
		t.Errorf("%v, %v, want two files and nothing left over", entries, err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode() != want[e.Name()] {
			t.Errorf("%s: %v, %v, want mode %o", e.Name(), info.Mode(), err, want[e.Name()])
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v, %v, want mode 700", info.Mode(), err)
	}
}

func linkedRoot(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	o := doortls.Options{Internal: []string{"*.localhost"}, InternalDir: other}
	mustLoad(t, o, nil)
	root := filepath.Join(dir, "internal-ca.pem")
	if err := os.Symlink(filepath.Join(other, "internal-ca.pem"), root); err != nil {
		t.Fatal(err)
	}
	o.InternalDir = dir
	if _, _, err := doortls.Load(o, nil); err == nil {
		t.Error("a linked root was loaded")
	}
}

func missingFile(t *testing.T) {
	dir := combined(t, named(t, "a.example"))
	o := doortls.Options{Certificates: []string{filepath.Join(dir, "a.pem")}}
	before := mustLoad(t, o, nil)
	if err := os.Remove(filepath.Join(dir, "a.pem")); err != nil {
		t.Fatal(err)
	}
	if m, _, err := doortls.Load(o, before); m != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load = %v, %v, want an error alone", m, err)
	}
	handshake(t, before, asking("a.example")).leaf(t)
}

func halfPair(t *testing.T) {
	old, fresh := named(t, "a.example"), named(t, "a.example")
	dir := files{"a.crt": old.certPEM(), "a.key": old.keyPEM(t)}.in(t, t.TempDir())
	o := doortls.Options{Certificates: []string{dir}}
	before := mustLoad(t, o, nil)
	write(t, filepath.Join(dir, "a.key"), fresh.keyPEM(t), 0o600)
	if m, _, err := doortls.Load(o, before); m != nil || !errors.Is(err, doortls.ErrKeyMismatch) {
		t.Errorf("Load = %v, %v, want the mismatch", m, err)
	}
	if !handshake(t, before, asking("a.example")).leaf(t).Equal(old.cert) {
		t.Error("the old pair is not shown any more")
	}
	write(t, filepath.Join(dir, "a.crt"), fresh.certPEM(), 0o600)
	after := mustLoad(t, o, before)
	if !handshake(t, after, asking("a.example")).leaf(t).Equal(fresh.cert) {
		t.Error("the new pair is not shown")
	}
}
