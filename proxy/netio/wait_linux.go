package netio

import (
	"errors"
	"os"
)

// ReadLazy waits until there is something to read and only then asks for a
// buffer: get is called once bytes are there, and may be called again when
// another goroutine was faster. So a connection that idles holds no buffer.
func (c *Conn) ReadLazy(get func() []byte, put func()) (int, error) {
	if c.tls != nil {
		return c.readLazyTLS(get)
	}
	if c.raw == nil || len(c.pre) > 0 {
		return c.readSocket(get())
	}
	a := &c.ask
	a.get, a.put, a.n, a.err = get, put, 0, nil
	limit := c.armRead()
	for {
		err := c.raw.Read(a.wait)
		if err == nil {
			return a.n, a.err
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, err
		}
		if err := c.early(limit); err != nil {
			return 0, err
		}
	}
}

func (c *Conn) waitStep(fd uintptr) bool {
	a := &c.ask
	a.in = a.get()
	done := a.read(fd)
	a.in = nil
	if !done {
		a.put()
	}
	return done
}
