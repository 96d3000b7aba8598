package netio

import "io"

var errEOF = io.EOF

// errNothing says that nothing is there to be read without waiting. It is a
// temporary net.Error, after which crypto/tls goes on reading where it was.
var errNothing error = nothingError{}

type nothingError struct{ timeoutError }

func (nothingError) Error() string { return "nothing to read" }

// readNow reads from the TLS layer and never waits: without a whole record here
// it gives errNothing.
func (c *Conn) readNow(p []byte) (int, error) {
	c.instant = true
	n, err := c.tls.Read(p)
	c.instant = false
	return n, err
}

// quietTLS reads for real instead of looking: a session ticket that came late is
// no reason to give a connection up, and an answer that nobody asked for, which
// may stand in the buffers of the TLS layer already, is one.
func (c *Conn) quietTLS() bool {
	_, err := c.readNow(c.one[:])
	return err == errNothing
}

// askPlain is Ask in two steps, for TLS and for what has no descriptor.
func (c *Conn) askPlain(out, in []byte, peek bool) (wrote, n int, err error) {
	if peek && !c.Quiet() {
		return 0, 0, ErrStale
	}
	if wrote, err = c.Write(out); err != nil {
		return wrote, 0, err
	}
	n, err = c.Read(in)
	return wrote, n, err
}

// readLazyTLS waits for the first byte with a buffer of one byte inside the
// connection; what came with it then stands decrypted in the TLS layer and is
// had without another system call.
func (c *Conn) readLazyTLS(get func() []byte) (int, error) {
	n, err := c.tls.Read(c.one[:])
	if err != nil || n == 0 {
		return 0, err
	}
	p := get()
	p[0] = c.one[0]
	m, err := c.readNow(p[1:])
	if err == errNothing {
		err = nil
	}
	return 1 + m, err
}
