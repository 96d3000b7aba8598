package health

import (
	"context"
	"net"

	"doorward/proxy/backend"
)

// Peer is a server as its watcher sees it: a *backend.Server. Its methods may be
// called from any goroutine; it must be comparable.
type Peer interface {
	// Dial opens a connection for one check, ready for use, in the time and the life
	// of ctx. With an error the times tell how far it came: the last phase that is
	// not 0 is the one at fault.
	Dial(ctx context.Context, to backend.DialTo) (net.Conn, backend.DialTimes, error)
	// SetUp is told when the server goes up or down; slow says that it had failed
	// before, so that its share of the requests should grow little by little.
	SetUp(up, slow bool)
	// Observe asks for word of every request to the server; nil ends that.
	Observe(backend.Watcher)
}
