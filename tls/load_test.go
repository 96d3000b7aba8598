package tls_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	doortls "doorward/tls"
)

func TestLoad_accepts_the_layouts_people_have(t *testing.T) {
	root := issue(t, wish{common: "root", authority: true})
	middle := issue(t, wish{common: "middle", authority: true, issuer: root})
	a := issue(t, wish{names: []string{"a.example"}, issuer: middle})
	old := issue(t, wish{names: []string{"a.example"}, key: rsaKey()})
	chain := a.certPEM() + middle.certPEM()
	cases := []struct {
		name  string
		files files
		paths []string // configured; none: the folder
		chain int      // certificates sent; 0: one
	}{
		{name: "combined", files: files{"a.pem": a.certPEM() + a.keyPEM(t)}},
		{name: "combined with chain", files: files{"a.pem": chain + a.keyPEM(t)}, chain: 2},
		{name: "key first", files: files{"a.pem": a.keyPEM(t) + chain}, chain: 2},
		{name: "chain upside down", chain: 3, files: files{
			"a.pem": root.certPEM() + middle.certPEM() + a.keyPEM(t) + a.certPEM()}},
		{name: "old EC key with parameters", files: files{
			"a.pem": block("EC PARAMETERS", []byte{6, 0}) + a.oldKeyPEM(t) + a.certPEM()}},
		{name: "old RSA key and DH parameters", files: files{
			"a.pem": old.certPEM() + old.oldKeyPEM(t) + block("DH PARAMETERS", []byte{0})}},
		{name: "text around the blocks", files: files{
			"a.pem": "subject=a\n" + a.certPEM() + "\nissuer=b\n" + a.keyPEM(t) + "\n\n"}},
		{name: "crt and key", files: files{"a.crt": chain, "a.key": a.keyPEM(t)}, chain: 2},
		{name: "cer and key", files: files{"a.cer": a.certPEM(), "a.key": a.keyPEM(t)}},
		{name: "pem and key", files: files{"a.pem": a.certPEM(), "a.key": a.keyPEM(t)}},
		{name: "crt and crt.key", files: files{"a.crt": a.certPEM(), "a.crt.key": a.keyPEM(t)}},
		{name: "mkcert", files: files{"a.pem": a.certPEM(), "a-key.pem": a.keyPEM(t)}},
		{name: "certbot, in a sub-folder", chain: 2, files: files{
			"a.example/cert.pem": a.certPEM(), "a.example/chain.pem": middle.certPEM(),
			"a.example/fullchain.pem": chain, "a.example/privkey.pem": a.keyPEM(t),
			"README": "not PEM"}},
		{name: "authorities and parameters beside", files: files{
			"a.pem": a.certPEM() + a.keyPEM(t), "ca.pem": root.certPEM(),
			"dh.pem": block("DH PARAMETERS", []byte{0})}},
		{name: "hidden and foreign files beside", files: files{
			"a.pem": a.certPEM() + a.keyPEM(t), ".b.pem": "broken", "a.ocsp": "broken",
			"x/y/c.pem": "broken"}},
		{name: "a file named", paths: []string{"a.crt"}, files: files{
			"a.crt": a.certPEM(), "a.key": a.keyPEM(t), "b.pem": "broken"}},
		{name: "certificate and key named", paths: []string{"a.key", "a.crt"}, files: files{
			"a.crt": a.certPEM(), "a.key": a.keyPEM(t)}},
		{name: "file and folder named", paths: []string{"a.pem", "."}, files: files{
			"a.pem": a.certPEM() + a.keyPEM(t)}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := c.files.in(t, t.TempDir())
			o := doortls.Options{Certificates: []string{dir}}
			if c.paths != nil {
				o.Certificates = nil
			}
			for _, p := range c.paths {
				o.Certificates = append(o.Certificates, filepath.Join(dir, p))
			}
			m, warnings, err := doortls.Load(o, nil)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("Load: %v, warnings %v", err, warnings)
			}
			list := m.Certificates()
			if len(list) != 1 || !slices.Equal(list[0].Names, []string{"a.example"}) {
				t.Fatalf("Certificates() = %+v, want the one of a.example", list)
			}
			got := handshake(t, m, asking("a.example"))
			got.leaf(t)
			if n := len(got.client.PeerCertificates); n != max(c.chain, 1) {
				t.Errorf("%d certificates sent, want %d", n, max(c.chain, 1))
			}
		})
	}
}

