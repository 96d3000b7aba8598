package backend

// first fills the servers in the order of the file, so that those at the end may
// sleep while there is little to do. Weights mean nothing to it but 0.
type first []member

func (f first) pick(avoid *Server, _ uint64) (*Server, bool) { return anyFree(f, 0, avoid) }
