package netio_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"doorward/proxy/netio"
)

// answering is a peer that reads a question of known length and answers.
func answering(peer net.Conn, question int, answer string) <-chan []byte {
	got := make(chan []byte, 1)
	go func() {
		in := make([]byte, question)
		n, _ := io.ReadFull(peer, in)
		_, _ = peer.Write([]byte(answer))
		got <- in[:n]
	}()
	return got
}

func TestAsk(t *testing.T) {
	for kind, open := range ways() {
		for _, peek := range []bool{false, true} {
			t.Run(kind, func(t *testing.T) {
				c, peer := open(t)
				c.ReadIdle, c.WriteIdle = long, long
				in := make([]byte, 64)
				for range 3 {
					got := answering(peer, 8, "answer")
					wrote, n, err := c.Ask([]byte("question"), in, peek)
					if wrote != 8 || string(in[:n]) != "answer" || err != nil {
						t.Errorf("wrote %d, read %q, %v", wrote, in[:n], err)
					}
					if q := <-got; string(q) != "question" {
						t.Errorf("the peer got %q", q)
					}
				}
			})
		}
	}
}

// A question larger than the socket's buffers leaves in parts.
func TestAskLargeQuestion(t *testing.T) {
	question := noise(8 << 20)
	for kind, open := range ways() {
		t.Run(kind, func(t *testing.T) {
			c, peer := open(t)
			c.ReadIdle, c.WriteIdle = long, long
			in := make([]byte, 64)
			got := answering(peer, len(question), "answer")
			wrote, n, err := c.Ask(question, in, true)
			if wrote != len(question) || string(in[:n]) != "answer" || err != nil {
				t.Errorf("wrote %d of %d, read %q, %v", wrote, len(question), in[:n], err)
			}
			if q := <-got; !bytes.Equal(q, question) {
				t.Error("the question arrived changed")
			}
		})
	}
}

func TestAskLargeQuestionNobodyTakes(t *testing.T) {
	c, _ := overTCP(t)
	c.ReadIdle, c.WriteIdle = long, soon
	start := time.Now()
	wrote, n, err := c.Ask(make([]byte, 64<<20), make([]byte, 64), true)
	wantTimeout(t, start, soon, n, err)
	if wrote == 0 || wrote == 64<<20 {
		t.Errorf("wrote %d, want what fits the buffers", wrote)
	}
}

func TestAskStale(t *testing.T) {
	for name, spoil := range map[string]func(peer net.Conn){
		"closed":         func(p net.Conn) { _ = p.(*net.TCPConn).CloseWrite() },
		"unasked answer": func(p net.Conn) { _, _ = p.Write([]byte("HTTP/1.1 408 ...")) },
		"answer and end": func(p net.Conn) {
			_, _ = p.Write([]byte("x"))
			_ = p.(*net.TCPConn).CloseWrite()
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, peer := overTCP(t)
			c.ReadIdle = long
			if !c.Quiet() {
				t.Fatal("a new connection is not quiet")
			}
			spoil(peer)
			if !within(long, func() bool { return !c.Quiet() }) {
				t.Fatal("the connection passes for clean")
			}
			wrote, n, err := c.Ask([]byte("question"), make([]byte, 8), true)
			if wrote != 0 || n != 0 || err != netio.ErrStale {
				t.Errorf("wrote %d, read %d, %v; want ErrStale", wrote, n, err)
			}
			_ = c.Socket().(*net.TCPConn).CloseWrite()
			if got, _ := io.ReadAll(peer); len(got) > 0 {
				t.Errorf("the peer got %q", got)
			}
		})
	}
}

// A server may speak before it is asked, to say that it is busy for example. On
// a connection that was never used that is the answer, and nothing else will
// come that could wake the reader.
func TestAskFindsAnEarlyAnswer(t *testing.T) {
	for kind, open := range ways() {
		if kind == "pipe" {
			continue
		}
		c, peer := open(t)
		c.ReadIdle = long
		send(t, peer, "503")
		// The runtime has to hear of it before Ask, which it does when all sleep.
		<-time.After(soon)
		in := make([]byte, 8)
		wrote, n, err := c.Ask([]byte("question"), in, false)
		if wrote != 8 || string(in[:n]) != "503" || err != nil {
			t.Errorf("%s: wrote %d, read %q, %v", kind, wrote, in[:n], err)
		}
	}
}

func TestAskPeerLeaves(t *testing.T) {
	for name, c := range map[string]struct {
		linger bool
		want   error
	}{"closes": {true, io.EOF}, "resets": {false, syscall.ECONNRESET}} {
		t.Run(name, func(t *testing.T) {
			conn, peer := overTCP(t)
			conn.ReadIdle = long
			go func() {
				_, _ = io.ReadFull(peer, make([]byte, 8))
				if !c.linger {
					_ = peer.(*net.TCPConn).SetLinger(0)
				}
				_ = peer.Close()
			}()
			wrote, n, err := conn.Ask([]byte("question"), make([]byte, 8), true)
			if wrote != 8 || n != 0 || !errors.Is(err, c.want) {
				t.Errorf("wrote %d, read %d, %v; want 8, 0, %v", wrote, n, err, c.want)
			}
		})
	}
}

