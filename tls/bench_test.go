package tls_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	doortls "doorward/tls"
)

// throng is how many certificates a large edge has.
const throng = 10_000

// throngFolder makes the certificates of so many names, each with a key of its own
// and an issuer in its file, as public authorities give them.
func throngFolder(b *testing.B, n int) string {
	b.Helper()
	dir := b.TempDir()
	issuer := issue(b, wish{common: "issuer", authority: true})
	for i := range n {
		c := issue(b, wish{names: []string{throngName(i)}, issuer: issuer})
		write(b, filepath.Join(dir, fmt.Sprintf("%05d.pem", i)),
			c.certPEM()+issuer.certPEM()+c.keyPEM(b), 0o600)
	}
	return dir
}

func throngName(i int) string { return fmt.Sprintf("name%05d.example", i) }

// BenchmarkLoad reads 10,000 certificates at the start, and again unchanged as a
// reload does.
func BenchmarkLoad(b *testing.B) {
	o := doortls.Options{Certificates: []string{throngFolder(b, throng)}}
	load := func(b *testing.B, previous *doortls.Manager) *doortls.Manager {
		m, warnings, err := doortls.Load(o, previous)
		if err != nil || len(warnings) > 0 || len(m.Certificates()) != throng {
			b.Fatalf("Load gives %v, %v", warnings, err)
		}
		return m
	}
	b.Run("start", func(b *testing.B) {
		before := heap()
		var m *doortls.Manager
		for b.Loop() {
			m = load(b, nil)
		}
		b.ReportMetric(float64(heap()-before)/throng, "B/certificate")
		runtime.KeepAlive(m)
	})
	b.Run("reload", func(b *testing.B) {
		m := load(b, nil)
		for b.Loop() {
			m = load(b, m)
		}
	})
}

func heap() uint64 {
	runtime.GC()
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	return now.HeapAlloc
}
