package table_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"doorward/internal/table"
)

func TestSecurity(t *testing.T) {
	t.Run("DOS-07_memory_is_bounded_under_a_flood_of_new_keys", func(t *testing.T) {
		const size = 10_000
		tab, now := table.New[int](table.Options{Size: size}, nil), time.Now()
		for i := range size {
			tab.Put(number(i), i, now)
		}
		before := heap()
		for i := range 4 * size {
			tab.Put(number(i), i, now)
		}
		// The index may grow a little, until each shard was full once.
		if grown := int64(heap()) - int64(before); grown > size*table.SlotBytes[int]()/4 {
			t.Errorf("the heap grew by %d bytes", grown)
		}
		runtime.KeepAlive(tab)
	})
	t.Run("DOS-07_keys_of_any_length_take_the_same_room", func(t *testing.T) {
		tab, now := table.New[int](table.Options{Size: 1000}, nil), time.Now()
		before := heap()
		for i := range 500 {
			long := make([]byte, 64<<10)
			long[0], long[1] = byte(i), byte(i>>8)
			tab.Put(table.KeyOf(long), i, now)
		}
		if grown := int64(heap()) - int64(before); grown > 200_000 {
			t.Errorf("500 keys of 64 KiB took %d bytes", grown)
		}
		if tab.Len() != 500 {
			t.Errorf("%d entries, want 500", tab.Len())
		}
	})
	t.Run("DOS-07_protected_entries_outlive_a_flood", protectedOutlive)
	t.Run("DOS-07_protected_entries_leave_room_for_new_ones", protectedLeaveRoom)
	t.Run("DOS-09_the_same_keys_meet_elsewhere_in_another_table", seeded)
	t.Run("DOS-09_similar_keys_do_not_meet", similarKeys)
}

func protectedOutlive(t *testing.T) {
	tab, now := table.New[int](table.Options{Size: 10_000}, nil), time.Now()
	for i := range 1000 {
		stay := table.Protected
		if i%2 == 0 {
			stay = table.Pinned
		}
		tab.Update(number(i), now, func(v *int, _ bool) table.Stay {
			*v = i
			return stay
		})
	}
	for i := 1000; i < 100_000; i++ {
		tab.Put(number(i), i, now)
	}
	for i := range 1000 {
		if v, ok := tab.Get(number(i), now); !ok || v != i {
			t.Fatalf("protected entry %d is gone", i)
		}
	}
}

func protectedLeaveRoom(t *testing.T) {
	const size = 1000
	tab, now := table.New[int](table.Options{Size: size}, nil), time.Now()
	for i := range 4 * size {
		tab.Update(number(i), now, func(*int, bool) table.Stay { return table.Protected })
	}
	for i := range size / 10 {
		tab.Put(key(fmt.Sprint("new ", i)), i, now)
	}
	for i := range size / 10 {
		if _, ok := tab.Get(key(fmt.Sprint("new ", i)), now); !ok {
			t.Fatalf("new entry %d of %d is gone already", i, size/10)
		}
	}
}

func seeded(t *testing.T) {
	// Keys that meet in the first table, found by looking.
	first, other := table.New[int](table.Options{}, nil), table.New[int](table.Options{}, nil)
	var meet []table.Key
	for i := 0; len(meet) < 100; i++ {
		if first.Hash(number(i))%1024 == 0 {
			meet = append(meet, number(i))
		}
	}
	buckets := map[uint64]bool{}
	for _, k := range meet {
		buckets[other.Hash(k)%1024] = true
	}
	if len(buckets) < 80 {
		t.Errorf("100 keys that meet in one table have %d places in another", len(buckets))
	}
}

func similarKeys(t *testing.T) {
	for name, format := range map[string]string{
		"counted": "%d", "padded": "%031d", "long": "a key longer than a slot has room for %08d",
	} {
		tab, now := table.New[int](table.Options{Size: 20_000}, nil), time.Now()
		for i := range 20_000 {
			tab.Put(key(fmt.Sprintf(format, i)), i, now)
		}
		if n := tab.LongestChain(); n > 12 {
			t.Errorf("%s: %d keys in one bucket", name, n)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Everything at once, for the race detector.
func TestManyGoroutines(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		o := table.Options{Size: 3000, Expire: 50 * time.Millisecond, Refuse: refuse}
		tab := table.New[int](o, nil)
		start := time.Now()
		var all sync.WaitGroup
		for g := range 4 {
			all.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(g), 7))
				bounds := o
				bounds.Size = 1500 * (1 + g%2)
				mine := table.New(bounds, tab)
				for i := range 15_000 {
					now := start.Add(time.Duration(i) * 10 * time.Microsecond)
					work(t, mine, rng, now)
				}
			})
		}
		all.Wait()
		tab.Sweep(start)
		if err := tab.CheckUnordered(); err != nil {
			t.Error(err)
		}
	}
}

func work(t *testing.T, tab *table.Table[int], rng *rand.Rand, now time.Time) {
	i := rng.IntN(6000)
	switch rng.IntN(200) {
	case 0:
		tab.Page(table.Cursor(rng.IntN(1<<8)), 20, now)
	case 1:
		tab.Sweep(now)
	case 2:
		tab.DeleteFunc(func(_ table.Key, v int) bool { return v == i })
	case 3:
		if rng.IntN(50) == 0 {
			tab.Clear()
		}
	case 4:
		tab.Counters()
		tab.Len()
	default:
		touch(t, tab, rng, now)
	}
}

func touch(t *testing.T, tab *table.Table[int], rng *rand.Rand, now time.Time) {
	i := rng.IntN(6000)
	k, stay := number(i), table.Stay(rng.IntN(3))
	switch rng.IntN(4) {
	case 0:
		tab.Delete(k)
	case 1:
		ref, _ := tab.Update(k, now, func(v *int, fresh bool) table.Stay {
			if !fresh && *v != i {
				t.Errorf("entry %d holds %d", i, *v)
			}
			*v = i
			return stay
		})
		tab.Revisit(ref, now, func(v *int) table.Stay {
			if *v != i {
				t.Errorf("entry %d holds %d", i, *v)
			}
			return table.Plain
		})
	case 2:
		if v, ok := tab.Get(k, now); ok && v != i {
			t.Errorf("Get(%d) = %d", i, v)
		}
	case 3:
		tab.Put(k, i, now)
	}
}