func TestLoad_names_what_is_wrong(t *testing.T) {
	a, b := named(t, "a.example"), named(t, "b.example")
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak := issue(t, wish{names: []string{"a.example"}, key: small})
	odd := issue(t, wish{names: []string{"a.example"}, key: p224})
	legacy := strings.Replace(a.oldKeyPEM(t), "KEY-----\n",
		"KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1)
	cases := []struct {
		name  string
		files files
		want  error
		text  string // in the message
	}{
		{"key of another", files{"a.crt": a.certPEM(), "a.key": b.keyPEM(t)},
			doortls.ErrKeyMismatch, "a.key"},
		{"key of another, in one file", files{"a.pem": a.certPEM() + b.keyPEM(t)},
			doortls.ErrKeyMismatch, "matching"},
		{"file written halfway", files{"a.pem": ""}, doortls.ErrNotPEM, "a.pem"},
		{"certificate written halfway",
			files{"a.pem": a.keyPEM(t) + block("CERTIFICATE", a.cert.Raw[:200])},
			nil, "certificate 1"},
		{"no key", files{"a.crt": a.certPEM()}, doortls.ErrKeyMissing, "a.key"},
		{"key file without a key", files{"a.crt": a.certPEM(), "a.key": b.certPEM()},
			doortls.ErrKeyMissing, "a.key"},
		{"encrypted", files{"a.pem": a.certPEM() + block("ENCRYPTED PRIVATE KEY", []byte{1})},
			doortls.ErrKeyEncrypted, "openssl pkey"},
		{"encrypted the old way", files{"a.pem": a.certPEM() + legacy},
			doortls.ErrKeyEncrypted, "openssl pkey"},
		{"two keys", files{"a.pem": a.certPEM() + a.keyPEM(t) + b.keyPEM(t)},
			nil, "2 private keys"},
		{"no key at all", files{"a.pem": a.certPEM() + block("PRIVATE KEY", []byte{1})},
			nil, "unreadable private key"},
		{"short RSA", files{"a.pem": weak.certPEM() + weak.keyPEM(t)},
			doortls.ErrKeyWeak, "1024"},
		{"short ECDSA", files{"a.pem": odd.certPEM() + odd.keyPEM(t)},
			doortls.ErrKeyWeak, "224"},
		{"too large", files{"a.pem": strings.Repeat("#", 1<<20) + a.certPEM()},
			doortls.ErrFileTooLarge, "1 MiB"},
		{"DER", files{"a.crt": string(a.cert.Raw)}, doortls.ErrNotPEM, "openssl x509"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := c.files.in(t, t.TempDir())
			_, _, err := doortls.Load(doortls.Options{Certificates: []string{dir}}, nil)
			var fault *doortls.FileError
			if !errors.As(err, &fault) || filepath.Dir(fault.File) != dir {
				t.Fatalf("Load = %v, want a FileError below %s", err, dir)
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("Load = %v, want %v", err, c.want)
			}
			if !strings.Contains(err.Error(), c.text) {
				t.Errorf("Load = %v, want %q in it", err, c.text)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("Load = %v, want the fault named once", err)
			}
		})
	}
}

func TestLoad_refuses_paths(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe.pem")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	gone := filepath.Join(t.TempDir(), "gone.pem")
	for path, want := range map[string]string{
		gone: "no such file", pipe: "not a regular file",
	} {
		_, _, err := doortls.Load(doortls.Options{Certificates: []string{path}}, nil)
		if err == nil || !strings.Contains(err.Error(), path+": "+want) {
			t.Errorf("Load(%s) = %v, want %q", path, err, want)
		}
	}
}

func TestLoad_refuses_old_versions_and_odd_names(t *testing.T) {
	_, _, err := doortls.Load(doortls.Options{
		MinVersion: tls.VersionTLS11, Internal: []string{"a b", "*.*.example", ""},
	}, nil)
	if !errors.Is(err, doortls.ErrVersion) || !errors.Is(err, doortls.ErrName) ||
		!strings.Contains(err.Error(), `"*.*.example"`) {
		t.Errorf("Load = %v, want the version and the names", err)
	}
}

