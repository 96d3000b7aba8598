package table_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"doorward/internal/alloctest"
	"doorward/internal/table"
)

func key(text string) table.Key { return table.KeyOf([]byte(text)) }

// number is a key that costs little to make.
func number(i int) table.Key {
	return table.KeyOf([]byte{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)})
}

func TestAgreesWithModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for range 100 {
		program := make([]byte, 3*300)
		for i := range program {
			program[i] = byte(rng.UintN(256))
			if i%3 == 1 {
				program[i] %= 64
			}
		}
		replay(t, modelOptions(uint8(rng.UintN(256))), program)
	}
}

func TestSizeIsNeverExceeded(t *testing.T) {
	now := time.Now()
	for _, size := range []int{-1, 0, 1, 100, 511, 512, 1000, 5_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			tab := table.New[int](table.Options{Size: size}, nil)
			for i := range 3 * max(size, 1) {
				if !tab.Put(number(i), i, now) {
					t.Fatalf("entry %d was refused", i)
				}
			}
			if err := tab.Check(); err != nil {
				t.Fatal(err)
			}
			if got, want := tab.Len(), max(size, 1); got != want {
				t.Errorf("%d entries, want %d", got, want)
			}
		})
	}
}

// Shards fill unevenly, but not by much.
func TestShardsAreFilledEvenly(t *testing.T) {
	const size = 40_000
	tab := table.New[int](table.Options{Size: size}, nil)
	for i := range size {
		tab.Put(number(i), i, time.Now())
	}
	if n := tab.Counters().Evicted; n > size/20 {
		t.Errorf("%d of %d entries made room for others, want at most 5 percent", n, size)
	}
}

func TestUsesWithinTheGrainAreOneUse(t *testing.T) {
	o := table.Options{Size: 2, Expire: time.Minute, Grain: time.Second}
	tab, start := table.New[int](o, nil), time.Now()
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	tab.Put(key("a"), 1, at(0))
	tab.Put(key("b"), 2, at(0.1))
	tab.Get(key("a"), at(0.9))
	tab.Put(key("c"), 3, at(0.95))
	if _, ok := tab.Get(key("a"), at(0.96)); ok {
		t.Error("a use within the grain moved the entry")
	}
	tab.Get(key("b"), at(1.2))
	tab.Put(key("d"), 4, at(1.3))
	if _, ok := tab.Get(key("b"), at(1.4)); !ok {
		t.Error("a use after the grain did not move the entry")
	}
	if _, ok := tab.Get(key("b"), at(1.2+60.9)); !ok {
		t.Error("an entry is gone before its time")
	}
	if _, ok := tab.Get(key("d"), at(1.3+61)); ok {
		t.Error("an entry is there a grain after its time")
	}
}

func TestRefs(t *testing.T) {
	tab, now := table.New[int](table.Options{Size: 1}, nil), time.Now()
	add := func(v *int) table.Stay {
		*v++
		return table.Plain
	}
	put := func(k string) table.Ref {
		r, _ := tab.Update(key(k), now, func(*int, bool) table.Stay { return table.Plain })
		return r
	}
	first := put("a")
	if !tab.Revisit(first, now, add) || put("a") != first {
		t.Error("the entry is not found again")
	}
	put("b")
	again := put("a")
	if tab.Revisit(first, now, add) {
		t.Error("a Ref led to another entry with the same key")
	}
	tab.Clear()
	if tab.Revisit(again, now, add) {
		t.Error("a Ref led to an entry after Clear")
	}
	if r := put("a"); r == again || r == first {
		t.Error("a Ref came back after Clear")
	}
	if tab.Revisit(table.Ref{}, now, add) {
		t.Error("the zero Ref leads somewhere")
	}
	if v, _ := tab.Get(key("a"), now); v != 0 {
		t.Errorf("value %d, want 0", v)
	}
}

func TestContinuedTableHasTheEntriesAndItsOwnBounds(t *testing.T) {
	now := time.Now()
	old := table.New[int](table.Options{Size: 100}, nil)
	for i := range 100 {
		old.Put(key(strconv.Itoa(i)), i, now)
	}
	tab := table.New(table.Options{Size: 10, Expire: time.Minute}, old)
	if n := tab.Len(); n != 100 {
		t.Errorf("%d entries before the new bounds were used, want 100", n)
	}
	tab.Put(key("new"), 1, now)
	if n := tab.Len(); n != 99 {
		t.Errorf("%d entries after one came, want 99", n)
	}
	if n := tab.Sweep(now); n != 10 {
		t.Errorf("%d entries after a sweep, want 10", n)
	}
	if v, ok := tab.Get(key("99"), now); !ok || v != 99 {
		t.Errorf("Get of the entry used last = %d, %v", v, ok)
	}
	if n := tab.Sweep(now.Add(time.Hour)); n != 0 {
		t.Errorf("%d entries after their time, want 0", n)
	}

	wide := table.New[int](table.Options{Size: 100_000}, nil)
	narrow := table.New(table.Options{Size: 1}, wide)
	for i := range 1000 {
		narrow.Put(number(i), i, now)
	}
	if n := narrow.Len(); n > wide.Shards() {
		t.Errorf("%d entries in a small table that was large, want %d at most", n, wide.Shards())
	}
}

