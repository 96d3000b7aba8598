package netio_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"doorward/proxy/netio"
)

// counted counts the writes that reach a socket.
type counted struct {
	net.Conn
	writes atomic.Int64
}

func (c *counted) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// One byte answers that must not be believed: the server sent more than it was
// asked for, and some of it is in the TLS layer already, where looking at the
// socket finds nothing.
func TestQuietLooksIntoTheTLSLayer(t *testing.T) {
	for name, c := range map[string]struct {
		send func(t *testing.T, peer net.Conn)
		read int
		want bool
	}{
		"nothing more": {func(t *testing.T, p net.Conn) { send(t, p, "answer") }, 6, true},
		"rest of a record": {func(t *testing.T, p net.Conn) {
			send(t, p, "answerEVIL")
		}, 6, false},
		"another record": {func(t *testing.T, p net.Conn) {
			send(t, p, "answer")
			send(t, p, "EVIL")
		}, 6, false},
		"goodbye": {func(t *testing.T, p net.Conn) {
			send(t, p, "answer")
			_ = p.(*tls.Conn).CloseWrite()
		}, 6, false},
		"end without goodbye": {func(t *testing.T, p net.Conn) {
			send(t, p, "answer")
			_ = p.(*tls.Conn).NetConn().Close()
		}, 6, false},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := sockets(t, "tcp", "127.0.0.1:0")
			bundle := &bundled{Conn: theirs}
			client, peer := secured(t, netio.New(ours), bundle)
			bundle.hold()
			c.send(t, peer)
			bundle.flush(t)
			in := make([]byte, c.read)
			if n, _ := client.Read(in); n != c.read {
				t.Fatalf("read %d bytes, want %d", n, c.read)
			}
			if c.want {
				for range 2 {
					if !client.Quiet() {
						t.Error("a clean connection is not quiet")
					}
				}
				return
			}
			// The FIN may take a moment; what is in the TLS layer may not.
			if !within(time.Second, func() bool { return !client.Quiet() }) {
				t.Error("the connection passes for clean")
			}
			if _, _, err := client.Ask([]byte("x"), in, true); err != netio.ErrStale {
				t.Errorf("Ask gives %v, want ErrStale", err)
			}
		})
	}
}

// bundled sends all that is written between hold and flush in one piece, and
// closes only then.
type bundled struct {
	net.Conn
	held  *bytes.Buffer
	ended bool
}

func (b *bundled) hold() { b.held = new(bytes.Buffer) }

func (b *bundled) Write(p []byte) (int, error) {
	if b.held != nil {
		return b.held.Write(p)
	}
	return b.Conn.Write(p)
}

func (b *bundled) Close() error {
	b.ended = true
	return nil
}

func (b *bundled) flush(t testing.TB) {
	t.Helper()
	_ = b.SetWriteDeadline(time.Time{})
	if _, err := b.Conn.Write(b.held.Bytes()); err != nil {
		t.Fatal(err)
	}
	b.held = nil
	if b.ended {
		_ = b.Conn.Close()
	}
}

// The session tickets of TLS 1.3 arrive after the handshake, when nobody reads.
func TestQuietTakesLateTickets(t *testing.T) {
	c, peer := overTLS(t)
	for range 3 {
		if !c.Quiet() {
			t.Fatal("a ticket makes a connection pass for dirty")
		}
	}
	go func() { send(t, peer, "hello") }()
	in := make([]byte, 8)
	if n, err := c.Read(in); string(in[:n]) != "hello" || err != nil {
		t.Errorf("read %q, %v after looking", in[:n], err)
	}
}

func TestWritesAreGathered(t *testing.T) {
	for size, want := range map[int]int64{100: 1, 16 << 10: 1, 64 << 10: 1, 140 << 10: 3} {
		ours, theirs := sockets(t, "tcp", "127.0.0.1:0")
		sock := &counted{Conn: ours}
		c, peer := secured(t, netio.New(sock), theirs)
		before := sock.writes.Load()
		data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
		var got []byte
		var all sync.WaitGroup
		all.Go(func() {
			got = make([]byte, len(data))
			_, _ = io.ReadFull(peer, got)
		})
		n, err := c.Write(data)
		all.Wait()
		if n != len(data) || err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes: wrote %d, %v; arrived whole: %v", size, n, err, bytes.Equal(got, data))
		}
		if writes := sock.writes.Load() - before; writes != want {
			t.Errorf("%d bytes took %d system calls, want %d", size, writes, want)
		}
	}
}

// The reader answers some records by itself, with an alert for example, while
// the writer gathers: the two may not meet in the buffer.
func TestReaderMayWriteWhileTheWriterGathers(t *testing.T) {
	for range 20 {
		ours, theirs := sockets(t, "tcp", "127.0.0.1:0")
		c, peer := secured(t, netio.New(ours), theirs)
		var all sync.WaitGroup
		all.Go(func() {
			_, _ = io.Copy(io.Discard, peer.NetConn())
		})
		all.Go(func() {
			data := make([]byte, 64<<10)
			for {
				if _, err := c.Write(data); err != nil {
					return
				}
			}
		})
		// A record that cannot be decrypted.
		send(t, theirs, "\x17\x03\x03\x00\x20"+string(make([]byte, 32)))
		in := make([]byte, 1)
		if _, err := c.Read(in); err == nil {
			t.Error("a broken record was read")
		}
		_ = ours.Close()
		all.Wait()
	}
}

func TestCloseDoesNotWaitForAPeerThatDoesNotRead(t *testing.T) {
	c, _ := overTLS(t)
	c.WriteIdle = long
	for {
		// Written below TLS, so that TLS knows nothing of the full buffer.
		_ = c.Socket().SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := c.Socket().Write(make([]byte, 1<<20)); err != nil {
			break
		}
	}
	_ = c.Socket().SetWriteDeadline(time.Time{})
	start := time.Now()
	_ = c.Close()
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("Close took %v", took)
	}
}

func TestHandshakeTimeout(t *testing.T) {
	ours, _ := sockets(t, "tcp", "127.0.0.1:0")
	c := netio.New(ours)
	c.ReadIdle, c.ReadUntil = long, 7
	c.StartClient(&tls.Config{InsecureSkipVerify: true})
	start := time.Now()
	err := c.Handshake(30*time.Millisecond, nil)
	wantTimeout(t, start, 30*time.Millisecond, 0, err)
	if c.ReadIdle != long || c.ReadUntil != 7 {
		t.Error("the limits are not what they were")
	}
}

func TestServerSide(t *testing.T) {
	ours, theirs := sockets(t, "tcp", "127.0.0.1:0")
	c := netio.New(ours)
	c.StartServer(&tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	client := tls.Client(theirs, &tls.Config{InsecureSkipVerify: true})
	done := make(chan error, 1)
	go func() {
		_, err := client.Write([]byte("hello"))
		done <- err
	}()
	in := make([]byte, 8)
	c.ReadIdle = long
	if n, err := c.Read(in); string(in[:n]) != "hello" || err != nil || <-done != nil {
		t.Errorf("read %q, %v", in[:n], err)
	}
	if c.TLS() == nil || c.Socket() != ours {
		t.Error("the layers are not what was put there")
	}
}
