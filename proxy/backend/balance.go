package backend

// balancer shares the claims out over the servers of one backend. Each algorithm
// is a file of its own. Pick is called by many goroutines and may not allocate.
type balancer interface {
	// pick takes a place on a server other than avoid and returns that server, or
	// nil when each of them is full.
	pick(avoid *Server) *Server
}
