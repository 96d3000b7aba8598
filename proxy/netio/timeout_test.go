package netio_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"doorward/proxy/netio"
)

// soon is a limit that tests wait for; its end is measured from below exactly
// and from above by long, because the machine may be busy.
const soon = 30 * time.Millisecond

// reader reads once and tells how much.
type reader func(c *netio.Conn) (int, error)

// readers are the calls that wait for bytes.
func readers() map[string]reader {
	return map[string]reader{
		"Read": func(c *netio.Conn) (int, error) { return c.Read(make([]byte, 64)) },
		"ReadLazy": func(c *netio.Conn) (int, error) {
			return c.ReadLazy(func() []byte { return make([]byte, 64) }, func() {})
		},
		"Ask": func(c *netio.Conn) (int, error) {
			_, n, err := c.Ask([]byte("?"), make([]byte, 64), false)
			return n, err
		},
	}
}

// everyRead runs a test for each way to read over each kind of connection. The
// peer takes what Ask sends.
func everyRead(t *testing.T,
	test func(t *testing.T, c *netio.Conn, peer net.Conn, read reader)) {
	for kind, open := range ways() {
		for name, read := range readers() {
			t.Run(kind+"/"+name, func(t *testing.T) {
				c, peer := open(t)
				var all sync.WaitGroup
				all.Go(func() { _, _ = io.Copy(io.Discard, peer) })
				test(t, c, peer, read)
				_, _ = c.Socket().Close(), peer.Close()
				all.Wait()
			})
		}
	}
}

func wantTimeout(t testing.TB, start time.Time, limit time.Duration, n int, err error) {
	t.Helper()
	if took := time.Since(start); n != 0 || err != netio.ErrTimeout || took < limit || took > long {
		t.Errorf("%d bytes, %v after %v; want ErrTimeout after %v", n, err, took, limit)
	}
}

func TestReadIdle(t *testing.T) {
	everyRead(t, func(t *testing.T, c *netio.Conn, peer net.Conn, read reader) {
		c.ReadIdle = soon
		start := time.Now()
		n, err := read(c)
		wantTimeout(t, start, soon, n, err)

		// A timeout ends nothing but the call.
		c.ReadIdle = long
		go func() { send(t, peer, "here") }()
		if n, err := read(c); n != 4 || err != nil {
			t.Errorf("after a timeout: %d bytes, %v", n, err)
		}
	})
}

// The deadline on the socket is older than the limit in force, and fires while
// the call waits: it has to be moved, and the answer to arrive.
func TestDeadlineThatFiresEarly(t *testing.T) {
	everyRead(t, func(t *testing.T, c *netio.Conn, peer net.Conn, read reader) {
		c.ReadIdle = soon
		go func() { send(t, peer, "one") }()
		if n, err := read(c); n != 3 || err != nil {
			t.Fatalf("%d bytes, %v", n, err)
		}
		c.ReadIdle = 4 * soon
		start := time.Now()
		n, err := read(c)
		wantTimeout(t, start, 4*soon, n, err)

		c.ReadIdle = soon
		start = time.Now()
		n, err = read(c)
		wantTimeout(t, start, soon, n, err)

		c.ReadIdle = 0
		timer := time.AfterFunc(3*soon, func() { send(t, peer, "two") })
		defer timer.Stop()
		if n, err := read(c); n != 3 || err != nil {
			t.Errorf("without a limit: %d bytes, %v", n, err)
		}
	})
}

// ReadUntil is about all reads together, however lively the peer.
func TestReadUntil(t *testing.T) {
	everyRead(t, func(t *testing.T, c *netio.Conn, peer net.Conn, read reader) {
		c.ReadIdle = long
		c.ReadUntil = netio.Now() + int64(3*soon)
		start := time.Now()
		stop := make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			drip := time.NewTicker(soon / 6)
			defer drip.Stop()
			for {
				select {
				case <-drip.C:
					_ = peer.SetWriteDeadline(time.Now().Add(long))
					if _, err := peer.Write([]byte("x")); err != nil {
						return
					}
				case <-stop:
					return
				}
			}
		})
		var n int
		var err error
		for err == nil {
			n, err = read(c)
		}
		wantTimeout(t, start, 3*soon, n, err)
		close(stop)
		_ = c.Socket().Close()
		all.Wait()
	})
}

