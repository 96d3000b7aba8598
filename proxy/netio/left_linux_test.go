package netio_test

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"doorward/proxy/netio"
)

func TestWaitLeft(t *testing.T) {
	for name, c := range map[string]struct {
		leave func(c *netio.Conn, peer net.Conn)
		over  bool // nobody left
	}{
		"end":       {func(_ *netio.Conn, peer net.Conn) { _ = peer.Close() }, false},
		"half":      {func(_ *netio.Conn, peer net.Conn) { _ = peer.(*net.TCPConn).CloseWrite() }, false},
		"reset":     {func(_ *netio.Conn, peer net.Conn) { _ = peer.(*net.TCPConn).SetLinger(0); _ = peer.Close() }, false},
		"our close": {func(c *netio.Conn, _ net.Conn) { _ = c.Socket().Close() }, false},
		"abort":     {func(c *netio.Conn, _ net.Conn) { c.Abort() }, false},
		"called":    {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			conn, peer := overTCP(t)
			conn.ReadUntil = netio.Now() // a limit that has passed does not matter
			_, _ = conn.Read(make([]byte, 1))
			var over atomic.Bool
			left := make(chan bool, 1)
			go func() { left <- conn.WaitLeft(&over) }()
			if c.over {
				send(t, peer, "hello") // is no leaving
			}
			select {
			case <-left:
				t.Fatal("a peer that is there has left")
			case <-time.After(20 * time.Millisecond):
			}
			if c.leave != nil {
				c.leave(conn, peer)
			} else {
				conn.WakeWaiting(&over)
			}
			select {
			case got := <-left:
				if got == c.over {
					t.Errorf("left: %v", got)
				}
			case <-time.After(long):
				t.Fatal("the wait does not end")
			}
			if !c.over {
				return
			}
			conn.ReadUntil, conn.ReadIdle = 0, 0
			b := make([]byte, 16)
			if n, err := conn.Read(b); string(b[:n]) != "hello" || err != nil {
				t.Errorf("then it reads %q, %v", b[:n], err)
			}
			if conn.WaitLeft(&over) {
				t.Error("one that was called begins to wait")
			}
		})
	}
}

// What arrived before the end of a half may want an answer. The goodbye of TLS does
// not.
func TestWaitLeftAndWhatCameBefore(t *testing.T) {
	for name, c := range map[string]struct {
		kind, sent string
		left       bool
	}{
		"nothing":           {"tcp", "", true},
		"nothing, unix":     {"unix", "", true},
		"bytes":             {"tcp", "hello", false},
		"goodbye":           {"tls", "", true},
		"bytes and goodbye": {"tls", "hello", false},
	} {
		t.Run(name, func(t *testing.T) {
			conn, peer := ways()[c.kind](t)
			if c.sent != "" {
				send(t, peer, c.sent)
			}
			_ = peer.Close()
			var over atomic.Bool
			left := make(chan bool, 1)
			go func() { left <- conn.WaitLeft(&over) }()
			if !c.left {
				time.AfterFunc(20*time.Millisecond, func() { conn.WakeWaiting(&over) })
			}
			if got := <-left; got != c.left {
				t.Fatalf("left: %v", got)
			}
			conn.ReadIdle = long
			b := make([]byte, 16)
			if n, err := conn.Read(b); string(b[:n]) != c.sent {
				t.Errorf("then it reads %q, %v", b[:n], err)
			}
		})
	}
	if conn, _ := overPipe(t); conn.SeesLeaving() {
		t.Error("a pipe can be looked at")
	}
}
