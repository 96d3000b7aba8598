package h2_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"doorward/proxy/h2"
)

// ok is an answer without a body.
func ok(s *h2.Stream) error { return s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), nil, true) }

func TestStreamsEndAsTheirHandlersLeaveThem(t *testing.T) {
	for name, c := range map[string]struct {
		handler h2.Handler
		ended   bool
		code    http2.ErrCode
	}{
		"no answer":        {func(*h2.Stream) {}, false, http2.ErrCodeInternal},
		"half an answer":   {func(s *h2.Stream) { _ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), nil, false) }, false, http2.ErrCodeInternal},
		"early answer":     {func(s *h2.Stream) { _ = ok(s) }, true, http2.ErrCodeNo},
		"reset":            {func(s *h2.Stream) { s.Reset(0xb) }, false, http2.ErrCodeEnhanceYourCalm},
		"panic":            {func(*h2.Stream) { panic("a test") }, false, http2.ErrCodeInternal},
		"early, discarded": {func(s *h2.Stream) { s.Discard(); _ = ok(s) }, true, http2.ErrCodeNo},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, options(), func(s *h2.Stream) {
				if string(s.Request().Path) == "/fine" {
					_ = ok(s)
					return
				}
				c.handler(s)
			})
			_ = p.head(1, false, post("/")...)
			a := p.answer(1)
			p.until("a reset", func() bool { return a.reset })
			if a.ended != c.ended || a.code != c.code {
				t.Errorf("%+v", a)
			}
			// What was on its way is no fault of the client's.
			for range 300 {
				_ = p.WriteData(1, false, []byte("late"))
			}
			_ = p.WriteWindowUpdate(1, 10)
			_ = p.head(1, true, "late", "trailers")
			if b := p.ask(3, get("/fine")...); b.status != "200" {
				t.Errorf("the next stream: %+v", b)
			}
		})
	}
}

func TestClientLeavesAStream(t *testing.T) {
	for name, leave := range map[string]func(p *peer){
		"reset":             func(p *peer) { _ = p.WriteRSTStream(1, http2.ErrCodeCancel) },
		"connection closed": func(p *peer) { _ = p.sock.Close() },
		"breaks the rules":  func(p *peer) { _ = p.WriteWindowUpdate(1, 0) },
		"our Abort":         func(p *peer) { p.conn.Abort() },
	} {
		t.Run(name, func(t *testing.T) {
			began, done := make(chan struct{}), make(chan struct{})
			p := start(t, options(), func(s *h2.Stream) {
				defer close(done)
				gone := make(chan struct{})
				s.Watch(func() { close(gone) })
				close(began)
				if _, err := s.Read(make([]byte, 1)); err == nil || err == io.EOF {
					t.Errorf("Read: %v", err)
				}
				<-gone
				again := false
				s.Watch(func() { again = true })
				if !again {
					t.Error("who watches afterwards is not told")
				}
				if s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), []byte("x"), true) == nil {
					t.Error("there is still somebody to answer")
				}
			})
			_ = p.head(1, false, post("/")...)
			<-began
			leave(p)
			<-done
		})
	}
}

func TestWriteEndsWhenTheClientLeaves(t *testing.T) {
	done := make(chan error)
	p := start(t, options(), func(s *h2.Stream) {
		done <- s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), make([]byte, 1<<20), true)
	})
	for id := uint32(1); id < 40; id += 2 { // most of them wait for the connection's window
		_ = p.head(id, true, get("/")...)
	}
	p.until("the window to be used up", func() bool {
		n := 0
		for _, a := range p.answers {
			n += len(a.body)
		}
		return n == 65535
	})
	for id := uint32(1); id < 40; id += 2 {
		_ = p.WriteRSTStream(id, http2.ErrCodeCancel)
		if err := <-done; !errors.Is(err, h2.ErrGone) {
			t.Errorf("Answer: %v", err)
		}
	}
	_ = p.WriteWindowUpdate(0, 1<<20)
	_ = p.head(101, true, get("/")...)
	go func() { <-done }()
	p.until("data on a new stream", func() bool { return len(p.answer(101).body) > 0 })
}