func TestDeleteFunc(t *testing.T) {
	tab, now := table.New[int](table.Options{Size: 10_000}, nil), time.Now()
	for i := range 5000 {
		tab.Put(number(i), i, now)
	}
	if n := tab.DeleteFunc(func(_ table.Key, v int) bool { return v%5 == 0 }); n != 1000 {
		t.Errorf("%d entries removed, want 1000", n)
	}
	if err := tab.Check(); err != nil {
		t.Error(err)
	}
	if got := len(list(tab, 100, now)); got != 4000 || tab.Len() != 4000 {
		t.Errorf("%d entries listed and %d counted, want 4000", got, tab.Len())
	}
	if n := tab.Clear(); n != 4000 || tab.Len() != 0 {
		t.Errorf("Clear = %d and left %d, want 4000 and 0", n, tab.Len())
	}
}

func TestMemoryIsGivenBack(t *testing.T) {
	tab, now := table.New[int](table.Options{Size: 10_000, Expire: time.Minute}, nil), time.Now()
	fill := func() {
		for i := range 10_000 {
			tab.Put(number(i), i, now)
		}
	}
	fill()
	if tab.Chunks() == 0 {
		t.Fatal("ten thousand entries take no chunk")
	}
	if tab.Sweep(now.Add(time.Hour)); tab.Chunks() != 0 {
		t.Errorf("%d chunks after all had expired, want 0", tab.Chunks())
	}
	fill()
	if tab.Clear(); tab.Chunks() != 0 {
		t.Errorf("%d chunks after Clear, want 0", tab.Chunks())
	}
}

// A listing may be read slowly: what stays is shown once, whatever happens to
// the rest.
func TestPagesWhileEntriesComeAndGo(t *testing.T) {
	tab, now := table.New[int](table.Options{Size: 100_000}, nil), time.Now()
	for i := range 3000 {
		tab.Put(number(i), i, now)
	}
	seen := map[int]int{}
	from, fresh := table.Cursor(0), 3000
	for {
		var page []table.Entry[int]
		page, from = tab.Page(from, 50, now)
		for _, e := range page {
			seen[e.Value]++
			if e.Value%3 == 0 {
				tab.Delete(e.Key)
			}
			tab.Put(number(fresh), fresh, now)
			fresh++
		}
		if from == 0 || fresh > 50_000 {
			break
		}
	}
	for i := range 3000 {
		if seen[i] != 1 {
			t.Fatalf("entry %d was shown %d times", i, seen[i])
		}
	}
}

func TestValuesWithPointersAreRefused(t *testing.T) {
	for name, make := range map[string]func(){
		"string": func() { table.New[string](table.Options{}, nil) },
		"struct": func() { table.New[struct{ at *int }](table.Options{}, nil) },
		"array":  func() { table.New[[2][]int](table.Options{}, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			make()
		})
	}
}

// A panic inside Update, which a request may survive, leaves the shard usable.
func TestPanicInUpdateUnlocks(t *testing.T) {
	tab, now := table.New[int](table.Options{Size: 1}, nil), time.Now()
	func() {
		defer func() { _ = recover() }()
		tab.Update(key("a"), now, func(*int, bool) table.Stay { panic("no") })
	}()
	if !tab.Put(key("b"), 1, now) {
		t.Error("Put says no")
	}
	if err := tab.Check(); err != nil {
		t.Error(err)
	}
}

func TestNothingAllocates(t *testing.T) {
	tab, now := table.New[int](table.Options{Size: 1000, Expire: time.Hour}, nil), time.Now()
	for i := range 2000 {
		tab.Put(number(i), i, now)
	}
	long := make([]byte, 5000)
	next := 0
	if n := alloctest.PerRun(1000, func() {
		next++
		k := number(next)
		ref, _ := tab.Update(k, now, func(v *int, _ bool) table.Stay {
			*v += next
			return table.Plain
		})
		tab.Revisit(ref, now, func(v *int) table.Stay {
			*v -= next
			return table.Pinned
		})
		tab.Get(k, now)
		tab.Delete(k)
		tab.Put(table.KeyOf(long), 1, now)
		tab.Sweep(now)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
