package health

import (
	"context"
	"net"
	"time"
)

// Peer is a server as a watcher sees it. Its methods may be called from any
// goroutine; it must be comparable, as pointers and small structs of them are.
type Peer interface {
	// Dial opens a connection for one check, ready for use, in the time and the life
	// of ctx. With an error the times tell how far it came: the last phase that is
	// not 0 is the one at fault.
	Dial(ctx context.Context, to DialTo) (net.Conn, DialTimes, error)
	// SetUp is told when the server goes up or down; slow says that it had failed
	// before, so that its share of the requests should grow little by little.
	SetUp(up, slow bool)
	// Observe asks for word of every request to the server; nil ends that.
	Observe(*Observed)
}

// DialTo says where a check goes; the zero value is where requests go, and how.
type DialTo struct {
	// Address is a host and port in place of the server's, Port a port in place of
	// its own.
	Address string
	Port    int
	// Plain leaves out TLS where requests have it.
	Plain bool
}

// DialTimes says how a connection came to be: how long each phase took, and the
// address that it leads to. A phase that there was not is 0.
type DialTimes struct {
	Resolve, Connect, TLS time.Duration
	Address               string
}
