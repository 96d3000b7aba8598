package netio_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"doorward/proxy/netio"
)

// relay is two connections with a transfer between their inner ends.
type relay struct {
	source, sink net.Conn
	from, to     *netio.Conn
}

func newRelay(t testing.TB) *relay {
	if runtime.GOOS != "linux" {
		t.Skip("there is no short way here")
	}
	r := &relay{}
	var from, to net.Conn
	from, r.source = sockets(t, "tcp", "127.0.0.1:0")
	to, r.sink = sockets(t, "tcp", "127.0.0.1:0")
	r.from, r.to = netio.New(from), netio.New(to)
	r.from.ReadIdle, r.to.WriteIdle = long, long
	return r
}

// noise is n bytes that look like nothing else.
func noise(n int) []byte {
	var seed [32]byte
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(seed).Read(b)
	return b
}

func TestTransfer(t *testing.T) {
	r := newRelay(t)
	data := noise(5<<20 + 7)
	var all sync.WaitGroup
	all.Go(func() { _, _ = r.source.Write(append(data, "next"...)) })
	got := sha256.New()
	all.Go(func() { _, _ = io.CopyN(got, r.sink, int64(len(data))) })
	moved, _, err := netio.Transfer(r.to, r.from, int64(len(data)))
	all.Wait()
	want := sha256.Sum256(data)
	if moved != int64(len(data)) || err != nil || !bytes.Equal(got.Sum(nil), want[:]) {
		t.Errorf("moved %d of %d, %v; or they arrived changed", moved, len(data), err)
	}
	in := make([]byte, 8)
	if n, err := r.from.Read(in); string(in[:n]) != "next" || err != nil {
		t.Errorf("what follows is %q, %v", in[:n], err)
	}
}

func TestTransferLeavesOtherConnectionsAlone(t *testing.T) {
	secure, _ := overTLS(t)
	pipe, _ := overPipe(t)
	plain, _ := overTCP(t)
	unread, _ := overTCP(t)
	unread.Unread([]byte("x"))
	for _, c := range [][2]*netio.Conn{
		{plain, secure}, {secure, plain}, {plain, pipe}, {pipe, plain}, {plain, unread},
	} {
		if n, _, err := netio.Transfer(c[0], c[1], 1<<20); n != 0 || err != nil {
			t.Errorf("moved %d, %v", n, err)
		}
	}
}

// How a transfer ends tells which side is to blame.
func TestTransferEnds(t *testing.T) {
	fill := func(r *relay) { _, _ = r.source.Write(make([]byte, 64<<20)) }
	reset := func(c net.Conn) {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
	for _, c := range []struct {
		name    string
		act     func(r *relay)
		limit   [2]time.Duration // reading, writing
		want    error
		reading bool
	}{
		{"source is silent", func(*relay) {}, [2]time.Duration{40 * time.Millisecond, long},
			netio.ErrTimeout, true},
		{"sink does not read", fill, [2]time.Duration{200 * time.Millisecond, 400 * time.Millisecond},
			netio.ErrTimeout, false},
		{"source ends", func(r *relay) { _ = r.source.Close() }, [2]time.Duration{long, long},
			io.ErrUnexpectedEOF, true},
		{"source breaks off", func(r *relay) { reset(r.source) }, [2]time.Duration{long, long},
			nil, true},
		{"sink breaks off", func(r *relay) { reset(r.sink); fill(r) }, [2]time.Duration{long, long},
			nil, false},
		{"aborted before", func(r *relay) { r.from.Abort() }, [2]time.Duration{long, long},
			netio.ErrAborted, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRelay(t)
			r.from.ReadIdle, r.to.WriteIdle = c.limit[0], c.limit[1]
			var all sync.WaitGroup
			all.Go(func() { c.act(r) })
			if c.name == "aborted before" {
				all.Wait()
			}
			start := time.Now()
			_, reading, err := netio.Transfer(r.to, r.from, 1<<30)
			took := time.Since(start)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || reading != c.reading {
				t.Errorf("%v, reading %v; want %v, %v", err, reading, c.want, c.reading)
			}
			if least := c.limit[0]; err == netio.ErrTimeout && took < least {
				t.Errorf("timed out after %v of %v", took, least)
			}
			_, _ = r.from.Socket().Close(), r.to.Socket().Close()
			all.Wait()
		})
	}
}

// Transfers leave no deadline behind that would end what comes after them.
func TestTransferThenRead(t *testing.T) {
	r := newRelay(t)
	r.from.ReadIdle, r.to.WriteIdle = 40*time.Millisecond, 40*time.Millisecond
	go func() { send(t, r.source, "0123456789") }()
	if n, _, err := netio.Transfer(r.to, r.from, 10); n != 10 || err != nil {
		t.Fatalf("moved %d, %v", n, err)
	}
	r.from.ReadIdle = long
	timer := time.AfterFunc(100*time.Millisecond, func() { send(t, r.source, "late") })
	defer timer.Stop()
	in := make([]byte, 8)
	if n, err := r.from.Read(in); string(in[:n]) != "late" || err != nil {
		t.Errorf("read %q, %v", in[:n], err)
	}
}
