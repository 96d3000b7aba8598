package backend

// Claim chooses a server and takes one place on it. While every server that may
// be chosen is at its MaxConnections it waits in the queue, first come first
// served, for at most Timeouts.Queue and only until gone is closed (nil is
// never). Avoid, the server a former try of the request failed on, is not
// chosen unless it is the only one; it may be nil.
//
// Errors are ErrNoServer, ErrQueueFull, ErrQueueTimeout and ErrGone.
func (b *Backend) Claim(avoid *Server, gone <-chan struct{}) (*Server, error) {
	if b.usable <= 1 {
		avoid = nil
	}
	// Whoever waits comes first, so a free place is only taken when nobody does.
	if b.queue.waiting.Load() == 0 {
		if s := b.balance.pick(avoid); s != nil {
			return s, nil
		}
	}
	if b.usable == 0 {
		return nil, ErrNoServer
	}
	return b.queue.claim(b, waiter{backend: b, avoid: avoid}, gone)
}

// ClaimServer takes one place on a given server of the backend, waiting for it as
// Claim does: for requests that belong to one server. A server that has no share
// of the requests still has places.
func (b *Backend) ClaimServer(s *Server, gone <-chan struct{}) (*Server, error) {
	if b.queue.waiting.Load() == 0 && s.take() {
		return s, nil
	}
	return b.queue.claim(b, waiter{backend: b, only: s}, gone)
}

// Release gives a claimed place back, to the first in the queue that wants it.
// It is called exactly once for each claim.
func (s *Server) Release() {
	// The place is handed on before it can be seen as free: otherwise a request
	// that has just arrived could be faster than the one that was woken.
	if s.queue.waiting.Load() > 0 && s.queue.handOver(s) {
		return
	}
	s.active.Add(-1)
	// Whoever began to wait between the two lines above saw no free place.
	if s.queue.waiting.Load() > 0 {
		s.queue.offer(s)
	}
}

// take takes a place if there is one.
func (s *Server) take() bool {
	for {
		n, limit := s.active.Load(), s.limit.Load()
		if limit > 0 && n >= limit {
			return false
		}
		if s.active.CompareAndSwap(n, n+1) {
			s.claims.Add(1)
			return true
		}
	}
}
