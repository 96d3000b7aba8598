package acme_test

import (
	"fmt"
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
