package session_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"doorward/auth/session"
	"doorward/auth/user"
	"doorward/internal/alloctest"
	"doorward/state"
)

const crowd = 100_000

// crowded is a manager with many sessions of as many users, and their tickets.
func crowded(tb testing.TB, many int) (*session.Manager, [][]byte) {
	tb.Helper()
	store, err := state.Open("memory:", state.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = store.Close() })
	people := make(map[string]*user.Person, many)
	for i := range many {
		id := "u" + strconv.Itoa(i)
		people[id] = person(id, 1)
	}
	m, err := session.Open(context.Background(), session.Options{
		Store: store, Box: box(tb), Limits: limits(),
		People: func(id string) *user.Person { return people[id] },
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = m.Close(context.Background()) })
	tickets := make([][]byte, many)
	for i := range many {
		_, ticket, err := m.Begin(context.Background(), session.Start{
			UserID: "u" + strconv.Itoa(i), Provider: "local", Host: host,
		})
		if err != nil {
			tb.Fatal(err)
		}
		tickets[i] = []byte(ticket)
	}
	return m, tickets
}

func TestFindAllocatesNothing(t *testing.T) {
	m, tickets := crowded(t, 100)
	at := []byte(host)
	n := 0
	if a := alloctest.PerRun(1000, func() {
		if n++; m.Find(tickets[n%len(tickets)], at) == nil {
			t.Fatal("not found")
		}
		if m.Find(tickets[0][:43], at) != nil {
			t.Fatal("found")
		}
	}); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

// BenchmarkFind looks at 100,000 sessions from all processors, of which one in
// a hundred has ended.
func BenchmarkFind(b *testing.B) {
	m, tickets := crowded(b, crowd)
	at := []byte(host)
	for i := 0; i < crowd; i += 100 {
		m.End(context.Background(), m.Find(tickets[i], at), "benchmark")
	}
	runtime.GC()
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		i := int(next.Add(1)) * 7919
		for pb.Next() {
			i += 104729
			m.Find(tickets[i%crowd], at)
		}
	})
}

// BenchmarkMemory says what a session needs.
func BenchmarkMemory(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m, tickets := crowded(b, crowd)
	runtime.GC()
	runtime.ReadMemStats(&after)
	for b.Loop() {
		m.Find(tickets[0], []byte(host))
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/crowd, "B/session")
	_ = fmt.Sprint(len(m.All()))
}
