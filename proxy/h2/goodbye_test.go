package h2_test

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"doorward/proxy/h2"
)

// script is a transport whose client says what it will at once, and then nothing.
type script struct {
	says    []byte
	aborted chan struct{}
	wrote   chan []byte
}

func (s *script) Write(p []byte) (int, error) {
	s.wrote <- append([]byte(nil), p...)
	return len(p), nil
}

func (s *script) ReadLazy(take func() []byte, _ func()) (int, error) {
	if len(s.says) == 0 {
		<-s.aborted
		return 0, errors.New("aborted")
	}
	n := copy(take(), s.says)
	s.says = s.says[n:]
	return n, nil
}

func (s *script) Abort() {
	select {
	case <-s.aborted:
	default:
		close(s.aborted)
	}
}

// A drain may come before a connection is served: the first words are the settings all
// the same (RFC 9113, section 3.4).
func TestSettingsComeFirstWhenADrainCameBefore(t *testing.T) {
	s := &script{aborted: make(chan struct{}), wrote: make(chan []byte, 10)}
	c := h2.New(s, options(), func(*h2.Stream) {})
	c.Drain()
	ended := make(chan error, 1)
	go func() { ended <- c.Serve([]byte(http2.ClientPreface)) }()
	first := <-s.wrote
	if len(first) < 9 || http2.FrameType(first[3]) != http2.FrameSettings {
		t.Errorf("the first words are %q", first)
	}
	c.Abort()
	<-ended
}

// What is said of the last stream never grows (RFC 9113, section 6.8).
func TestTheLastStreamStaysTheLast(t *testing.T) {
	release := make(chan struct{})
	p := start(t, options(), func(s *h2.Stream) { <-release; _ = ok(s) })
	defer close(release)
	_ = p.head(1, true, get("/")...)
	p.sync()
	p.conn.Drain()
	p.until("the second GOAWAY", func() bool { return len(p.goAways) == 2 })
	_ = p.head(3, true, get("/")...)
	p.until("a refusal", func() bool { return p.answer(3).reset })
	_ = p.WriteWindowUpdate(0, 0)
	p.until("the last GOAWAY", func() bool { return len(p.goAways) == 3 })
	if g := p.goAways[2]; g.LastStreamID != 1 || g.ErrCode != http2.ErrCodeProtocol {
		t.Errorf("in the end %+v", g)
	}
}

// A client that goes on opening streams while we drain, and reads no answer, comes to
// the end of its budget.
func TestSecurityStreamsBehindTheLast(t *testing.T) {
	release := make(chan struct{})
	events := make(chan h2.Event, 1)
	o := options()
	o.Report = func(e h2.Event) { events <- e }
	p := start(t, o, func(s *h2.Stream) { <-release; _ = ok(s) })
	defer close(release)
	_ = p.head(1, true, get("/")...)
	p.conn.Drain()
	p.until("the second GOAWAY", func() bool { return len(p.goAways) == 2 })
	for id := uint32(3); id < 1000; id += 2 {
		_ = p.head(id, true, get("/")...)
	}
	select {
	case e := <-events:
		if e.Budget != "resets" {
			t.Errorf("%+v", e)
		}
	case <-time.After(long):
		t.Error("no budget was hit")
	}
}

// Frames that lead to nothing do not keep a connection alive.
func TestIdleConnectionsEndInSpiteOfPings(t *testing.T) {
	o := options()
	o.KeepAlive = 200 * time.Millisecond
	p := start(t, o, func(s *h2.Stream) { _ = ok(s) })
	p.ask(1, get("/")...)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 90 { // fewer than the budget allows
		<-tick.C
		_ = p.WritePing(false, [8]byte{})
		for want := p.pings + 1; p.pings < want; {
			if err := p.read(); err == nil {
				continue
			}
			if len(p.goAways) != 1 || p.goAways[0].ErrCode != http2.ErrCodeNo {
				t.Errorf("the connection ends with %v", p.goAways)
			}
			return
		}
	}
	t.Error("the connection stays open")
}

// No setting makes the window of the connection smaller than it is at first.
func TestSmallestWindowOfAConnection(t *testing.T) {
	o := options()
	o.ConnWindow = 1000
	p := start(t, o, echo)
	_ = p.head(1, false, post("/")...)
	_ = p.WriteData(1, true, make([]byte, 10_000))
	if a := p.wait(1); len(a.body) != 10_000 {
		t.Errorf("%+v", a)
	}
}
