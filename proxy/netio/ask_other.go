//go:build !linux

package netio

// ask has no state where there is no short way.
type ask struct{}

func (*ask) init(*Conn) {}

type put struct{}

func (*put) init() {}

func (c *Conn) sockRead(p []byte) (int, error)  { return c.sock.Read(p) }
func (c *Conn) sockWrite(p []byte) (int, error) { return c.sock.Write(p) }

// Ask writes out and reads the first bytes of the answer into in.
func (c *Conn) Ask(out, in []byte, peek bool) (wrote, n int, err error) {
	return c.askPlain(out, in, peek)
}

// Quiet tells whether an idle connection is still open with nothing to read;
// without a way to look, it is believed to be.
func (c *Conn) Quiet() bool { return c.tls == nil || c.quietTLS() }

// readInstant cannot look at the socket here.
func (c *Conn) readInstant([]byte) (int, error) { return 0, errNothing }

// ReadLazy reads into the buffer that get gives; here the connection holds it
// while it waits.
func (c *Conn) ReadLazy(get func() []byte, put func()) (int, error) {
	n, err := c.Read(get())
	if n == 0 {
		put()
	}
	return n, err
}
