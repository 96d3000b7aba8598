package proxy

import (
	"net/netip"
	"time"

	"doorward/proxy/backend"
)

// Connection is a client connection as it was when it was looked at.
type Connection struct {
	// Peer is the other end, Listener where it came in, Opened when.
	Peer     netip.AddrPort
	Listener string
	Opened   time.Time
	// TLS says that it is encrypted.
	TLS bool
	// State is "idle", "request" or "tunnel".
	State string
	// Requests is how many were answered on it, Route the one of the last.
	Requests int64
	Route    string
	// Backend and Server are the other end of a tunnel, "" for all others.
	Backend, Server string
}

// Connections lists the client connections, at most most of them.
func (e *Engine) Connections(most int) []Connection {
	var list []Connection
	e.conns.each(func(c *conn) {
		if len(list) < most {
			list = append(list, c.describe())
		}
	})
	return list
}

func (c *conn) describe() Connection {
	d := Connection{
		Peer: c.peer, Listener: c.l.Name, Opened: c.opened, TLS: c.l.TLS, State: "request",
		Requests: c.requests.Load(),
	}
	many := c.many.Load()
	if c.state.Load() != busy || many != nil && many.Streams() == 0 {
		d.State = "idle"
	}
	if r := c.route.Load(); r != nil {
		d.Route = r.Name
	}
	c.tunnels.each(func(t *tunnel) {
		d.State, d.Backend, d.Server = "tunnel", t.backend, t.to.Name()
	})
	return d
}

// CloseTunnels ends the tunnels to a server, and tells how many there were.
func (e *Engine) CloseTunnels(s *backend.Server) (n int) {
	e.conns.each(func(c *conn) {
		c.tunnels.each(func(t *tunnel) {
			if t.to == s {
				t.cut()
				n++
			}
		})
	})
	return n
}
