package app

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"doorward/proxy"
)

// Connections are client connections of an instance.
type Connections struct {
	// Now is when they were looked at, Open how many there were.
	Now  time.Time `json:"now"`
	Open int64     `json:"open"`
	// Connections are as many of them as were asked for, the oldest first.
	Connections []ClientConnection `json:"connections"`
}

// ClientConnection is one of them.
type ClientConnection struct {
	// Peer is the other end, Listener where it came in, TLS whether it is encrypted,
	// Opened when it came.
	Peer     string    `json:"peer"`
	Listener string    `json:"listener"`
	TLS      bool      `json:"tls"`
	Opened   time.Time `json:"opened"`
	// State is "idle", "request" or "tunnel".
	State string `json:"state"`
	// Requests is how many were answered on it, Route the route of the last one.
	Requests int64  `json:"requests"`
	Route    string `json:"route,omitempty"`
	// Backend and Server are the other end of a tunnel.
	Backend string `json:"backend,omitempty"`
	Server  string `json:"server,omitempty"`
}

func (a *App) doConnections(r *http.Request) (any, error) {
	query, err := readQuery(r, "limit")
	if err != nil {
		return nil, err
	}
	limit, err := readLimit(query)
	if err != nil {
		return nil, err
	}
	list := Connections{
		Now: time.Now(), Open: a.engine.Open(), Connections: []ClientConnection{},
	}
	all := a.engine.Connections(maxListed)
	slices.SortFunc(all, func(a, b proxy.Connection) int {
		return cmp.Or(a.Opened.Compare(b.Opened), a.Peer.Compare(b.Peer))
	})
	for i := range all[:min(limit, len(all))] {
		list.Connections = append(list.Connections, newClientConnection(&all[i]))
	}
	return list, nil
}

func newClientConnection(c *proxy.Connection) ClientConnection {
	return ClientConnection{
		Peer: c.Peer.String(), Listener: c.Listener, TLS: c.TLS, Opened: c.Opened,
		State: c.State, Requests: c.Requests, Route: c.Route,
		Backend: c.Backend, Server: c.Server,
	}
}
