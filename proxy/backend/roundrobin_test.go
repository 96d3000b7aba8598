package backend_test

import (
	"fmt"
	"sync"
	"testing"

	"doorward/proxy/backend"
)

func weighted(weights ...int) backend.Options {
	o := at(nowhere(len(weights))...)
	for i, w := range weights {
		o.Servers[i].Weight = w
	}
	return o
}

func TestRoundRobinOrder(t *testing.T) {
	for _, c := range []struct {
		weights []int
		want    string
	}{
		{[]int{1, 1, 1}, "123123123"},
		{[]int{5, 1, 1}, "11121131112113"},
		{[]int{2, 0, 4}, "133133133"},
		{[]int{256, 128}, "112112112"},
		{[]int{7}, "1111"},
	} {
		t.Run(fmt.Sprint(c.weights), func(t *testing.T) {
			b := started(t, weighted(c.weights...))
			got := ""
			for range c.want {
				s := claimed(t, b, nil)
				got += s.Name()[1:]
				s.Release()
			}
			if got != c.want {
				t.Errorf("order %s, want %s", got, c.want)
			}
		})
	}
}

func TestRoundRobinIsFair(t *testing.T) {
	for _, weights := range [][]int{
		{1, 1}, {3, 2, 1}, {100, 99, 1}, {256, 255, 253, 251, 1}, {0, 10, 20},
	} {
		t.Run(fmt.Sprint(weights), func(t *testing.T) {
			sum := 0
			for _, w := range weights {
				sum += w
			}
			b := started(t, weighted(weights...))
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for range 3 * sum {
						claimed(t, b, nil).Release()
					}
				})
			}
			all.Wait()
			for i, s := range b.Servers() {
				if got, want := s.Counters().Claims, int64(12*weights[i]); got != want {
					t.Errorf("weight %d of %d: %d of %d claims, want %d",
						weights[i], sum, got, 12*sum, want)
				}
			}
		})
	}
}

// Weights whose schedule would be too long are rounded, but nobody starves.
func TestRoundRobinRoundsLargeWeights(t *testing.T) {
	weights := make([]int, 100)
	for i := range weights {
		weights[i] = 1_000_003 + i
	}
	weights[0] = 1
	b := started(t, weighted(weights...))
	const claims = 40_000
	for range claims {
		claimed(t, b, nil).Release()
	}
	for i, s := range b.Servers() {
		got := s.Counters().Claims
		if i == 0 && (got == 0 || got > 20) || i > 0 && (got < 380 || got > 420) {
			t.Errorf("weight %d: %d of %d claims", weights[i], got, claims)
		}
	}
}

// What a full server cannot take is shared by all the others.
func TestRoundRobinSharesTheOverflow(t *testing.T) {
	o := weighted(1, 1, 1, 1)
	o.Servers[1].MaxConnections = 1
	b := started(t, o)
	for range 3001 {
		claimed(t, b, nil)
	}
	for i, s := range b.Servers() {
		if got := s.Active(); i != 1 && (got < 700 || got > 1300) {
			t.Errorf("%s took %d of 3000", s.Name(), got)
		}
	}
}

func TestRoundRobinGoesOnAfterReload(t *testing.T) {
	b := started(t, weighted(1, 1))
	got := ""
	for range 6 {
		s := claimed(t, b, nil)
		got += s.Name()[1:]
		s.Release()
		next, err := backend.New(weighted(1, 1), b)
		if err != nil {
			t.Fatal(err)
		}
		next.Start()
		b.Retire(next)
		b = next
	}
	b.Retire(nil)
	if got != "121212" {
		t.Errorf("order over reloads %s, want 121212", got)
	}
}

// Servers that come and go all the time, and reloads, take nobody's turns.
func TestRoundRobinIsFairWhileServersComeAndGo(t *testing.T) {
	for name, change := range map[string]func(b *backend.Backend, i int){
		"a server goes down and up": func(b *backend.Backend, i int) {
			b.Server("s4").SetUp(i%2 == 0, false)
		},
		"a server goes down and up, slower": func(b *backend.Backend, i int) {
			b.Server("s4").SetUp(i/7%2 == 0, false)
		},
		"a weight changes": func(b *backend.Backend, i int) { b.Server("s4").SetWeight(i % 5) },
	} {
		b := started(t, weighted(1, 1, 2, 1))
		const n = 6000
		for i := range n {
			change(b, i)
			claimed(t, b, nil).Release()
		}
		got := [4]int64{}
		for i, s := range b.Servers() {
			got[i] = s.Counters().Claims
		}
		rest := n - got[3]
		for i, share := range []int64{1, 1, 2} {
			if want := rest * share / 4; got[i] < want*95/100 || got[i] > want*105/100 {
				t.Errorf("%s: s%d got %d of %v, want about %d", name, i+1, got[i], got, want)
			}
		}
		if got[3] < n/20 {
			t.Errorf("%s: s4 got %d of %d", name, got[3], n)
		}
	}
}