// TestClientThatDoesNotReadWhileItWrites has all buffers of the sockets full one way; the
// other way must go on.
func TestClientThatDoesNotReadWhileItWrites(t *testing.T) {
	got := make(chan int, 1)
	p := start(t, options(), func(s *h2.Stream) {
		if string(s.Request().Method) == "GET" {
			_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), make([]byte, 64<<20), true)
			return
		}
		n, _ := io.Copy(io.Discard, s)
		got <- int(n)
		_ = ok(s)
	}, window(1<<30))
	_ = p.WriteWindowUpdate(0, 1<<30)
	_ = p.head(1, true, get("/")...)
	_ = p.WritePing(false, [8]byte{})
	_ = p.head(3, false, post("/")...)
	for i := range 14 { // of what the windows allow without a word from us
		_ = p.WriteData(3, i == 13, make([]byte, 16<<10))
		_ = p.WritePing(false, [8]byte{})
	}
	select {
	case n := <-got:
		if n != 14*16<<10 {
			t.Errorf("%d bytes", n)
		}
	case <-time.After(long):
		t.Error("the body does not come")
	}
	if n := len(p.wait(1).body); n != 64<<20 {
		t.Errorf("%d bytes", n)
	}
}

func TestSecurityStreams(t *testing.T) {
	t.Run("H2-38_too_many_streams", func(t *testing.T) {
		o := options()
		o.Streams = 10
		p := start(t, o, linger)
		if n := p.settings[http2.SettingMaxConcurrentStreams]; n != 10 {
			t.Errorf("%d streams are offered", n)
		}
		for id := uint32(1); id < 22; id += 2 {
			_ = p.head(id, false, post("/")...)
		}
		if a := p.wait(21); a.code != http2.ErrCodeRefusedStream {
			t.Errorf("%+v", a)
		}
		if n := p.conn.Streams(); n != 10 {
			t.Errorf("%d streams are open", n)
		}
	})
	t.Run("H2-20_handlers_that_stay", func(t *testing.T) {
		o := options()
		o.Streams = 10
		stay := make(chan struct{})
		running := make(chan struct{}, 1000)
		p := start(t, o, func(*h2.Stream) {
			running <- struct{}{}
			<-stay
		})
		for id := uint32(1); id < 200; id += 2 {
			_ = p.head(id, true, get("/")...)
			_ = p.WriteRSTStream(id, http2.ErrCodeCancel)
		}
		p.sync()
		if n := len(running); n > 20 {
			t.Errorf("%d handlers at a time", n)
		}
		close(stay)
	})
}

func TestSecuritySilence(t *testing.T) {
	for name, c := range map[string]struct {
		send string
		then string // sent over and over
		code http2.ErrCode
	}{
		"H2-36_nothing":                {"", "", http2.ErrCodeNo},
		"H2-36_half_a_preface":         {http2.ClientPreface[:10], "", http2.ErrCodeNo},
		"H2-36_no_settings":            {http2.ClientPreface, "", http2.ErrCodeNo},
		"H2-36_half_the_settings":      {http2.ClientPreface + "\x00\x00", "", http2.ErrCodeNo},
		"H2-23_a_head_without_an_end":  {prefaced + "\x00\x00\x01\x01\x00\x00\x00\x00\x01\x82", "", http2.ErrCodeNo},
		"SLOW_half_a_frame":            {prefaced + "\x00\x10\x00\xff\x00\x00\x00\x00\x00", "x", http2.ErrCodeNo},
		"SLOW_half_the_first_bytes":    {prefaced + "\x00\x10", "", http2.ErrCodeNo},
		"H1-51_HTTP/1":                 {"GET / HTTP/1.1\r\nHost: a\r\n\r\n......", "", http2.ErrCodeProtocol},
		"H2-36_HTTP/1_in_small_pieces": {"G", "E", http2.ErrCodeProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			o.Head, o.Frame = 300*time.Millisecond, 300*time.Millisecond
			p := dial(t, o, echo)
			p.mute = true
			p.raw(c.send)
			if c.then != "" {
				go func() {
					tick := time.NewTicker(2 * time.Millisecond)
					defer tick.Stop()
					for range tick.C {
						if _, err := io.WriteString(p.sock, c.then); err != nil {
							return
						}
					}
				}()
			}
			began := time.Now()
			if code := p.farewell(); code != c.code {
				t.Errorf("GOAWAY %v %q", code, p.debug)
			}
			if d := time.Since(began); d > long/2 {
				t.Errorf("after %v", d)
			}
			_ = p.sock.Close()
		})
	}
}

