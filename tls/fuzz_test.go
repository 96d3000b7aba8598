package tls_test

import (
	"path/filepath"
	"testing"

	doortls "doorward/tls"
)

// FuzzLoad feeds a folder with odd content to Load: it must return a Manager or
// an error, whatever is in there. Run it with -fuzzminimizetime=1x: what random
// keys cover differs from run to run, which the minimizer takes for a find.
func FuzzLoad(f *testing.F) {
	a := named(f, "a.example", "*.b.example")
	f.Add([]byte(a.certPEM()), []byte(a.keyPEM(f)))
	f.Add([]byte(a.certPEM()+a.oldKeyPEM(f)), []byte(""))
	f.Add([]byte(a.keyPEM(f)), []byte(a.certPEM()))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n"), []byte("-----BEGIN PRIVATE KEY-----"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, certificate, key []byte) {
		write(t, filepath.Join(dir, "a.pem"), string(certificate), 0o600)
		write(t, filepath.Join(dir, "a.key"), string(key), 0o600)
		m, _, err := doortls.Load(doortls.Options{Certificates: []string{dir}}, nil)
		if (m == nil) != (err != nil) {
			t.Fatalf("Load = %v, %v", m, err)
		}
		if m == nil {
			return
		}
		for _, c := range m.Certificates() {
			if filepath.Dir(c.Source) != dir {
				t.Errorf("a certificate from %q", c.Source)
			}
		}
	})
}
