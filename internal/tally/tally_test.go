package tally_test

import (
	"sync"
	"testing"
	"time"

	"doorward/internal/tally"
)

func TestCountsAddUpOverCells(t *testing.T) {
	x := tally.New()
	var group sync.WaitGroup
	for n := range 20 {
		group.Go(func() {
			cell := x.At(n)
			for range 1000 {
				cell.Request(204, 3, 5)
				cell.Count(tally.Retried)
				cell.Took(tally.Total, 2*time.Millisecond)
			}
		})
	}
	group.Wait()
	got := x.Sum()
	if got.Requests != 20_000 || got.BytesIn != 60_000 || got.BytesOut != 100_000 {
		t.Errorf("%d requests, %d bytes in, %d out", got.Requests, got.BytesIn, got.BytesOut)
	}
	if got.Classes[2] != 20_000 || got.Of(tally.Retried) != 20_000 || got.Of(tally.Denied) != 0 {
		t.Errorf("classes %v, events %v", got.Classes, got.Events)
	}
	h := &got.Timers[tally.Total]
	if h.Count() != 20_000 || h.Sum != 40*time.Second {
		t.Errorf("%d durations, %v", h.Count(), h.Sum)
	}
}

func TestStatusClasses(t *testing.T) {
	for status, want := range map[int]int{
		0: 0, 99: 0, 100: 1, 101: 1, 200: 2, 299: 2, 302: 3, 404: 4, 599: 5, 600: 0, -1: 0,
	} {
		x := tally.New()
		x.At(0).Request(status, 0, 0)
		if got := x.Sum().Classes; got[want] != 1 {
			t.Errorf("status %d: classes %v, want it in %d", status, got, want)
		}
	}
}

func TestDurationsFallBelowTheirBound(t *testing.T) {
	for i := range tally.Buckets - 1 {
		for _, d := range []time.Duration{tally.Bound(i), tally.Bound(i) + 1} {
			x := tally.New()
			x.At(0).Took(tally.Queue, d)
			want := i
			if d > tally.Bound(i) {
				want++
			}
			if got := x.Sum().Timers[tally.Queue].Counts; got[want] != 1 {
				t.Errorf("%v: buckets %v, want it in %d", d, got, want)
			}
		}
	}
	x := tally.New()
	x.At(0).Took(tally.Queue, time.Hour)
	x.At(0).Took(tally.Queue, 0)
	x.At(0).Took(tally.Queue, -1)
	got := x.Sum().Timers[tally.Queue]
	if got.Counts[0] != 1 || got.Counts[tally.Buckets-1] != 1 || got.Count() != 2 {
		t.Errorf("buckets %v", got.Counts)
	}
}

func TestSinceIsTheDifference(t *testing.T) {
	x := tally.New()
	x.At(1).Request(200, 1, 2)
	x.At(1).Took(tally.Connect, time.Second)
	before := x.Sum()
	x.At(2).Request(500, 10, 20)
	x.At(2).Count(tally.ServerAborted)
	x.At(2).Took(tally.Connect, time.Minute)
	after := x.Sum()
	after.Since(&before)
	if after.Requests != 1 || after.Classes != [6]int64{5: 1} || after.BytesIn != 10 ||
		after.BytesOut != 20 || after.Of(tally.ServerAborted) != 1 ||
		after.Timers[tally.Connect].Sum != time.Minute {
		t.Errorf("%+v", after)
	}
	after.Add(&before)
	if after != x.Sum() {
		t.Errorf("%+v, want %+v", after, x.Sum())
	}
}

func TestNilCountsNothing(t *testing.T) {
	var x *tally.Tally
	x.At(3).Request(200, 1, 1)
	x.At(3).Count(tally.Denied)
	x.At(3).Took(tally.Total, time.Second)
	if x.Sum() != (tally.Totals{}) {
		t.Errorf("%+v", x.Sum())
	}
}

func BenchmarkRequest(b *testing.B) {
	x := tally.New()
	b.ReportAllocs()
	for b.Loop() {
		c := x.At(7)
		c.Request(200, 120, 300)
		c.Took(tally.Queue, 0)
		c.Took(tally.Connect, 0)
		c.Took(tally.Response, 300*time.Microsecond)
		c.Took(tally.Total, 400*time.Microsecond)
	}
}