func TestLoad_warns(t *testing.T) {
	long := time.Now().Add(60 * 24 * time.Hour)
	past, future := time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	a := named(t, "a.example")
	cases := []struct {
		name  string
		files files
		want  string
	}{
		{"expired", combinedFile(t, wish{names: []string{"a.example"}, to: past}), "expired on"},
		{"early", combinedFile(t, wish{names: []string{"a.example"}, from: future}),
			"not valid before"},
		{"no name", combinedFile(t, wish{common: "a.example"}), "no subject alternative name"},
		{"strange chain", files{"a.pem": a.certPEM() + named(t, "b").certPEM() + a.keyPEM(t)},
			"1 of 2 certificates"},
		{"lonely key", files{"a.pem": a.certPEM() + a.keyPEM(t), "b.key": a.keyPEM(t)},
			"without a certificate"},
		{"same name twice", files{
			"a.pem": a.certPEM() + a.keyPEM(t),
			"b.pem": combinedFile(t, wish{names: []string{"a.example"}, to: long})["a.pem"],
		}, "valid longer"},
		{"empty folder", files{"README": ""}, "no certificate in this folder"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := c.files.in(t, t.TempDir())
			o := doortls.Options{Certificates: []string{dir}, Internal: []string{"x.localhost"}}
			_, warnings, err := doortls.Load(o, nil)
			if err != nil || len(warnings) != 1 {
				t.Fatalf("Load: %v, warnings %v, want one", err, warnings)
			}
			got := warnings[0].String()
			if !strings.Contains(got, c.want) || !strings.HasPrefix(got, dir) {
				t.Errorf("warning %q, want %q about a file in %s", got, c.want, dir)
			}
		})
	}
}

func combinedFile(t testing.TB, w wish) files {
	s := issue(t, w)
	return files{"a.pem": s.certPEM() + s.keyPEM(t)}
}

func TestLoad_without_any_certificate_warns_and_refuses(t *testing.T) {
	m, warnings, err := doortls.Load(doortls.Options{}, nil)
	if err != nil || len(warnings) != 1 {
		t.Fatalf("Load: %v, warnings %v, want one", err, warnings)
	}
	if got := handshake(t, m, asking("a.example")); got.clientErr == nil {
		t.Error("a handshake succeeded without a certificate")
	}
}

func TestLoad_fails_as_a_whole(t *testing.T) {
	dir := combined(t, named(t, "a.example"))
	before := mustLoad(t, doortls.Options{Certificates: []string{dir}}, nil)
	write(t, filepath.Join(dir, "b.pem"), "broken", 0o600)
	write(t, filepath.Join(dir, "c.pem"), "broken", 0o600)
	write(t, filepath.Join(dir, "d.pem"), named(t, "d.example").certPEM(), 0o600)
	m, _, err := doortls.Load(doortls.Options{Certificates: []string{dir}}, before)
	if m != nil || err == nil {
		t.Fatalf("Load = %v, %v, want an error alone", m, err)
	}
	for _, name := range []string{"b.pem", "c.pem", "d.pem"} {
		if strings.Count(err.Error(), filepath.Join(dir, name)+": ") != 1 {
			t.Errorf("Load = %v, want %s named once", err, name)
		}
	}
	handshake(t, before, asking("a.example")).leaf(t)
}

func TestLoad_takes_changed_files(t *testing.T) {
	same, first, second := named(t, "s.example"), named(t, "a.example"), named(t, "a.example")
	dir := combined(t, same, first)
	o := doortls.Options{Certificates: []string{dir}}
	before := mustLoad(t, o, nil)
	write(t, filepath.Join(dir, "b.pem"), second.certPEM()+second.keyPEM(t), 0o600)
	after := mustLoad(t, o, before)
	for _, c := range []struct {
		m    *doortls.Manager
		name string
		want *signed
	}{
		{before, "a.example", first}, {after, "a.example", second}, {after, "s.example", same},
	} {
		if got := handshake(t, c.m, asking(c.name)).leaf(t); !bytes.Equal(got.Raw, c.want.cert.Raw) {
			t.Errorf("%s: another certificate than expected", c.name)
		}
	}
}
