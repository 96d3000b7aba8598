package route

import "net/netip"

// Request is what a table looks at. Its slices are only read during Match, but
// Result may alias Path and Scratch.
type Request struct {
	// Host is the canonical host (see CanonicalHost), empty when the request
	// named none.
	Host []byte
	// Path is the path of the target as received, Query what follows the first
	// "?", without it.
	Path, Query []byte
	Method      []byte
	// Client is the address the request is attributed to.
	Client netip.Addr
	// Fields may be nil: no header fields.
	Fields Fields
	// Scratch is overwritten with the canonical path where one is made. With
	// twice the length of Path as capacity, Match allocates nothing for the
	// usual paths; nil is allowed.
	Scratch []byte
}

// Fields gives access to the header fields of a request.
type Fields interface {
	// Field returns the value of the n-th field, counted from 0, whose name is
	// name without regard to case. Name is given in lower case.
	Field(name string, n int) (value []byte, ok bool)
}
