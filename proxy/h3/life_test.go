package h3_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"doorward/proxy/h1"
	"doorward/proxy/h3"
)

func TestAnswers(t *testing.T) {
	large := strings.Repeat("0123456789", 20_000)
	s := serve(t, h3.Options{}, func(s *h3.Stream) {
		switch string(s.Request().Path) {
		case "/head":
			_ = s.Answer([]byte("HTTP/1.1 204 No Content\r\nX-A: b\r\nConnection: close\r\n"+
				"Transfer-Encoding: chunked\r\nSet-Cookie: a=b\r\nEmpty:\r\n\r\n"), nil, true)
		case "/early":
			_ = s.Answer([]byte("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"), nil, false)
			_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), []byte("late"), true)
		case "/large":
			_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), []byte(large), false)
			_ = s.Write([]byte(large), false)
			_ = s.Write([]byte("end"), true)
		case "/trailers":
			_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), []byte("x"), false)
			_ = s.End([]h1.Field{{Name: []byte("Sum"), Value: []byte("1")}})
		case "/half":
			_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), []byte("x"), false)
		case "/behind":
			_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), nil, true)
			if s.Write([]byte("x"), false) == nil || s.End(nil) == nil {
				panic("writes behind the end succeed")
			}
		case "/panic":
			panic("a handler's")
		}
	})
	client := s.dial()
	ask := func(path string) answer { return read(client.request(true, head(":path", path))) }
	a := ask("/head")
	if len(a.fields) != 4 || a.fields["x-a"] != "b" || a.fields[":status"] != "204" ||
		a.fields["set-cookie"] != "a=b" {
		t.Errorf("head: %v, %v", a.fields, a.err)
	}
	if a := ask("/early"); a.status != 200 || a.body != "late" {
		t.Errorf("early: %+v", a)
	}
	if a := ask("/large"); a.body != large+large+"end" || a.err != nil {
		t.Errorf("large: %d bytes, %v", len(a.body), a.err)
	}
	if a := ask("/trailers"); a.body != "x" || a.trailers["sum"] != "1" || a.err != nil {
		t.Errorf("trailers: %+v", a)
	}
	for path, want := range map[string]uint64{"/half": 0x102, "/none": 0x102, "/panic": 0x102, "/behind": 0} {
		if a := ask(path); codeOf(a.err) != want {
			t.Errorf("%s: %+v, want %#x", path, a, want)
		}
	}
}

// A WebSocket is a stream both of whose halves carry it (RFC 9220).
func TestExtendedConnect(t *testing.T) {
	s := serve(t, h3.Options{}, func(s *h3.Stream) {
		if string(s.Request().Upgrade) != "websocket" || string(s.Request().Method) != "GET" {
			s.Reset(0x7)
			return
		}
		_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), nil, false)
		b := make([]byte, 100)
		for {
			if _, err := s.Read(nil); err != nil {
				_ = s.Write(nil, true)
				return
			}
			n, _ := s.Read(b)
			_ = s.Write(b[:n], false)
		}
	})
	client := s.dial()
	stream := client.request(false, head(":method", "CONNECT", ":protocol", "websocket"), frame(0, 'a'))
	_, _ = stream.Write(frame(0, 'b', 'c'))
	_ = stream.Close()
	if a := read(stream); a.status != 200 || a.body != "abc" {
		t.Errorf("%+v", a)
	}
}

// gone is told once, by whatever ends the stream from outside.
func TestWatch(t *testing.T) {
	for name, leave := range map[string]func(*client, *quic.Stream){
		"stop sending": func(_ *client, s *quic.Stream) { s.CancelRead(0x10c) },
		"close":        func(c *client, _ *quic.Stream) { _ = c.CloseWithError(0x100, "") },
	} {
		t.Run(name, func(t *testing.T) {
			begun, gone := make(chan struct{}), make(chan struct{})
			s := serve(t, h3.Options{}, func(s *h3.Stream) {
				s.Watch(func() { close(gone) })
				close(begun)
				<-gone
				s.Watch(nil)
			})
			client := s.dial()
			stream := client.request(true, head())
			<-begun
			leave(client, stream)
			select {
			case <-gone:
			case <-time.After(patience):
				t.Fatal("nobody was told")
			}
		})
	}
}

// An answer that has ended is nothing that a client can leave.
func TestWatchAfterTheAnswer(t *testing.T) {
	told := make(chan struct{}, 1)
	s := serve(t, h3.Options{}, func(s *h3.Stream) {
		s.Watch(func() { told <- struct{}{} })
		_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), nil, true)
		s.Watch(nil)
	})
	client := s.dial()
	client.alive()
	select {
	case <-told:
		t.Error("told of a client that left")
	case <-time.After(50 * time.Millisecond):
	}
}

func TestSecuritySlowClients(t *testing.T) {
	const short = 60 * time.Millisecond
	failed := make(chan error, 1)
	s := serve(t, h3.Options{Head: short, KeepAlive: patience, Idle: short}, func(s *h3.Stream) {
		if string(s.Request().Path) == "/read" {
			_, err := io.ReadAll(s)
			failed <- err
			return
		}
		_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), make([]byte, 4<<20), true)
		failed <- s.Write(nil, true)
	})
	client := s.dial()
	t.Run("SLOW-03_head", func(t *testing.T) {
		if a := read(client.request(false, head()[:5])); codeOf(a.err) != 0x10d {
			t.Errorf("%+v", a)
		}
	})
	t.Run("SLOW-08_body", func(t *testing.T) {
		client.request(false, head(":method", "POST", ":path", "/read"), frame(0, 'a'))
		if err := <-failed; !errors.Is(err, h3.ErrTimeout) {
			t.Errorf("%v, want %v", err, h3.ErrTimeout)
		}
	})
	t.Run("H2-34_answer_that_nobody_takes", func(t *testing.T) {
		stream := client.request(true, head())
		select {
		case err := <-failed:
			if err == nil {
				t.Error("4 MiB went to a client that reads none")
			}
		case <-time.After(patience):
			t.Fatal("the handler still waits")
		}
		if a := read(stream); codeOf(a.err) != 0x10c {
			t.Errorf("%v", a.err)
		}
	})
}

