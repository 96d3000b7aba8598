package app

import (
	"net"
	"net/http"
	"os/user"
	"strconv"
)

// callers is the control socket with the user at the other end of each connection
// as its remote address, which is where net/http keeps it. The kernel knows who
// that is; nothing that a client says of itself counts.
type callers struct{ *net.UnixListener }

// Accept implements net.Listener.
func (l callers) Accept() (net.Conn, error) {
	conn, err := l.AcceptUnix()
	if err != nil {
		return nil, err
	}
	return &call{conn, userAddr(nameOf(conn))}, nil
}

// call is a connection to the control socket.
type call struct {
	*net.UnixConn
	from userAddr
}

// RemoteAddr implements net.Conn.
func (c *call) RemoteAddr() net.Addr { return c.from }

// userAddr is the name of a user in the place of an address.
type userAddr string

// Network implements net.Addr.
func (userAddr) Network() string { return "unix" }

// String implements net.Addr.
func (u userAddr) String() string { return string(u) }

// unknownUser stands for a user that the system does not tell.
const unknownUser = "somebody"

// nameOf is the user at the other end: a name where the system has one.
func nameOf(conn *net.UnixConn) string {
	raw, err := conn.SyscallConn()
	if err != nil {
		return unknownUser
	}
	var uid uint32
	var untold error
	err = raw.Control(func(fd uintptr) { uid, untold = peerUser(int(fd)) })
	if err != nil || untold != nil {
		return unknownUser
	}
	number := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return "uid " + number
}

// caller says who asks, for the log and for the note beside what was changed.
func caller(r *http.Request) string { return r.RemoteAddr + " via control socket" }
