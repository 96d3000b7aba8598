package h2_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"doorward/proxy/h1"
	"doorward/proxy/h2"
)

// window is the setting of the windows that streams begin with.
func window(n uint32) http2.Setting {
	return http2.Setting{ID: http2.SettingInitialWindowSize, Val: n}
}

func TestBodiesGoBothWays(t *testing.T) {
	p := start(t, options(), echo, window(1<<20))
	_ = p.WriteWindowUpdate(0, 1<<30)
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<14) // a stream's window
	_ = p.head(1, false, post("/")...)
	for i := 0; i < len(body); i += 16 << 10 {
		_ = p.WriteDataPadded(1, false, body[i:i+15<<10], make([]byte, 100))
		_ = p.WriteData(1, false, body[i+15<<10:i+16<<10])
		p.until("room", func() bool { return 256<<10+p.windows[1] > i+64<<10 })
	}
	_ = p.head(1, true, "x-sum", "right")
	a := p.wait(1)
	if !bytes.Equal(a.body, body) {
		t.Errorf("%d bytes came back", len(a.body))
	}
	if len(a.trailers) != 1 || a.trailers[0].Value != "right" {
		t.Errorf("trailers %v", a.trailers)
	}
}

func TestClientMaySendNoMoreThanIsRead(t *testing.T) {
	o := options()
	o.StreamWindow, o.ConnWindow = 32<<10, 64<<10
	next := make(chan int)
	p := start(t, o, func(s *h2.Stream) {
		for n := range next {
			if _, err := io.ReadFull(s, make([]byte, n)); err != nil {
				t.Error(err)
			}
		}
		_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), nil, true)
	})
	if got := p.settings[http2.SettingInitialWindowSize]; got != 32<<10 {
		t.Errorf("the window is said to be %d", got)
	}
	_ = p.head(1, false, post("/")...)
	_ = p.WriteData(1, false, make([]byte, 16<<10))
	_ = p.WriteData(1, false, make([]byte, 16<<10))
	p.sync()
	if p.windows[1] != 0 {
		t.Errorf("room for %d although nothing was read", p.windows[1])
	}
	next <- 8 << 10
	p.sync()
	if p.windows[1] != 0 {
		t.Errorf("room for %d after a quarter was read", p.windows[1])
	}
	next <- 8 << 10
	p.until("room", func() bool { return p.windows[1] == 16<<10 })
	_ = p.WriteData(1, false, make([]byte, 16<<10))
	p.sync()
	_ = p.WriteData(1, false, make([]byte, 1)) // one too many
	if a := p.wait(1); !a.reset || a.code != http2.ErrCodeFlowControl {
		t.Errorf("%+v", a)
	}
	close(next)
}

func TestConnectionHoldsNoMoreThanItsWindow(t *testing.T) {
	o := options()
	o.StreamWindow, o.ConnWindow = 64<<10, 128<<10
	p := start(t, o, linger)
	p.until("the connection's window", func() bool { return p.windows[0] == 128<<10-65535 })
	for id := uint32(1); id <= 3; id += 2 {
		_ = p.head(id, false, post("/")...)
		for range 4 {
			_ = p.WriteData(id, false, make([]byte, 16<<10))
		}
	}
	p.sync()
	_ = p.head(5, false, post("/")...)
	_ = p.WriteData(5, false, []byte("x"))
	if code := p.farewell(); code != http2.ErrCodeFlowControl {
		t.Error(code)
	}
}

// TestWindowOfWhatNobodyReadsIsReturned fills the connection's window many times over
// with bodies that are discarded, reset, or come too late.
func TestWindowOfWhatNobodyReadsIsReturned(t *testing.T) {
	for name, h := range map[string]h2.Handler{
		"discarded": func(s *h2.Stream) {
			s.Discard()
			if _, err := s.Read(make([]byte, 1)); !errors.Is(err, h2.ErrDiscarded) {
				t.Error(err)
			}
			linger(s)
		},
		"answered early": func(s *h2.Stream) {
			_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), nil, true)
		},
		"not read": linger,
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			o.StreamWindow, o.ConnWindow = 64<<10, 128<<10
			p := start(t, o, h)
			sent := 0
			for id := uint32(1); id < 100; id += 2 {
				_ = p.head(id, false, post("/")...)
				for range 2 {
					p.until("room", func() bool { return 65535+p.windows[0]-sent >= 16<<10 })
					_ = p.WriteDataPadded(id, false, make([]byte, 16<<10-256), make([]byte, 255))
					sent += 16 << 10
				}
				_ = p.WriteRSTStream(id, http2.ErrCodeCancel)
			}
			p.sync()
			if len(p.goAways) > 0 {
				t.Errorf("GOAWAY %q", p.debug)
			}
		})
	}
}