// An early deadline between the write and the answer must not send twice.
func TestAskSendsOnce(t *testing.T) {
	for kind, open := range ways() {
		t.Run(kind, func(t *testing.T) {
			c, peer := open(t)
			got := make(chan int, 1)
			go func() {
				in := make([]byte, 64)
				n, _ := peer.Read(in)
				<-time.After(2 * soon)
				send(t, peer, "answer")
				more, _ := io.ReadFull(peer, in)
				got <- n + more
			}()
			c.ReadIdle = soon
			in := make([]byte, 64)
			if _, _, err := c.Ask([]byte("question"), in, false); err != netio.ErrTimeout {
				t.Fatalf("Ask gives %v, want ErrTimeout", err)
			}
			c.ReadIdle = long
			if n, err := c.Read(in); string(in[:n]) != "answer" || err != nil {
				t.Errorf("read %q, %v", in[:n], err)
			}
			_ = c.Close()
			if n := <-got; n != len("question") {
				t.Errorf("the peer got %d bytes, want %d", n, len("question"))
			}
		})
	}
}

func TestWriteIdle(t *testing.T) {
	for kind, open := range ways() {
		t.Run(kind, func(t *testing.T) {
			c, _ := open(t)
			c.WriteIdle = soon
			start := time.Now()
			n, err := c.Write(make([]byte, 64<<20))
			took := time.Since(start)
			if n == 64<<20 || !errors.Is(err, netio.ErrTimeout) || took < soon || took > long {
				t.Errorf("wrote %d, %v after %v; want ErrTimeout after %v", n, err, took, soon)
			}
		})
	}
}

// A peer that reads slowly is no peer that does not read: each pause is shorter
// than WriteIdle, all of them together are much longer.
func TestWriteIdleIsAboutProgress(t *testing.T) {
	ours, theirs := sockets(t, "tcp", "127.0.0.1:0")
	c := netio.New(ours)
	c.WriteIdle = 4 * soon
	_ = ours.(*net.TCPConn).SetWriteBuffer(32 << 10)
	_ = theirs.(*net.TCPConn).SetReadBuffer(32 << 10)
	const size = 4 << 20
	var all sync.WaitGroup
	all.Go(func() {
		pace := time.NewTicker(soon)
		defer pace.Stop()
		in := make([]byte, size/16)
		for range 16 {
			<-pace.C
			_, _ = io.ReadFull(theirs, in)
		}
	})
	start := time.Now()
	n, err := c.Write(make([]byte, size))
	if n != size || err != nil {
		t.Errorf("wrote %d, %v", n, err)
	}
	if took := time.Since(start); took < c.WriteIdle {
		t.Errorf("written after %v: the test did not test what it should", took)
	}
	all.Wait()
}

func TestWriteDeadlineThatFiresEarly(t *testing.T) {
	c, peer := overTCP(t)
	c.WriteIdle = soon
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []time.Duration{4 * soon, 0} {
		c.WriteIdle = limit
		timer := time.AfterFunc(2*soon, func() { go io.Copy(io.Discard, peer) })
		if n, err := c.Write(make([]byte, 16<<20)); n != 16<<20 || err != nil {
			t.Errorf("limit %v: wrote %d, %v", limit, n, err)
		}
		timer.Stop()
	}
	_, _ = c.Close(), peer.Close()
}

func TestTooSlow(t *testing.T) {
	for _, c := range []struct {
		bytes int
		took  time.Duration
		want  bool
	}{
		{0, netio.RateGrace, false},
		{0, netio.RateGrace + time.Second, true},
		{netio.MinRate - 1, netio.RateGrace + time.Second, true},
		{netio.MinRate, netio.RateGrace + time.Second, false},
		{50 * netio.MinRate, netio.RateGrace + time.Minute, true},
		{1 << 20, netio.RateGrace + time.Hour, false},
	} {
		if got := netio.TooSlow(c.bytes, int64(c.took)); got != c.want {
			t.Errorf("%d bytes in %v too slow: %v, want %v", c.bytes, c.took, got, c.want)
		}
	}
}
