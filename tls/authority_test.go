package tls_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	doortls "doorward/tls"
)

func trusting(t testing.TB, m *doortls.Manager, name string) *tls.Config {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(m.RootPEM()) {
		t.Fatalf("RootPEM() = %q, want a certificate", m.RootPEM())
	}
	return &tls.Config{ServerName: name, RootCAs: roots}
}

func TestAuthority_serves_clients_that_trust_its_root(t *testing.T) {
	m := mustLoad(t, doortls.Options{Internal: []string{"*.localhost", "edge.lan", "127.0.0.1"}}, nil)
	for _, name := range []string{"whoami.localhost", "WhoAmI.localhost", "edge.lan"} {
		handshake(t, m, trusting(t, m, name)).leaf(t)
	}
	// A client that names no host gets the first exact one.
	if got := handshake(t, m, asking("")).leaf(t).DNSNames[0]; got != "edge.lan" {
		t.Errorf("certificate of %q without a name, want edge.lan", got)
	}
	ip := mustLoad(t, doortls.Options{Internal: []string{"127.0.0.1"}}, nil)
	handshake(t, ip, trusting(t, ip, "127.0.0.1")).leaf(t)
}

func TestAuthority_signs_for_internal_names_only(t *testing.T) {
	m := mustLoad(t, doortls.Options{Internal: []string{"*.localhost"}}, nil)
	for _, name := range []string{"example.org", "localhost", "a.b.localhost", ""} {
		wantAlert(t, handshake(t, m, asking(name)).clientErr, "unrecognized name")
	}
	for _, odd := range []string{"a b.localhost", "*.localhost", "ä.localhost", ".localhost"} {
		c, err := m.ServerConfig().GetCertificate(&tls.ClientHelloInfo{ServerName: odd})
		if c != nil || err != nil {
			t.Errorf("GetCertificate(%q) = %v, %v, want none", odd, c, err)
		}
	}
	if none := mustLoad(t, doortls.Options{}, nil).RootPEM(); none != nil {
		t.Errorf("RootPEM() = %q without internal names, want none", none)
	}
}

func TestAuthority_keeps_its_root(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "ca")
	stored := doortls.Options{Internal: []string{"*.localhost"}, InternalDir: dir}
	memory := doortls.Options{Internal: []string{"*.localhost"}}
	first := mustLoad(t, stored, nil)
	inMemory := mustLoad(t, memory, nil)
	leaf := handshake(t, first, asking("a.localhost")).leaf(t)
	for _, c := range []struct {
		name         string
		m            *doortls.Manager
		before       *doortls.Manager
		root, leaves bool
	}{
		{"reload", mustLoad(t, stored, first), first, true, true},
		{"another run", mustLoad(t, stored, nil), first, true, false},
		{"into memory", mustLoad(t, memory, first), first, false, false},
		{"reload in memory", mustLoad(t, memory, inMemory), inMemory, true, false},
	} {
		if same := bytes.Equal(c.m.RootPEM(), c.before.RootPEM()); same != c.root {
			t.Errorf("%s: same root: %v, want %v", c.name, same, c.root)
		}
		got := handshake(t, c.m, asking("a.localhost")).leaf(t)
		if same := got.Equal(leaf); same != c.leaves {
			t.Errorf("%s: same certificate: %v, want %v", c.name, same, c.leaves)
		}
	}
	public, err := os.ReadFile(filepath.Join(dir, "internal-ca.crt"))
	if err != nil || !bytes.Equal(public, first.RootPEM()) {
		t.Errorf("internal-ca.crt: %v, want the root", err)
	}
}

func TestAuthority_makes_each_certificate_once(t *testing.T) {
	m := mustLoad(t, doortls.Options{Internal: []string{"*.localhost"}}, nil)
	var all sync.WaitGroup
	var mu sync.Mutex
	serials := map[string]bool{}
	for range 50 {
		all.Go(func() {
			hello := &tls.ClientHelloInfo{ServerName: "a.localhost"}
			c, err := m.ServerConfig().GetCertificate(hello)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			serials[c.Leaf.SerialNumber.String()] = true
		})
	}
	all.Wait()
	if len(serials) != 1 {
		t.Errorf("%d certificates made for one name, want 1", len(serials))
	}
}

