package netio

import (
	"os"
	"syscall"
	"unsafe"
)

// put is the state of one sockWrite, apart from that of reads: both may be under
// way at one time.
type put struct {
	step func(fd uintptr) bool
	out  []byte
	err  error
}

func (w *put) init() { w.step = w.writeStep }

// sockRead is net.Conn's Read with a system call that the scheduler is not told
// of. On a socket in non-blocking mode none waits, and telling costs twice: the
// bookkeeping itself, and the monitor thread of the runtime, which stays awake
// as long as it finds goroutines inside system calls.
func (c *Conn) sockRead(p []byte) (int, error) {
	if c.raw == nil || len(p) == 0 {
		return c.sock.Read(p)
	}
	a := &c.ask
	a.in, a.n, a.err = p, 0, nil
	err := c.raw.Read(a.plain)
	a.in = nil
	if err != nil {
		return 0, err
	}
	return a.n, a.err
}

// sockWrite is net.Conn's Write in the same manner.
func (c *Conn) sockWrite(p []byte) (int, error) {
	if c.raw == nil || len(p) == 0 {
		return c.sock.Write(p)
	}
	w := &c.put
	w.out, w.err = p, nil
	err := c.raw.Write(w.step)
	n := len(p) - len(w.out)
	w.out = nil
	if err == nil {
		err = w.err
	}
	return n, err
}

func (w *put) writeStep(fd uintptr) bool {
	for len(w.out) > 0 {
		n, errno := write(fd, w.out)
		switch errno {
		case 0:
			w.out = w.out[n:]
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			w.err = os.NewSyscallError("write", errno)
			return true
		}
	}
	return true
}

// write and read are for sockets in non-blocking mode only. A write to a socket
// that the peer has left gives EPIPE and no signal.
func write(fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd,
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		syscall.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func read(fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd,
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
