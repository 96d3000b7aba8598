package h2_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"doorward/proxy/h2"
)

// most is how much the heap may grow while a connection is attacked.
const most = 16 << 20

// flood attacks a connection, and tells how it ended.
type flood struct {
	name   string
	budget string // that is used up
	// open are streams that the attack may use, 1, 3, 5 and so on, which stay open.
	open   int
	attack func(p *peer)
}

func floods() []flood {
	repeat := func(n int, send func(p *peer, i uint32) error) func(*peer) {
		return func(p *peer) {
			for i := uint32(0); i < uint32(n) && send(p, i) == nil; i++ {
			}
		}
	}
	return []flood{
		{"H2-20_rapid_reset", "resets", 0, repeat(20_000, func(p *peer, i uint32) error {
			_ = p.head(2*i+1, true, get("/")...)
			return p.WriteRSTStream(2*i+1, http2.ErrCodeCancel)
		})},
		{"H2-22_window_of_nothing", "resets", 0, repeat(20_000, func(p *peer, i uint32) error {
			_ = p.head(2*i+1, true, get("/")...)
			return p.WriteWindowUpdate(2*i+1, 0)
		})},
		{"H2-22_window_overflow", "resets", 0, repeat(20_000, func(p *peer, i uint32) error {
			_ = p.head(2*i+1, true, get("/")...)
			return p.WriteWindowUpdate(2*i+1, 1<<31-1)
		})},
		{"H2-22_data_behind_the_end", "resets", 0, repeat(20_000, func(p *peer, i uint32) error {
			_ = p.head(2*i+1, true, get("/")...)
			return p.WriteData(2*i+1, true, []byte("x"))
		})},
		{"H2-22_malformed_heads", "resets", 0, repeat(20_000, func(p *peer, i uint32) error {
			return p.head(2*i+1, true, get("/", "connection", "close")...)
		})},
		{"H2-22_a_length_that_lies", "resets", 0, repeat(20_000, func(p *peer, i uint32) error {
			_ = p.head(2*i+1, false, post("/", "content-length", "1")...)
			return p.WriteData(2*i+1, true, []byte("xx"))
		})},
		{"H2-23_continuation", "bytes of one head", 0, func(p *peer) {
			p.unended(1)
			part := make([]byte, 16<<10)
			for p.WriteContinuation(1, false, part) == nil {
			}
		}},
		{"H2-24_empty_continuation", "frames of one head", 0, func(p *peer) {
			p.unended(1)
			for p.WriteContinuation(1, false, nil) == nil {
			}
		}},
		{"H2-25_settings", "settings", 0, repeat(300_000, func(p *peer, i uint32) error {
			return p.WriteSettings()
		})},
		{"H2-26_pings", "pings", 0, repeat(300_000, func(p *peer, i uint32) error {
			return p.WritePing(false, [8]byte{})
		})},
		{"H2-27_priority", "frames without meaning", 1, repeat(300_000, func(p *peer, i uint32) error {
			return p.WritePriority(1, http2.PriorityParam{StreamDep: 3})
		})},
		{"H2-27_unknown_types", "frames without meaning", 0, repeat(300_000,
			func(p *peer, i uint32) error {
				return p.WriteRawFrame(http2.FrameType(10+i%240), http2.Flags(i), i, []byte("xyz"))
			})},
		{"H2-28_empty_data", "empty frames", 1, repeat(300_000, func(p *peer, i uint32) error {
			return p.WriteData(1, false, nil)
		})},
		{"H2-28_padding_alone", "empty frames", 1, repeat(300_000, func(p *peer, i uint32) error {
			return p.WriteDataPadded(1, false, nil, make([]byte, 100))
		})},
		{"H2-28_ends_of_a_stream_that_was_reset", "empty frames", 0, func(p *peer) {
			p.lie(1)
			for p.WriteData(1, true, nil) == nil {
			}
		}},
		{"H2-27_trailers_of_a_stream_that_was_reset", "frames without meaning", 0, func(p *peer) {
			p.lie(1)
			for p.head(1, true, "a", "b") == nil {
			}
		}},
		{"CVE-2019-9511_window_updates", "window updates", 1, repeat(300_000,
			func(p *peer, i uint32) error { return p.WriteWindowUpdate(1, 1) })},
		{"H2-30_initial_window_flapping", "settings", 100, repeat(50_000, func(p *peer, i uint32) error {
			return p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: i % 2 << 16})
		})},
		{"H2-31_table_size_flapping", "settings", 0, repeat(50_000, func(p *peer, i uint32) error {
			return p.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: i % 2 << 12})
		})},
	}
}

// unended begins a head that has no end.
func (p *peer) unended(id uint32) {
	_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.encode(get("/")...)})
}

// lie has a stream reset for a length that is wrong.
func (p *peer) lie(id uint32) {
	_ = p.head(id, false, post("/", "content-length", "1")...)
	_ = p.WriteData(id, false, []byte("xx"))
}