func TestIdleConnectionsClose(t *testing.T) {
	s := serve(t, h3.Options{KeepAlive: 100 * time.Millisecond}, describe)
	client := s.dial()
	client.alive()
	if code := client.closedWith(); code != 0x100 {
		t.Errorf("%#x", code)
	}
	if err := <-s.ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// A stream counts until its handler has ended, whatever the client does with it
// (CVE-2023-44487), and a client that goes on like that is sent away.
func TestSecurityRapidReset(t *testing.T) {
	t.Run("H2-38_whatever_is_reset", func(t *testing.T) {
		hold := make(chan struct{})
		s := serve(t, h3.Options{}, func(s *h3.Stream) {
			<-hold
			describe(s)
		})
		client := s.dial()
		conn := <-s.conns
		opened := 0
		for range 50 {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			stream, err := client.OpenStreamSync(ctx)
			cancel()
			if err != nil {
				break
			}
			opened++
			_, _ = stream.Write(head())
			_ = stream.Close()
			stream.CancelRead(0x10c)
		}
		if opened != 10 || conn.Streams() > 10 {
			t.Errorf("%d streams could be opened, %d are; 10 are allowed", opened, conn.Streams())
		}
		close(hold)
	})
	t.Run("H2-20_rate", func(t *testing.T) {
		events := make(chan h3.Event, 1)
		s := serve(t, h3.Options{Report: func(e h3.Event) { events <- e }}, func(s *h3.Stream) {
			gone := make(chan struct{})
			s.Watch(func() { close(gone) })
			<-gone
			s.Watch(nil)
		})
		client := s.dial()
		for client.Context().Err() == nil {
			ctx, cancel := context.WithTimeout(client.Context(), patience)
			stream, err := client.OpenStreamSync(ctx)
			cancel()
			if err != nil {
				break
			}
			_, _ = stream.Write(head())
			_ = stream.Close()
			stream.CancelRead(0x10c)
		}
		if code := client.closedWith(); code != 0x107 {
			t.Errorf("%#x", code)
		}
		if e := <-events; e.Budget != "resets" || e.Streams < 200 {
			t.Errorf("%+v", e)
		}
	})
}

func TestDrain(t *testing.T) {
	hold := make(chan struct{})
	s := serve(t, h3.Options{}, func(s *h3.Stream) {
		if string(s.Request().Path) == "/slow" {
			<-hold
		}
		describe(s)
	})
	client := s.dial()
	conn := <-s.conns
	client.alive()
	slow := client.request(true, head(":path", "/slow"))
	control, err := client.AcceptUniStream(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	conn.Drain()
	conn.Drain()
	goAways := readGoAways(t, control, 2)
	if goAways[0] != 1<<62-4 || goAways[1] != 8 {
		t.Errorf("GOAWAY %v, want a warning and then the stream after the second", goAways)
	}
	if a := read(client.request(true, head())); codeOf(a.err) != 0x10b {
		t.Errorf("behind the last: %+v", a)
	}
	close(hold)
	if a := read(slow); a.status != 200 || a.err != nil {
		t.Errorf("the request at work: %+v", a)
	}
	if code := client.closedWith(); code != 0x100 {
		t.Errorf("%#x", code)
	}
	if err := <-s.ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// readGoAways reads the server's control stream up to so many GOAWAY frames.
func readGoAways(t *testing.T, control *quic.ReceiveStream, n int) (ids []uint64) {
	t.Helper()
	_ = control.SetReadDeadline(time.Now().Add(patience))
	r := quicvarint.NewReader(control)
	if kind, err := quicvarint.Read(r); kind != 0 || err != nil {
		t.Fatalf("stream of type %d, %v", kind, err)
	}
	for len(ids) < n {
		kind, err := quicvarint.Read(r)
		if err != nil {
			t.Fatal(err)
		}
		length, _ := quicvarint.Read(r)
		payload := make([]byte, length)
		if _, err := io.ReadFull(r, payload); err != nil {
			t.Fatal(err)
		}
		if kind == 7 {
			id, _, _ := quicvarint.Parse(payload)
			ids = append(ids, id)
		}
	}
	return ids
}

func TestAbort(t *testing.T) {
	begun := make(chan struct{})
	s := serve(t, h3.Options{}, func(s *h3.Stream) {
		gone := make(chan struct{})
		s.Watch(func() { close(gone) })
		close(begun)
		<-gone
		s.Watch(nil)
	})
	client := s.dial()
	conn := <-s.conns
	stream := client.request(true, head())
	<-begun
	conn.Abort()
	if a := read(stream); a.err == nil {
		t.Errorf("%+v", a)
	}
	<-s.ended
}

// Discard throws away what comes; the answer goes on.
func TestDiscard(t *testing.T) {
	s := serve(t, h3.Options{}, func(s *h3.Stream) {
		s.Discard()
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, h3.ErrDiscarded) {
			panic(err)
		}
		_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), []byte("early"), true)
	})
	client := s.dial()
	stream := client.request(false, head(":method", "POST"), frame(0, make([]byte, 1000)...))
	if a := read(stream); a.body != "early" || a.err != nil {
		t.Errorf("%+v", a)
	}
	client.alive()
}
