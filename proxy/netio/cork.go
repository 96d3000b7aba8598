package netio

import "sync"

const (
	// recordBytes is the most that one TLS record carries (RFC 8446, section 5.1).
	recordBytes = 16 << 10
	// gatherBytes is how much is gathered before it is written: the records of one
	// bulk buffer with their overhead.
	gatherBytes = 72 << 10
)

// gather collects the writes of a TLS layer, which makes one for each record.
type gather struct{ buf []byte }

//house:allow global a pool that all connections share, so that idle ones hold no buffer
var gathers = sync.Pool{New: func() any {
	return &gather{buf: make([]byte, 0, gatherBytes)}
}}

func (g *gather) add(c *Conn, p []byte) (int, error) {
	if len(g.buf)+len(p) > cap(g.buf) {
		if err := g.flush(c); err != nil {
			return 0, err
		}
	}
	g.buf = append(g.buf, p...)
	return len(p), nil
}

func (g *gather) flush(c *Conn) error {
	if len(g.buf) == 0 {
		return nil
	}
	_, err := c.writeSocket(g.buf)
	g.buf = g.buf[:0]
	return err
}

func (c *Conn) writeGathered(p []byte) (int, error) {
	g := gathers.Get().(*gather)
	c.cork = g
	n, err := c.tls.Write(p)
	c.cork = nil
	if ferr := g.flush(c); err == nil {
		err = ferr
	}
	g.buf = g.buf[:0]
	gathers.Put(g)
	return n, err
}
