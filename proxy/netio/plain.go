package netio

import "io"

var errEOF = io.EOF

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
// had without another system call. A record of one byte alone means that the
// second Read waits, which is right: no message is one byte long.
func (c *Conn) readLazyTLS(get func() []byte) (int, error) {
	n, err := c.tls.Read(c.one[:])
	if err != nil || n == 0 {
		return 0, err
	}
	p := get()
	p[0] = c.one[0]
	m, err := c.tls.Read(p[1:])
	return 1 + m, err
}
