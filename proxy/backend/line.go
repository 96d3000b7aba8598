package backend

// line is a list of waiters, the one who came first at its head.
type line struct {
	head, tail *waiter
	// near is who was inserted by turn last, nil for nobody: those who come from
	// another line come one after the other, so that the next place is close by.
	near *waiter
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
	if l.near == w {
		l.near = w.prev
	}
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

// join puts w where its turn is.
func (l *line) join(w *waiter) {
	behind := l.near
	if behind == nil {
		behind = l.tail
	}
	for behind != nil && behind.number > w.number {
		behind = behind.prev
	}
	for next := l.after(behind); next != nil && next.number < w.number; next = next.next {
		behind = next
	}
	l.insert(w, behind)
	l.near = w
}

// after is the one behind w, the head for nobody.
func (l *line) after(w *waiter) *waiter {
	if w == nil {
		return l.head
	}
	return w.next
}
