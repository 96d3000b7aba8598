package proxy

import "doorward/proxy/backend"

// pinned is a server connection that belongs to one client connection, because
// the server ties who is signed in to it (NTLM and Negotiate).
type pinned struct {
	server *backend.Server
	conn   *backend.Conn
}

func (c *conn) dropPinned() {
	if p := c.pinned; p != nil {
		c.pinned = nil
		_ = p.conn.Close()
	}
}

// takePinned gives the pinned connection if it leads to the server.
func (c *conn) takePinned(s *backend.Server) *backend.Conn {
	p := c.pinned
	if p == nil || p.server != s {
		return nil
	}
	c.pinned = nil
	return p.conn
}
