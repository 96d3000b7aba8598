package table_test

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"doorward/internal/table"
)

const million = 1_000_000

// full has a million entries and room for a few more.
func full() *table.Table[uint32] {
	tab := table.New[uint32](table.Options{Size: million * 11 / 10, Expire: time.Hour}, nil)
	now := time.Now()
	for i := range million {
		tab.Put(number(i), uint32(i), now)
	}
	return tab
}

// BenchmarkFill measures what a million entries weigh, the longest that one of
// them took to insert, and what they cost the garbage collector.
func BenchmarkFill(b *testing.B) {
	for b.Loop() {
		before := heap()
		tab := table.New[uint32](table.Options{Size: million * 11 / 10}, nil)
		var longest time.Duration
		last := time.Now()
		for i := range million {
			tab.Put(number(i), uint32(i), last)
			now := time.Now()
			longest = max(longest, now.Sub(last))
			last = now
		}
		b.ReportMetric(float64(heap()-before)/million, "B/entry")
		b.ReportMetric(float64(longest.Microseconds()), "longest-µs")
		start := time.Now()
		runtime.GC()
		b.ReportMetric(float64(time.Since(start).Microseconds()), "gc-µs")
		runtime.KeepAlive(tab)
	}
}

// BenchmarkGet looks up one entry, one of ten thousand in use, and any one of a
// million, which is what the memory costs and little else.
func BenchmarkGet(b *testing.B) {
	tab, now := full(), time.Now()
	get := func(b *testing.B, next func() int) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := tab.Get(number(next()), now); !ok {
				b.Fatal("an entry is gone")
			}
		}
	}
	i := 0
	rng := rand.New(rand.NewPCG(1, 1))
	b.Run("one", func(b *testing.B) { get(b, func() int { return 7 }) })
	b.Run("hot", func(b *testing.B) { get(b, func() int { return rng.IntN(10_000) }) })
	b.Run("any", func(b *testing.B) { get(b, func() int { return rng.IntN(million) }) })
	b.Run("grain", func(b *testing.B) {
		tab = table.New(table.Options{Size: 2 * million, Grain: time.Second}, tab)
		get(b, func() int { return rng.IntN(million) })
	})
	b.Run("none", func(b *testing.B) {
		for b.Loop() {
			i++
			tab.Get(number(million+i), now)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			rng := rand.New(rand.NewPCG(rand.Uint64(), 1))
			for pb.Next() {
				tab.Get(number(rng.IntN(million)), now)
			}
		})
	})
}

// BenchmarkFlood puts new keys into a full table.
func BenchmarkFlood(b *testing.B) {
	tab, now := table.New[uint32](table.Options{Size: 100_000}, nil), time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		tab.Put(number(i), 1, now)
	}
}