func TestAskOnAClosedConnection(t *testing.T) {
	for kind, open := range ways() {
		for _, peek := range []bool{false, true} {
			c, _ := open(t)
			_ = c.Close()
			if _, _, err := c.Ask([]byte("x"), make([]byte, 8), peek); err == nil {
				t.Errorf("%s, peek %v: no error", kind, peek)
			}
		}
	}
}

func TestUnread(t *testing.T) {
	for name, read := range readers() {
		if name == "Ask" {
			continue
		}
		c, peer := overTCP(t)
		c.Unread([]byte("before"))
		send(t, peer, "after")
		for _, want := range []int{6, 5} {
			if n, err := read(c); n != want || err != nil {
				t.Errorf("%s: %d bytes, %v; want %d", name, n, err, want)
			}
		}
	}
}

func TestAbort(t *testing.T) {
	everyRead(t, func(t *testing.T, c *netio.Conn, peer net.Conn, read reader) {
		c.ReadIdle = long
		done := make(chan error, 1)
		go func() { _, err := read(c); done <- err }()
		timer := time.AfterFunc(soon/3, c.Abort)
		defer timer.Stop()
		if err := <-done; err != netio.ErrAborted || !c.Aborted() {
			t.Errorf("the pending read gives %v, want ErrAborted", err)
		}
		for _, c.ReadIdle = range []time.Duration{long, 0} {
			if _, err := read(c); err != netio.ErrAborted {
				t.Errorf("a later read gives %v, want ErrAborted", err)
			}
		}
		if _, err := c.Write([]byte("x")); err != nil {
			t.Errorf("a write after Abort: %v", err)
		}
	})
}

// Abort meets a reader that is just about to move its deadline, over and over.
func TestAbortIsNeverLost(t *testing.T) {
	for range 300 {
		c, _ := overTCP(t)
		c.ReadIdle = 50 * time.Microsecond
		var all sync.WaitGroup
		all.Go(func() {
			for {
				_, err := c.Read(make([]byte, 1))
				if err == netio.ErrAborted {
					return
				}
				c.ReadIdle = long - c.ReadIdle
			}
		})
		all.Go(c.Abort)
		start := time.Now()
		all.Wait()
		if took := time.Since(start); took > long/2 {
			t.Fatalf("aborted after %v", took)
		}
		_ = c.Close()
	}
}

func TestCloseEndsCallsInFlight(t *testing.T) {
	everyRead(t, func(t *testing.T, c *netio.Conn, _ net.Conn, read reader) {
		done := make(chan error, 1)
		go func() { _, err := read(c); done <- err }()
		timer := time.AfterFunc(soon/3, func() { _ = c.Close() })
		defer timer.Stop()
		if err := <-done; err == nil {
			t.Error("a read on a closed connection succeeds")
		}
	})
}

func TestResetIsSeenAsSuch(t *testing.T) {
	c, peer := overTCP(t)
	_ = c.Reset()
	if _, err := io.ReadAll(peer); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the peer sees %v, want a reset", err)
	}
}

func TestCloseWriteLeavesReadingOpen(t *testing.T) {
	for _, kind := range []string{"tcp", "unix", "tls"} {
		c, peer := ways()[kind](t)
		c.ReadIdle = long
		if err := c.CloseWrite(); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if got, err := io.ReadAll(peer); len(got) > 0 || err != nil {
			t.Errorf("%s: the peer read %q, %v", kind, got, err)
		}
		go func() { send(t, peer, "answer") }()
		in := make([]byte, 8)
		if n, err := c.Read(in); string(in[:n]) != "answer" || err != nil {
			t.Errorf("%s: read %q, %v", kind, in[:n], err)
		}
	}
}

// Linger lets the peer read what was written last although it is still sending.
func TestLinger(t *testing.T) {
	c, peer := overTCP(t)
	_, _ = c.Write([]byte("last words"))
	var all sync.WaitGroup
	all.Go(func() {
		_, _ = peer.Write(make([]byte, 1<<20))
		if got, err := io.ReadAll(peer); string(got) != "last words" || err != nil {
			t.Errorf("the peer read %q, %v", got, err)
		}
		_ = peer.Close()
	})
	c.Linger(long, 8<<20, make([]byte, 4096))
	_ = c.Close()
	all.Wait()

	c, _ = overTCP(t)
	start := time.Now()
	c.Linger(soon, 8<<20, make([]byte, 4096))
	if took := time.Since(start); took < soon || took > long {
		t.Errorf("lingered %v for a silent peer, want %v", took, soon)
	}
}
