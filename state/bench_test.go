package state_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"doorward/state"
)

// eachEngine runs a benchmark on a store with as many entries as a company has
// sessions.
func eachEngine(b *testing.B, run func(b *testing.B, store *state.Store)) {
	for _, engine := range []string{"memory", "file"} {
		b.Run(engine, func(b *testing.B) {
			url := "memory:"
			if engine == "file" {
				url = "file:" + filepath.Join(b.TempDir(), "state")
			}
			store := open(b, url, state.Options{})
			for i := range 10 {
				var changes []state.Change
				for k := range 1000 {
					changes = append(changes, state.Put(benchKey(i*1000+k), make([]byte, 300), 0))
				}
				if _, err := store.Write(b.Context(), changes...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			run(b, store)
		})
	}
}

func benchKey(i int) string { return fmt.Sprintf("session/%06d", i%10_000*7919%10_000) }

func BenchmarkGet(b *testing.B) {
	eachEngine(b, func(b *testing.B, store *state.Store) {
		key := benchKey(4711)
		for b.Loop() {
			if _, err := store.Get(b.Context(), key); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSet(b *testing.B) {
	eachEngine(b, func(b *testing.B, store *state.Store) {
		value := make([]byte, 300)
		for i := 0; b.Loop(); i++ {
			if _, err := store.Set(b.Context(), benchKey(i), value, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSetTogether has 100 writers at once.
func BenchmarkSetTogether(b *testing.B) {
	eachEngine(b, func(b *testing.B, store *state.Store) {
		value := make([]byte, 300)
		var n atomic.Int64
		b.SetParallelism(50)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := store.Set(b.Context(), benchKey(int(n.Add(1))), value, 0); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

func BenchmarkAppend(b *testing.B) {
	eachEngine(b, func(b *testing.B, store *state.Store) {
		log, event := store.Log("log", 1000), make([]byte, 100)
		for b.Loop() {
			if _, err := log.Append(b.Context(), event); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkList(b *testing.B) {
	eachEngine(b, func(b *testing.B, store *state.Store) {
		for b.Loop() {
			n := 0
			for _, err := range store.All(b.Context(), "session/") {
				if n++; err != nil {
					b.Fatal(err)
				}
			}
			if n != 10_000 {
				b.Fatal(n)
			}
		}
	})
}
