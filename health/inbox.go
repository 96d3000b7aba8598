package health

import (
	"bufio"
	"io"
)

// inbox is what the answers to checks are read through, one after the other: so
// much of each, and no more.
type inbox struct {
	buffer *bufio.Reader // over all that follows
	from   io.Reader
	left   int
	over   bool // more was asked for
}

func newInbox() *inbox {
	in := &inbox{}
	in.buffer = bufio.NewReaderSize(in, readSize)
	return in
}

// open begins with another answer, of which maxHead bytes may be read.
func (in *inbox) open(from io.Reader) {
	in.from, in.left, in.over = from, maxHead, false
	in.buffer.Reset(in)
}

// close lets go of the connection.
func (in *inbox) close() { in.from = nil }

// Read fails with errTooLong when nothing is left.
func (in *inbox) Read(p []byte) (int, error) {
	if in.left == 0 {
		in.over = true
		return 0, errTooLong
	}
	n, err := in.from.Read(p[:min(len(p), in.left)])
	in.left -= n
	return n, err
}
