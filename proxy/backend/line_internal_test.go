package backend

import (
	"testing"
	"time"
)

// numbers puts waiters in a line, one for each turn from a first one on.
func numbers(l *line, first, step, n uint64) {
	for i := range n {
		l.join(&waiter{number: first + i*step})
	}
}

// Two lines of a hundred thousand become one in the time that it takes to look at
// each of them a few times, and not at each of them for each.
func TestLinesJoinByTurn(t *testing.T) {
	const many = 100_000
	began := time.Now()
	var l, from line
	numbers(&l, 0, 2, many)
	numbers(&from, 1, 2, many)
	for w := from.head; w != nil; w = from.head {
		from.remove(w)
		l.join(w)
	}
	if from != (line{}) {
		t.Errorf("the line that all left is %+v", from)
	}
	for w := l.tail; w != nil; { // and back, from the end
		before := w.prev
		if w.number%2 == 1 {
			l.remove(w)
			from.join(w)
		}
		w = before
	}
	for w := from.tail; w != nil; w = from.tail {
		from.remove(w)
		l.join(w)
	}
	n := uint64(0)
	for w := l.head; w != nil; w = w.next {
		if w.number != n || (w.prev == nil) != (n == 0) || w.prev != nil && w.prev.next != w {
			t.Fatalf("at place %d stands %d", n, w.number)
		}
		n++
	}
	if n != 2*many || l.tail.number != n-1 {
		t.Errorf("%d are in the line, want %d", n, 2*many)
	}
	if took := time.Since(began); took > patientlyIn {
		t.Errorf("it took %v", took)
	}
}

// patientlyIn is a hundred times what it takes, and less than what it would take to
// begin at one end each time.
const patientlyIn = 5 * time.Second
