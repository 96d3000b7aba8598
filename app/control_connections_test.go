package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"doorward/app"
)

func TestConnectionsAreShown(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			close(arrived)
			<-release
		case "/tunnel":
			if conn, err := websocket.Accept(w, r, nil); err == nil {
				defer conn.CloseNow()
				<-release
			}
			return
		}
		fmt.Fprint(w, "app")
	})
	defer close(release)
	socket := shortDir(t) + "/sock"
	s := steered{start(t, strings.Replace(site(url, ""), `control = ""`,
		fmt.Sprintf("control = %q", socket), 1)), app.Client{Socket: socket}, t.Context()}
	idle, tunnel := dial(t, s.plain()), dial(t, s.plain())
	idle.get("app")
	idle.get("app")
	fmt.Fprint(tunnel.conn, "GET /tunnel HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if r, err := http.ReadResponse(tunnel.in, nil); err != nil || r.StatusCode != 101 {
		t.Fatalf("no tunnel: %v, %v", r, err)
	}
	secure := s.dialTLS(s.Root())
	secure.send("/slow")
	<-arrived

	want := map[string]app.ClientConnection{
		idle.conn.LocalAddr().String(): {
			Listener: plainAddress, State: "idle", Requests: 2, Route: "app",
		},
		tunnel.conn.LocalAddr().String(): {
			Listener: plainAddress, State: "tunnel", Requests: 0, Route: "app", Backend: "app",
			Server: strings.TrimPrefix(url, "http://"),
		},
		secure.conn.LocalAddr().String(): {
			Listener: tlsAddress, TLS: true, State: "request", Route: "app",
		},
	}
	eventually(t, "the connections are as they should be", func() bool {
		list, err := s.Connections(s.ctx, 0)
		if err != nil || list.Open != 3 || len(list.Connections) != 3 {
			t.Fatalf("%+v, %v; want 3 connections", list, err)
		}
		for _, c := range list.Connections {
			w := want[c.Peer]
			w.Peer, w.Opened = c.Peer, c.Opened
			if c != w {
				return false
			}
		}
		return true
	})
}

func TestConnectionsAreTheOldestFirst(t *testing.T) {
	s := steer(t, "")
	var peers []string
	for range 5 {
		c := dial(t, s.plain())
		c.send("/")
		if _, _, err := c.answer(); err != nil {
			t.Fatal(err)
		}
		peers = append(peers, c.conn.LocalAddr().String())
	}
	list, err := s.Connections(s.ctx, 3)
	if err != nil || list.Open != 5 || len(list.Connections) != 3 {
		t.Fatalf("%+v, %v; want 3 of 5 connections", list, err)
	}
	for i, c := range list.Connections {
		if c.Peer != peers[i] || c.Opened.After(list.Now) || list.Now.Sub(c.Opened) > time.Minute {
			t.Errorf("number %d is %+v, want %s", i, c, peers[i])
		}
	}
}

// The client that a PROXY header names is the one who is shown.
func TestConnectionsShowWhoIsBehindAProxy(t *testing.T) {
	s := steer(t, "")
	old := site(server(t, "app"), "")
	socket := fmt.Sprintf("control = %q\nproxy_protocol = [\"127.0.0.1\"]", s.Socket)
	s.mustReload(strings.Replace(old, `control = ""`, socket, 1))
	c := dial(t, s.plain())
	fmt.Fprint(c.conn, "PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n")
	c.get("app")
	list, err := s.Connections(s.ctx, 0)
	if err != nil || len(list.Connections) != 1 || list.Connections[0].Peer != "203.0.113.9:4711" {
		t.Errorf("%+v, %v", list, err)
	}
}