// prefaced is a client's preface with settings.
const prefaced = http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

func TestConnectionWithoutStreamsEnds(t *testing.T) {
	o := options()
	o.KeepAlive = 50 * time.Millisecond
	release := make(chan struct{})
	p := start(t, o, func(s *h2.Stream) {
		<-release
		_ = ok(s)
	})
	_ = p.head(1, true, get("/")...)
	wait := time.After(3 * o.KeepAlive)
	<-wait
	close(release)
	if a := p.wait(1); a.status != "200" {
		t.Errorf("%+v", a)
	}
	if code := p.farewell(); code != http2.ErrCodeNo {
		t.Error(code)
	}
	_ = p.sock.Close()
	if err := <-p.ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
	p.ended <- nil
}

func TestSecurityDrain(t *testing.T) {
	t.Run("H2-41_streams_finish", func(t *testing.T) {
		release := make(chan struct{})
		p := start(t, options(), func(s *h2.Stream) {
			<-release
			_ = ok(s)
		})
		_ = p.head(1, true, get("/")...)
		p.conn.Drain()
		p.conn.Drain()
		_ = p.head(3, true, get("/")...) // on its way, as far as the client knows
		p.until("the last GOAWAY", func() bool { return len(p.goAways) == 2 })
		if first, last := p.goAways[0], p.goAways[1]; first.LastStreamID != 1<<31-1 ||
			last.LastStreamID != 3 || last.ErrCode != http2.ErrCodeNo {
			t.Errorf("GOAWAY %+v, %+v", first, last)
		}
		if a := p.ask(5, get("/")...); !a.reset || a.code != http2.ErrCodeRefusedStream {
			t.Errorf("a new stream: %+v", a)
		}
		close(release)
		if a, b := p.wait(1), p.wait(3); a.status != "200" || b.status != "200" {
			t.Errorf("%+v, %+v", a, b)
		}
		if p.farewell() != http2.ErrCodeNo || len(p.goAways) != 2 {
			t.Errorf("GOAWAY %+v", p.goAways)
		}
		_ = p.sock.Close()
		if err := <-p.ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
		p.ended <- nil
	})
	t.Run("H2-41_client_that_says_nothing", func(t *testing.T) {
		p := start(t, options(), echo)
		p.conn.Drain()
		p.mute = true // the ping too
		if p.farewell() != http2.ErrCodeNo || len(p.goAways) != 2 {
			t.Errorf("GOAWAY %+v", p.goAways)
		}
	})
	t.Run("H2-41_before_the_preface", func(t *testing.T) {
		p := dial(t, options(), echo)
		p.conn.Drain()
		p.raw(http2.ClientPreface)
		_ = p.WriteSettings()
		if code := p.farewell(); code != http2.ErrCodeNo {
			t.Error(code)
		}
	})
}

// TestIdleConnectionsAreSmall prints what a connection holds that has nothing to do.
func TestIdleConnectionsAreSmall(t *testing.T) {
	const n = 100
	o := options()
	o.Dictionary, o.Crew = h2.NewDictionary(), nil
	before := heap()
	peers := make([]*peer, n)
	for i := range peers {
		peers[i] = start(t, o, echo)
		_ = peers[i].head(1, false, post("/")...)
		_ = peers[i].WriteData(1, true, make([]byte, 16<<10))
		peers[i].wait(1)
		// What the client holds is not of interest.
		p := peers[i]
		p.Framer, p.encoder, p.decoder, p.answers = nil, nil, nil, nil
		p.block = bytes.Buffer{}
	}
	each := (heap() - before) / n
	t.Logf("%d bytes for each", each)
	if each > 20<<10 && !raceDetector {
		t.Errorf("%d bytes for each", each)
	}
	runtime.KeepAlive(peers)
}