func TestAnswerWaitsForWindows(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 100<<10)
	p := start(t, options(), func(s *h2.Stream) {
		_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), body, true)
	}, window(10))
	_ = p.head(1, true, get("/")...)
	p.until("ten bytes", func() bool { return len(p.answer(1).body) == 10 })
	_ = p.WriteWindowUpdate(1, 5)
	p.until("fifteen", func() bool { return len(p.answer(1).body) == 15 })
	_ = p.WriteSettings(window(100)) // which is 90 more for every stream
	p.until("a hundred and five", func() bool { return len(p.answer(1).body) == 105 })
	_ = p.WriteSettings(window(0))
	_ = p.WriteWindowUpdate(1, 50) // makes up for what is taken away
	p.sync()
	if n := len(p.answer(1).body); n != 105 {
		t.Fatalf("%d bytes although the window is below zero", n)
	}
	_ = p.WriteWindowUpdate(1, 1<<20)
	p.until("the connection's window", func() bool { return len(p.answer(1).body) == 65535 })
	_ = p.WriteWindowUpdate(0, 1<<20)
	if a := p.wait(1); len(a.body) != len(body) {
		t.Errorf("%d bytes", len(a.body))
	}
}

func TestLargeAnswersTakeTurns(t *testing.T) {
	body := make([]byte, 1<<20)
	p := start(t, options(), func(s *h2.Stream) {
		_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), body, true)
	}, window(1<<30))
	for id := uint32(1); id < 20; id += 2 { // one takes all of the connection's window
		_ = p.head(id, true, get("/")...)
		p.until("a head", func() bool { return p.answer(id).status != "" })
	}
	for range 10 * len(body) >> 14 { // a frame at a time
		_ = p.WriteWindowUpdate(0, 16<<10)
		p.sync()
		least, most := len(body), 0
		for id := uint32(1); id < 20; id += 2 {
			n := len(p.answer(id).body)
			least, most = min(least, n), max(most, n)
		}
		if most-least > 512<<10 { // of 1 MiB: a goroutine may have to wait for a processor
			t.Fatalf("one stream has got %d bytes, another %d", most, least)
		}
	}
	for id := uint32(1); id < 20; id += 2 {
		if a := p.wait(id); len(a.body) != len(body) {
			t.Errorf("%d bytes", len(a.body))
		}
	}
}

func TestSecurityZeroWindows(t *testing.T) {
	t.Run("H2-34_windows_held_shut", func(t *testing.T) {
		errs := make(chan error, 100)
		p := start(t, options(), func(s *h2.Stream) {
			s.Idle(0, 50*time.Millisecond)
			chunk := make([]byte, 32<<10)
			err := s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), chunk, false)
			for i := 0; i < 300 && err == nil; i++ {
				err = s.Write(chunk, false)
			}
			errs <- err
		}, window(1))
		before := heap()
		for i := range uint32(100) {
			_ = p.head(2*i+1, true, get("/")...)
		}
		p.sync()
		grown := heap() - before
		t.Logf("heap grew by %d KiB", grown>>10)
		if grown > most {
			t.Errorf("the heap grew by %d", grown)
		}
		for i := range uint32(100) {
			var ne net.Error
			if err := <-errs; !errors.As(err, &ne) || !ne.Timeout() {
				t.Errorf("Write: %v", err)
			}
			if a := p.wait(2*i + 1); !a.reset || a.code != http2.ErrCodeCancel || len(a.body) != 1 {
				t.Errorf("%+v", a)
			}
		}
	})
	t.Run("SLOW-08_no_body_comes", func(t *testing.T) {
		p := start(t, options(), func(s *h2.Stream) {
			s.Idle(20*time.Millisecond, 0)
			_, err := s.Read(nil)
			var ne net.Error
			if !errors.As(err, &ne) || !ne.Timeout() {
				t.Errorf("Read: %v", err)
			}
			_ = s.Answer([]byte("HTTP/1.1 408 Request Timeout\r\n\r\n"), nil, true)
		})
		_ = p.head(1, false, post("/")...)
		if a := p.wait(1); a.status != "408" {
			t.Errorf("%+v", a)
		}
	})
}

