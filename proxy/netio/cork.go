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
	c.corkMu.Lock()
	c.cork = g
	c.corkMu.Unlock()
	n, err := c.tls.Write(p)
	if ferr := c.uncork(); err == nil {
		err = ferr
	}
	g.buf = g.buf[:0]
	gathers.Put(g)
	return n, err
}

// uncork writes what is gathered, before anything that comes after it.
func (c *Conn) uncork() error {
	c.corkMu.Lock()
	defer c.corkMu.Unlock()
	g := c.cork
	c.cork = nil
	return g.flush(c)
}

// writeUnder takes what the TLS layer writes. That is not the writer alone: the
// reader answers alerts and key updates by itself, at any time.
func (c *Conn) writeUnder(p []byte) (int, error) {
	c.corkMu.Lock()
	if c.cork == nil {
		c.corkMu.Unlock()
		return c.writeSocket(p)
	}
	defer c.corkMu.Unlock()
	return c.cork.add(c, p)
}
