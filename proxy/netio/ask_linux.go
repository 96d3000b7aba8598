package netio

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

// ask is the state of one call that works on the descriptor itself. The
// functions are made once per connection, so that handing them over allocates
// nothing.
type ask struct {
	step, wait, plain func(fd uintptr) bool
	look, instant     func(fd uintptr)

	out   []byte
	in    []byte
	get   func() []byte
	put   func()
	n     int
	err   error
	peek  bool
	asked bool
	quiet bool
}

func (a *ask) init(c *Conn) {
	a.step, a.wait, a.plain = c.askStep, c.waitStep, a.read
	a.look, a.instant = c.lookStep, c.instantStep
}

// Ask writes out and reads the first bytes of the answer into in, which may not
// be empty. With peek set the connection is first looked at: closed, or with
// bytes that nobody asked for, gives ErrStale, and nothing was written.
//
// On a plain socket the write happens between arming the poller and parking, so
// that the read that would find nothing is never made: three system calls, the
// look included, in place of four. When wrote is less than len(out) the request
// may be partly on its way.
func (c *Conn) Ask(out, in []byte, peek bool) (wrote, n int, err error) {
	if c.raw == nil || c.tls != nil {
		return c.askPlain(out, in, peek)
	}
	a := &c.ask
	a.out, a.in, a.peek, a.asked, a.n, a.err = out, in, peek, false, 0, nil
	defer a.clear()
	limit := c.armRead()
	for {
		err = c.raw.Read(a.step)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err := c.early(limit); err != nil {
			return len(out) - len(a.out), 0, err
		}
	}
	wrote, n = len(out)-len(a.out), a.n
	if err == nil {
		err = a.err
	}
	if err == errPartial {
		return c.askRest(wrote, a.out, in)
	}
	return wrote, n, err
}

// errPartial says that the socket's buffer was full before out was written.
var errPartial = errors.New("partly written")

func (a *ask) clear() { a.out, a.in = nil, nil }

// askRest finishes a request that did not fit the socket's buffer.
func (c *Conn) askRest(wrote int, rest, in []byte) (int, int, error) {
	w, err := c.writeSocket(rest)
	wrote += w
	if err != nil {
		return wrote, 0, err
	}
	n, err := c.readSocket(in)
	return wrote, n, err
}

func (c *Conn) askStep(fd uintptr) bool {
	a := &c.ask
	if !a.asked {
		a.asked = true
		// The poller tells of what arrives from now on. What came before, as from
		// a server that refuses before it is asked, it has told already: to wait
		// for that would be in vain.
		early := !quiet(fd)
		if early && a.peek {
			a.err = ErrStale
			return true
		}
		for len(a.out) > 0 {
			n, errno := write(fd, a.out)
			if errno == syscall.EINTR {
				continue
			}
			if errno == syscall.EAGAIN || (errno == 0 && n < len(a.out)) {
				a.out = a.out[n:]
				a.err = errPartial
				return true
			}
			if errno != 0 {
				a.err = os.NewSyscallError("write", errno)
				return true
			}
			a.out = a.out[n:]
		}
		if !early {
			return false
		}
	}
	return a.read(fd)
}

func (a *ask) read(fd uintptr) bool {
	for {
		n, errno := read(fd, a.in)
		switch errno {
		case 0:
			a.n = n
			if n == 0 {
				a.err = errEOF
			}
			return true
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return false
		}
		a.err = os.NewSyscallError("read", errno)
		return true
	}
}

// Quiet tells whether an idle connection is still open with nothing to read. On
// TLS that includes what was read from the socket and not yet asked for.
func (c *Conn) Quiet() bool {
	if c.tls != nil {
		return c.quietTLS()
	}
	if c.raw == nil {
		return true
	}
	c.ask.quiet = false
	err := c.raw.Control(c.ask.look)
	return err == nil && c.ask.quiet
}

func (c *Conn) lookStep(fd uintptr) { c.ask.quiet = quiet(fd) }

// readInstant reads what the socket holds, or gives errNothing.
func (c *Conn) readInstant(p []byte) (int, error) {
	if c.raw == nil {
		return 0, errNothing
	}
	a := &c.ask
	a.in, a.n, a.err = p, 0, nil
	err := c.raw.Control(a.instant)
	a.in = nil
	if err != nil {
		return 0, err
	}
	return a.n, a.err
}

func (c *Conn) instantStep(fd uintptr) {
	if !c.ask.read(fd) {
		c.ask.err = errNothing
	}
}

func quiet(fd uintptr) bool {
	_, errno := peek(fd)
	return errno == syscall.EAGAIN
}

// peek looks for a byte: 0 is the end.
func peek(fd uintptr) (int, syscall.Errno) {
	var b [1]byte
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd,
			uintptr(unsafe.Pointer(&b)), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}