// TestOthersSendBesideWhatNobodyReads fills more than half of the connection's window
// with bodies that nobody reads.
func TestOthersSendBesideWhatNobodyReads(t *testing.T) {
	o := options()
	o.StreamWindow, o.ConnWindow = 64<<10, 128<<10
	p := start(t, o, func(s *h2.Stream) {
		if s.ID() < 5 {
			linger(s)
			return
		}
		echo(s)
	}, window(1<<20))
	_ = p.WriteWindowUpdate(0, 1<<20)
	sent := 0
	send := func(id uint32, n int, end bool) {
		t.Helper()
		p.until("room", func() bool { return 65535+p.windows[0]-sent >= n && 64<<10+p.windows[id] >= n })
		_ = p.WriteData(id, end, make([]byte, n))
		sent += n
		p.windows[id] -= n
	}
	for i, frames := range []int{4, 2} {
		id := uint32(2*i + 1)
		_ = p.head(id, false, post("/")...)
		for range frames {
			send(id, 16<<10, false)
		}
	}
	_ = p.head(5, false, post("/")...)
	for i := range 64 {
		send(5, 8<<10, i == 63)
	}
	if a := p.wait(5); len(a.body) != 512<<10 {
		t.Errorf("%d bytes of 512 KiB came back", len(a.body))
	}
}

// TestSilenceOfOneHeldBackIsNoFault lets a client wait for the connection's window longer
// than a client may be silent.
func TestSilenceOfOneHeldBackIsNoFault(t *testing.T) {
	const idle = 50 * time.Millisecond
	silent := func(s *h2.Stream) {
		s.Idle(idle, 0)
		head := "HTTP/1.1 200 OK\r\n\r\n"
		if _, err := s.Read(nil); err != nil {
			head = "HTTP/1.1 408 Request Timeout\r\n\r\n"
		}
		_ = s.Answer([]byte(head), nil, true)
	}
	o := options()
	o.StreamWindow, o.ConnWindow = 128<<10, 128<<10
	read := make(chan struct{})
	p := start(t, o, func(s *h2.Stream) {
		if s.ID() > 1 {
			silent(s)
			return
		}
		<-read
		_, _ = io.ReadFull(s, make([]byte, 128<<10))
		linger(s)
	})
	_ = p.head(1, false, post("/")...)
	for range 8 {
		_ = p.WriteData(1, false, make([]byte, 16<<10))
	}
	_ = p.head(3, false, post("/")...)
	p.sync()
	for range 3 { // clients who could send, which is how time passes here
		other := start(t, o, silent)
		_ = other.head(1, false, post("/")...)
		if a := other.wait(1); a.status != "408" {
			t.Errorf("one who could send: %+v", a)
		}
	}
	had := p.windows[0]
	close(read)
	p.until("room", func() bool { return p.windows[0] > had })
	_ = p.WriteData(3, true, []byte("x"))
	if a := p.wait(3); a.status != "200" {
		t.Errorf("one who was held back: %+v", a)
	}
}

// TestWaitingInLineIsNoFault sends so slowly that the last of many streams waits longer
// for its turn than nothing may move.
func TestWaitingInLineIsNoFault(t *testing.T) {
	const streams, frame, idle = 20, 16 << 10, time.Second
	p := start(t, options(), func(s *h2.Stream) {
		s.Idle(0, idle)
		_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), make([]byte, frame), true)
	}, window(1<<20))
	for i := range uint32(streams) {
		_ = p.head(2*i+1, true, get("/")...)
	}
	pace := time.NewTicker(idle / 8)
	defer pace.Stop()
	for range streams {
		<-pace.C
		_ = p.WriteWindowUpdate(0, frame)
		p.sync()
	}
	for i := range uint32(streams) {
		if a := p.wait(2*i + 1); len(a.body) != frame {
			t.Errorf("stream %d: %d bytes, reset %v", 2*i+1, len(a.body), a.reset)
		}
	}
}

