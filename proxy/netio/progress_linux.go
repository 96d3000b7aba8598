package netio

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// canWatch says that progress inside the kernel can be seen.
const canWatch = true

// progress counts the bytes that the peer of to has acknowledged and that from
// has received.
func progress(to, from *Conn) (sent, received uint64) {
	if i := tcpInfo(to); i != nil {
		sent = i.Bytes_acked
	}
	if i := tcpInfo(from); i != nil {
		received = i.Bytes_received
	}
	return sent, received
}

// unsent tells whether bytes wait for the peer to take them.
func unsent(c *Conn) bool {
	i := tcpInfo(c)
	return i != nil && (i.Notsent_bytes > 0 || i.Unacked > 0)
}

// ended tells whether the peer of c sends no more.
func ended(c *Conn) (yes bool) {
	err := c.raw.Control(func(fd uintptr) {
		n, errno := peek(fd)
		yes = errno != syscall.EAGAIN && (errno != 0 || n == 0)
	})
	return yes || err != nil
}

func tcpInfo(c *Conn) (info *unix.TCPInfo) {
	if c.raw == nil {
		return nil
	}
	_ = c.raw.Control(func(fd uintptr) {
		info, _ = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	return info
}
