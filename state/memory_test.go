package state_test

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"doorward/state"
)

func TestExpiredEntriesLeaveMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := open(t, "memory:", state.Options{})
		before := heap()
		value := make([]byte, 1<<10)
		const n = 12_000 // more than one sweep looks at
		for i := range n {
			if _, err := store.Set(t.Context(), fmt.Sprint(i), value, time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		if used := heap() - before; used < n<<10 {
			t.Fatalf("%d bytes in use for %d", used, n<<10)
		}
		<-time.After(2 * time.Minute)
		synctest.Wait()
		if used := heap() - before; used > n<<8 {
			t.Errorf("%d bytes in use after all has expired", used)
		}
	})
}

func heap() int {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

// Keys that come and go cost no memory, even if nobody ever lists them.
func TestMemoryForgetsKeys(t *testing.T) {
	store := open(t, "memory:", state.Options{})
	before := heap()
	for i := range 200_000 {
		key := fmt.Sprint("a key that is only used once ", i)
		if _, err := store.Set(t.Context(), key, nil, 0); err != nil {
			t.Fatal(err)
		}
		if err := store.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	if used := heap() - before; used > 4<<20 {
		t.Errorf("%d bytes in use for nothing", used)
	}
	runtime.KeepAlive(store)
}
