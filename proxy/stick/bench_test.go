package stick_test

import (
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"doorward/proxy/stick"
)

const million = 1_000_000

func nth(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// full makes a table of a million entries, and says how many bytes each takes.
func full(size int) (*stick.Table, float64) {
	before, now := inUse(), time.Now()
	o := addresses()
	o.Size = size
	tab := stick.New(o, nil)
	key := make([]byte, 0, 16)
	for i := range million {
		key = tab.AppendAddr(key[:0], nth(i))
		tab.Store(key, "docker01", now)
	}
	return tab, float64(inUse()-before) / float64(tab.Len(now))
}

// BenchmarkMillion looks up clients in a table of a million: the same one again,
// one of ten thousand that are busy, any of them, and one that is not there.
func BenchmarkMillion(b *testing.B) {
	tab, weight := full(million * 11 / 10)
	now := time.Now()
	for _, c := range []struct {
		name        string
		first, last int
	}{
		{"same", 7, 8}, {"busy", 0, 10_000}, {"any", 0, million}, {"none", million, 16 * million},
	} {
		look := func(rng *rand.Rand, key []byte) {
			key = tab.AppendAddr(key[:0], nth(c.first+rng.IntN(c.last-c.first)))
			if _, ok := tab.Match(key, now); ok != (c.last <= million) {
				b.Errorf("Match of %v = %v", key, ok)
			}
		}
		b.Run(c.name, func(b *testing.B) {
			rng, key := rand.New(rand.NewPCG(1, 1)), make([]byte, 16)
			b.ReportAllocs()
			for b.Loop() {
				look(rng, key)
			}
			b.ReportMetric(weight, "B/entry")
		})
		b.Run(c.name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				rng, key := rand.New(rand.NewPCG(rand.Uint64(), 1)), make([]byte, 16)
				for pb.Next() {
					look(rng, key)
				}
			})
		})
	}
}