// TestSecurityFloods are attacks by frames that cost a client nothing and lead to
// nothing. Each ends its connection, soon, and none takes memory.
func TestSecurityFloods(t *testing.T) {
	for _, f := range floods() {
		t.Run(f.name, func(t *testing.T) {
			var handlers atomic.Int32
			var peak atomic.Int64
			event := make(chan h2.Event, 1)
			o := options()
			o.Report = func(e h2.Event) {
				peak.Store(heap())
				event <- e
			}
			before := heap()
			p := start(t, o, func(s *h2.Stream) {
				handlers.Add(1)
				linger(s)
			})
			for i := range uint32(f.open) {
				_ = p.head(2*i+1, false, post("/")...)
			}
			read := make(chan http2.ErrCode)
			go func() {
				code := p.farewell()
				_ = p.sock.Close()
				read <- code
			}()
			f.attack(p)
			if code := <-read; code != http2.ErrCodeEnhanceYourCalm {
				t.Errorf("GOAWAY with %v %q", code, p.debug)
			}
			if e := <-event; e.Budget != f.budget {
				t.Errorf("reported %+v", e)
			}
			if n := handlers.Load(); n > 500 {
				t.Errorf("%d handlers ran", n)
			}
			grown := peak.Load() - before
			t.Logf("heap grew by %d KiB, %d handlers ran", grown>>10, handlers.Load())
			if grown > most {
				t.Errorf("the heap grew by %d bytes", grown)
			}
		})
	}
}

// TestSecurityPacedReset resets streams slower than any burst, but all of them.
func TestSecurityPacedReset(t *testing.T) {
	t.Run("H2-21_paced_rapid_reset", func(t *testing.T) {
		var handlers atomic.Int32
		p := start(t, options(), func(s *h2.Stream) {
			handlers.Add(1)
			_, _ = s.Read(make([]byte, 1))
		})
		go func() {
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for id := uint32(1); id < 20_000; id += 4 {
				<-tick.C
				for _, id := range []uint32{id, id + 2} {
					_ = p.head(id, false, post("/")...)
					if p.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
						return
					}
				}
			}
		}()
		if code := p.farewell(); code != http2.ErrCodeEnhanceYourCalm || handlers.Load() > 500 {
			t.Errorf("%v after %d handlers", code, handlers.Load())
		}
	})
}

// TestHonestClientsNeverMeetABudget does for real what floods do for nothing.
func TestHonestClientsNeverMeetABudget(t *testing.T) {
	o := options()
	o.Report = func(e h2.Event) { t.Errorf("%+v", e) }
	p := start(t, o, echo)
	for id := uint32(1); id < 4000; id += 2 {
		_ = p.head(id, false, post("/")...)
		_ = p.WritePriority(id, http2.PriorityParam{})
		_ = p.WriteRawFrame(0x10, 0, 0, []byte("\x00\x00\x00\x01u=1")) // PRIORITY_UPDATE
		_ = p.WriteData(id, true, []byte("body"))
		if a := p.wait(id); string(a.body) != "body" {
			t.Fatalf("%+v", a)
		}
		_ = p.WriteWindowUpdate(0, 4)
		if id%10 == 1 {
			p.sync()
		}
		if id%8 == 1 { // some answers are not waited for
			_ = p.head(id+2, true, get("/")...)
			_ = p.WriteRSTStream(id+2, http2.ErrCodeCancel)
			id += 2
		}
	}
}

// TestSecurityHeads are heads that are small on the wire.
func TestSecurityHeads(t *testing.T) {
	t.Run("H2-32_bomb", func(t *testing.T) {
		p := start(t, options(), func(s *h2.Stream) {
			_ = s.Answer([]byte("HTTP/1.1 431 Too Large\r\n\r\n"), []byte("x"), true)
			if s.Refusal() == nil || len(s.Request().Fields) > 100 {
				t.Errorf("%v, %d fields", s.Refusal(), len(s.Request().Fields))
			}
		}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		before := heap()
		fields := get("/", "x", strings.Repeat("a", 3<<10))
		block := append(p.encode(fields...), make([]byte, 12<<10)...)
		for i := len(block) - 12<<10; i < len(block); i++ {
			block[i] = 0x80 | 62 // the newest entry
		}
		for i := range uint32(100) { // none of them can end
			_ = p.WriteHeaders(http2.HeadersFrameParam{
				StreamID: 2*i + 1, BlockFragment: block, EndStream: true, EndHeaders: true,
			})
		}
		p.sync()
		grown := heap() - before
		t.Logf("heap grew by %d KiB", grown>>10)
		if grown > most || len(p.answers) == 0 {
			t.Errorf("the heap grew by %d bytes, %d answers", grown, len(p.answers))
		}
	})
	t.Run("H2-44_fields_that_come_to_nothing", func(t *testing.T) {
		p := start(t, options(), echo)
		fields := get("/")
		for range 400 {
			fields = append(fields, "host", "app.example")
		}
		if a := p.ask(1, fields...); a.status != "431" {
			t.Errorf("%+v", a)
		}
		if a := p.ask(3, get("/")...); a.status != "200" {
			t.Errorf("then %+v", a)
		}
	})
	t.Run("H2-19_trailers", func(t *testing.T) {
		p := start(t, options(), echo)
		many := []string{}
		for range 500 {
			many = append(many, "x", strings.Repeat("y", 10))
		}
		for i, c := range [][]string{
			{"content-length", "5"}, {"host", "x"}, {"a", "b\r\nc: d"}, {":path", "/"},
			{"Upper", "x"}, {"transfer-encoding", "chunked"}, many,
		} {
			id := uint32(2*i + 1)
			_ = p.head(id, false, post("/")...)
			_ = p.head(id, true, c...)
			if a := p.wait(id); !a.reset || a.code != http2.ErrCodeProtocol {
				t.Errorf("%.40q: %+v", c, a)
			}
		}
		_ = p.head(101, false, post("/")...)
		_ = p.head(101, false, "a", "b")
		if a := p.wait(101); !a.reset || a.code != http2.ErrCodeProtocol {
			t.Errorf("without an end: %+v", a)
		}
	})
}
