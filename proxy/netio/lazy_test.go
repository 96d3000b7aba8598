package netio_test

import (
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"doorward/internal/alloctest"
)

// holder lends a buffer and knows whether it is out.
type holder struct {
	buf  [64]byte
	out  atomic.Int64
	lent atomic.Int64
}

func (h *holder) get() []byte {
	h.lent.Add(1)
	h.out.Add(1)
	return h.buf[:]
}

func (h *holder) put() { h.out.Add(-1) }

func TestReadLazyHoldsNoBufferWhileItWaits(t *testing.T) {
	for _, kind := range []string{"tcp", "unix", "tls"} {
		t.Run(kind, func(t *testing.T) {
			c, peer := ways()[kind](t)
			c.ReadIdle = long
			var h holder
			for _, text := range []string{"first", "second"} {
				h.out.Store(0)
				done := make(chan string, 1)
				before := h.lent.Load()
				go func() {
					n, err := c.ReadLazy(h.get, h.put)
					if err != nil {
						t.Error(err)
					}
					done <- string(h.buf[:n])
				}()
				// A plain socket is tried once before the wait.
				if kind != "tls" && !within(long, func() bool { return h.lent.Load() > before }) {
					t.Error("the socket was not looked at")
				}
				if !within(long, func() bool { return h.out.Load() == 0 }) {
					t.Error("a buffer is held while nothing is there")
				}
				send(t, peer, text)
				if got := <-done; got != text {
					t.Errorf("read %q, want %q", got, text)
				}
				if h.out.Load() != 1 {
					t.Errorf("%d buffers with the reader, want 1", h.out.Load())
				}
			}
		})
	}
}

func TestReadLazyAtTheEnd(t *testing.T) {
	for kind, open := range ways() {
		c, peer := open(t)
		_ = peer.Close()
		var h holder
		if n, err := c.ReadLazy(h.get, h.put); n != 0 || err != io.EOF {
			t.Errorf("%s: read %d, %v; want EOF", kind, n, err)
		}
	}
}

// A TLS record of one byte is all there is: waiting for more with the buffer in
// hand would be what ReadLazy is there to avoid.
func TestReadLazyOneByte(t *testing.T) {
	c, peer := overTLS(t)
	c.ReadIdle = long
	send(t, peer, "x")
	var h holder
	if n, err := c.ReadLazy(h.get, h.put); string(h.buf[:n]) != "x" || err != nil {
		t.Errorf("read %q, %v", h.buf[:n], err)
	}
}

// What every request costs is not garbage.
func TestNothingIsAllocated(t *testing.T) {
	for _, kind := range []string{"tcp", "unix", "tls"} {
		t.Run(kind, func(t *testing.T) {
			if kind == "tls" && raceDetector {
				t.Skip("pools forget on purpose under the race detector")
			}
			c, peer := ways()[kind](t)
			c.ReadIdle, c.WriteIdle = long, long
			var all sync.WaitGroup
			all.Go(func() {
				in := make([]byte, 8)
				for {
					if _, err := io.ReadFull(peer, in); err != nil {
						return
					}
					if _, err := peer.Write(in); err != nil {
						return
					}
				}
			})
			out, in := []byte("question"), make([]byte, 64)
			h := &holder{}
			get, put := h.get, h.put
			for name, call := range map[string]func() error{
				"Ask":   func() error { _, _, err := c.Ask(out, in, true); return err },
				"Quiet": func() error { c.Quiet(); return nil },
				"Write and ReadLazy": func() error {
					if _, err := c.Write(out); err != nil {
						return err
					}
					_, err := c.ReadLazy(get, put)
					return err
				},
			} {
				n := alloctest.PerRun(200, func() {
					if err := call(); err != nil {
						t.Fatal(name, err)
					}
				})
				if n > 0 {
					t.Errorf("%s: %v allocations", name, n)
				}
			}
			_ = c.Close()
			all.Wait()
		})
	}
}

func BenchmarkAsk(b *testing.B) {
	for _, kind := range []string{"tcp", "tls"} {
		b.Run(kind, func(b *testing.B) {
			c, peer := ways()[kind](b)
			c.ReadIdle, c.WriteIdle = long, long
			var all sync.WaitGroup
			all.Go(func() {
				in := make([]byte, 64)
				for {
					n, err := peer.Read(in)
					if err != nil {
						return
					}
					_, _ = peer.Write(in[:n])
				}
			})
			out, in := make([]byte, 64), make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := c.Ask(out, in, true); err != nil {
					b.Fatal(err)
				}
			}
			_ = c.Close()
			all.Wait()
		})
	}
}

func BenchmarkQuiet(b *testing.B) {
	for _, kind := range []string{"tcp", "tls"} {
		b.Run(kind, func(b *testing.B) {
			c, _ := ways()[kind](b)
			b.ReportAllocs()
			for b.Loop() {
				if !c.Quiet() {
					b.Fatal("not quiet")
				}
			}
		})
	}
}
