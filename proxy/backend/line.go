package backend

// line is a list of waiters, the one who came first at its head.
type line struct {
	head, tail *waiter
}

// insert puts w behind another, nil is at the head.
func (l *line) insert(w, behind *waiter) {
	w.prev, w.next = behind, l.head
	if behind != nil {
		w.next = behind.next
		behind.next = w
	} else {
		l.head = w
	}
	if w.next != nil {
		w.next.prev = w
	} else {
		l.tail = w
	}
}

func (l *line) remove(w *waiter) {
	if w.prev == nil {
		l.head = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.tail = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
}

// before is the last one in line up to w who came before it: the place for w.
func (l *line) before(w, from *waiter) *waiter {
	for from != nil && from.number > w.number {
		from = from.prev
	}
	return from
}
