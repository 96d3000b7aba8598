package backend

// Wish says what a request asks for when it claims a place. The zero value takes
// any server and waits for as long as it may.
type Wish struct {
	// Avoid is the server that a former try failed on. It is not chosen unless it
	// is the only one.
	Avoid *Server
	// Prefer is a server of this backend that the request belongs to. Its place is
	// waited for, until it goes down or into maintenance; any other does then, and
	// when as many requests wait for it as its own QueueLimit allows.
	Prefer *Server
	// Only wants nothing but Prefer, whatever becomes of that server: for requests
	// on a connection that is open already.
	Only bool
	// Hash is the key for consistent hashes, made of what HashOn says, in the same
	// way in every process.
	Hash uint64
	// Gone gives what ends the wait when it is closed. It is asked once, and only when
	// there is a wait; nil is that nothing ends it.
	Gone func() <-chan struct{}
}

// Claim chooses a server and takes one place on it. While every server that may
// be chosen is at its MaxConnections it waits in the queue, first come first
// served, for at most Timeouts.Queue.
//
// Errors are ErrNoServer, ErrMaintenance, ErrQueueFull, ErrQueueTimeout and
// ErrGone. The first two come at once, to those who wait already too.
func (b *Backend) Claim(w Wish) (*Server, error) {
	if w.Prefer != nil {
		return b.claimPreferred(w)
	}
	r := b.rotation.Load()
	if r.version != b.group.version.Load() {
		r = b.rotate()
	}
	// Whoever waits comes first, so a free place is only taken when nobody does.
	if b.group.queue.general.Load() == 0 {
		if s, taken := r.balance.pick(r.but(w.Avoid), w.Hash); taken {
			return s, nil
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	return b.group.queue.claim(b, w)
}

func (b *Backend) claimPreferred(w Wish) (*Server, error) {
	switch s := w.Prefer; {
	case !w.belongs():
	case s.takeFirst():
		return s, nil
	case w.Only || s.mayQueue():
		return b.group.queue.claim(b, w)
	}
	w.Prefer = nil
	return b.Claim(w)
}

// belongs tells whether the request still belongs to the server that it prefers.
func (w *Wish) belongs() bool {
	return w.Only || w.Prefer.KeepsClients() && w.Prefer != w.Avoid
}

// Release gives a claimed place back, to the first in the queue that wants it.
// It is called exactly once for each claim.
func (s *Server) Release() {
	q := &s.group.queue
	// The place is handed on before it can be seen as free: otherwise a request
	// that has just arrived could be faster than the one that was woken.
	if q.wanted(s) && q.handOver(s) {
		return
	}
	s.places.free()
	if l := s.load.Load(); l != nil {
		l.fell()
	}
	// Whoever began to wait between the two lines above saw no free place.
	if q.wanted(s) {
		q.offer(s)
	}
}

// takeFirst takes a place if there is one and nobody waits for it.
func (s *Server) takeFirst() bool { return s.queued.Load() == 0 && s.take() }

// mayQueue tells whether one more may wait for this very server.
func (s *Server) mayQueue() bool {
	limit := s.live.Load().queueLimit
	return limit == 0 || s.queued.Load() < limit
}