func TestAuthority_forgets_the_oldest_of_too_many_names(t *testing.T) {
	m := mustLoad(t, doortls.Options{Internal: []string{"*.localhost"}}, nil)
	get := func(name string) string {
		c, err := m.ServerConfig().GetCertificate(&tls.ClientHelloInfo{ServerName: name})
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.SerialNumber.String()
	}
	first, second := get("first.localhost"), get("second.localhost")
	for i := range 999 {
		get(fmt.Sprintf("n%d.localhost", i))
	}
	if get("second.localhost") != second {
		t.Error("a certificate within the limit was made again")
	}
	if get("first.localhost") == first {
		t.Error("the oldest certificate was kept beyond the limit")
	}
}

func TestAuthority_renews_before_the_end(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mustLoad(t, doortls.Options{Internal: []string{"a.localhost"}}, nil)
		get := func() *x509.Certificate {
			c, err := m.ServerConfig().GetCertificate(&tls.ClientHelloInfo{ServerName: "a.localhost"})
			if err != nil {
				t.Fatal(err)
			}
			return c.Leaf
		}
		first := get()
		if life := time.Until(first.NotAfter); life != 90*24*time.Hour {
			t.Errorf("valid for %v, want 90 days", life)
		}
		<-time.After(59 * 24 * time.Hour)
		if !get().Equal(first) {
			t.Error("renewed after 59 days")
		}
		<-time.After(2 * 24 * time.Hour)
		second := get()
		if second.Equal(first) || !time.Now().Before(first.NotAfter) {
			t.Error("not renewed while the first was valid")
		}
		<-time.After(9*365*24*time.Hour + 300*24*time.Hour)
		if root := m.Certificates()[0]; get().NotAfter.After(root.NotAfter) {
			t.Error("a certificate outlives its root")
		}
	})
}

func TestAuthority_tells_of_the_end_of_its_root(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := doortls.Options{Internal: []string{"a.localhost"}, InternalDir: t.TempDir()}
		m := mustLoad(t, o, nil)
		<-time.After(9*365*24*time.Hour + 24*time.Hour)
		if _, warnings, err := doortls.Load(o, m); err != nil || len(warnings) != 1 {
			t.Errorf("a year before: %v, warnings %v, want one", err, warnings)
		}
		<-time.After(366 * 24 * time.Hour)
		if _, _, err := doortls.Load(o, m); err == nil {
			t.Error("an expired root was loaded")
		}
	})
}

func TestAuthority_refuses_what_others_may_touch(t *testing.T) {
	link := func(t *testing.T, path string) {
		moved := path + ".moved"
		if err := os.Rename(path, moved); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(moved, path); err != nil {
			t.Fatal(err)
		}
	}
	chmod := func(mode fs.FileMode) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	overwrite := func(t *testing.T, path string) { write(t, path, "broken", 0o600) }
	const root = "ca/internal-ca.pem"
	for _, c := range []struct {
		name string
		path string
		do   func(*testing.T, string)
	}{
		{"key readable by the group", root, chmod(0o640)},
		{"key readable by everybody", root, chmod(0o604)},
		{"file turned into a link", root, link},
		{"file overwritten", root, overwrite},
		{"folder turned into a link", "ca", link},
		{"folder writable by the group", "ca", chmod(0o770)},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			o := doortls.Options{Internal: []string{"*.localhost"}, InternalDir: filepath.Join(dir, "ca")}
			mustLoad(t, o, nil)
			path := filepath.Join(dir, c.path)
			c.do(t, path)
			_, _, err := doortls.Load(o, nil)
			if fault := (*doortls.FileError)(nil); !errors.As(err, &fault) || fault.File != path {
				t.Errorf("Load = %v, want a fault of %s", err, path)
			}
		})
	}
}