func TestReadOfNoBytesWaits(t *testing.T) {
	p := start(t, options(), func(s *h2.Stream) {
		var b strings.Builder
		for {
			n, err := s.Read(nil)
			if n != 0 || err != nil {
				break
			}
			one := make([]byte, 1)
			_, _ = s.Read(one)
			b.Write(one)
		}
		_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), []byte(b.String()), true)
	})
	_ = p.head(1, false, post("/")...)
	_ = p.WriteData(1, false, []byte("ab"))
	p.sync()
	_ = p.WriteData(1, true, []byte("c"))
	if a := p.wait(1); string(a.body) != "abc" {
		t.Errorf("%+v", a)
	}
}

func TestHeadsOfAnswers(t *testing.T) {
	long := strings.Repeat("v", 20<<10) // more than a frame
	p := start(t, options(), func(s *h2.Stream) {
		_ = s.Answer([]byte("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), nil, false)
		_ = s.Answer([]byte("HTTP/1.1 418 I'm a teapot\r\nX-Long: "+long+"\r\nConnection: close\r\n"+
			"Transfer-Encoding: chunked\r\nKeep-Alive: 5\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n"+
			"Empty:\r\nServer: x\r\n\r\n"), []byte("x"), false)
		if err := s.End([]h1.Field{{Name: []byte("Sum"), Value: []byte("1")}}); err != nil {
			t.Error(err)
		}
		if s.Write([]byte("x"), true) == nil || s.End(nil) == nil {
			t.Error("an answer goes on behind its end")
		}
	})
	for id := uint32(1); id < 10; id += 2 { // by and by the lines are in tables
		a := p.ask(id, get("/")...)
		if a.status != "418" || len(a.early) != 1 || a.early[0] != "103" || string(a.body) != "x" {
			t.Fatalf("%+v", a)
		}
		names := ""
		for _, f := range a.fields {
			names += f.Name + ":" + f.Value[:min(3, len(f.Value))] + " "
			if f.Name == "set-cookie" && !f.Sensitive {
				t.Error("a cookie that others may index")
			}
		}
		want := "link:</a x-long:vvv set-cookie:a=b set-cookie:c=d empty: server:x "
		if names != want || a.get("x-long") != long {
			t.Errorf("fields %q, not %q", names, want)
		}
		if len(a.trailers) != 1 || a.trailers[0].Name != "sum" {
			t.Errorf("trailers %v", a.trailers)
		}
	}
}

// TestSecurityTableSizes has the client change the size of its table between requests
// whose answers have much to put there; a decoder that is not ours follows.
func TestSecurityTableSizes(t *testing.T) {
	t.Run("H2-31_header_table_size", func(t *testing.T) {
		o := options()
		o.Budgets.Settings = h2.Budget{Burst: 1e6}
		o.Budgets.Resets, o.Budgets.Pings = h2.Budget{Burst: 1e6}, h2.Budget{Burst: 1e6}
		n := 0
		p := start(t, o, func(s *h2.Stream) {
			var b strings.Builder
			b.WriteString("HTTP/1.1 200 OK\r\n")
			for i := range 20 { // more than fits a table, in changing order
				name := string(rune('a' + (i*7+n)%26))
				b.WriteString("X-" + name + ": " + strings.Repeat(name, 100+i%3*100) + "\r\n")
			}
			n++
			_ = s.Answer([]byte(b.String()+"\r\n"), nil, true)
		})
		for i := range uint32(2000) {
			size := []uint32{4096, 0, 100, 1 << 20, 600, 4096}[i%6]
			_ = p.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: size})
			if i%2 == 1 { // twice between two heads
				continue
			}
			p.decoder.SetAllowedMaxDynamicTableSize(min(size, 4096))
			p.decoder.SetAllowedMaxDynamicTableSize(4096)
			if a := p.ask(2*i+1, get("/")...); len(a.fields) != 20 {
				t.Fatalf("%d: %+v", i, a)
			}
			for _, f := range p.answer(2*i + 1).fields {
				if f.Value[0] != f.Name[2] {
					t.Fatalf("%d: %v", i, f)
				}
			}
		}
	})
}
