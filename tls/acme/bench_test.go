package acme_test

import (
	"fmt"
	"strings"
	"testing"

	"doorward/internal/pebbletest"
)

func BenchmarkCertificate(b *testing.B) {
	e := newEdge(b)
	p := e.pebble(b, pebbletest.Options{})
	m := open(b, optionsFor(p, memory(b)))
	e.serve(b, m, "a.test")
	issued(b, m, "a.test")
	names := []string{"a.test"}
	for n := range 10_000 {
		names = append(names, fmt.Sprintf("*.x%d.test", n)) // refused, but looked for
	}
	m.Manage(names)
	for name, host := range map[string]string{"ready": "a.test", "unknown": "x.y.z.test"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Certificate(host)
			}
		})
	}
}

// BenchmarkManage is the start with 10,000 certificates in the store.
func BenchmarkManage(b *testing.B) {
	e := newEdge(b)
	p := e.pebble(b, pebbletest.Options{})
	o := optionsFor(p, memory(b))
	first := open(b, o)
	e.serve(b, first, "a.test")
	issued(b, first, "a.test")
	first.Close()
	var names []string
	for n := range 10_000 {
		names = append(names, fmt.Sprintf("n%d.test", n))
	}
	for _, end := range []string{".crt", ".key", ".json"} {
		kept := find(b, o.Store, "/a.test"+end)
		for _, name := range names {
			key := strings.ReplaceAll(kept.Key, "a.test", name)
			if _, err := o.Store.Set(b.Context(), key, kept.Value, 0); err != nil {
				b.Fatal(err)
			}
		}
	}
	p.Stop()
	b.ResetTimer()
	for b.Loop() {
		m := open(b, o)
		m.Manage(names)
		if m.Certificate("n9999.test") == nil {
			b.Fatal("not there when Manage returns")
		}
		m.Close()
	}
}
