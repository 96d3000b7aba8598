package h3

import (
	"time"

	"go.uber.org/zap"

	"doorward/proxy/h1"
)

// Handler answers a stream, in a goroutine of its own. When it returns the stream is
// over: one without a whole answer is reset.
type Handler func(*Stream)

// Options of a connection. They do not change.
type Options struct {
	// Log gets panics of handlers; nil is standard error.
	Log *zap.Logger
	// Limits bound a head. Its size is counted after decompression, with 32 bytes more
	// for each field (RFC 9114, section 4.2.2).
	Limits h1.Limits
	// Head bounds a head, from the first packet of its stream. KeepAlive bounds the time
	// without any stream. Idle bounds the client's silence in a stream until the stream
	// is told another limit. 0 is no bound.
	Head, KeepAlive, Idle time.Duration
	// Report is told when a client is cut off for asking too much that leads to nothing;
	// nil is nobody.
	Report func(Event)
}

// Event is the end of a connection whose client overdid something.
type Event struct {
	// Budget is what was used up: "resets" or "frames".
	Budget string
	// Streams is how many the client had opened.
	Streams int
}

// What costs us and gains an honest client nothing is bounded for each connection, far
// above what browsers do. Work that a client gets done earns it more.
const (
	// resetBurst and resetRate bound the streams that a client gives up before they are
	// answered, or breaks the rules on; a whole answer earns half of one.
	resetBurst, resetRate = 200, 20
	// frameBurst and frameRate bound the frames of the control stream that we have no use
	// for; each request earns two, since some clients send one with each.
	frameBurst, frameRate = 300, 10
)

// purse is what is left of a budget: burst at once, and rate more each second.
type purse struct {
	burst, rate, left float64
	at                time.Time
}

func newPurse(burst, rate float64) purse { return purse{burst: burst, rate: rate, left: burst} }

// spend takes one, and tells whether there was one.
func (p *purse) spend(now time.Time) bool {
	if p.left < 1 {
		if !p.at.IsZero() {
			p.left = min(p.burst, p.left+now.Sub(p.at).Seconds()*p.rate)
		}
		p.at = now
	}
	if p.left < 1 {
		return false
	}
	p.left--
	return true
}

func (p *purse) earn(n float64) { p.left = min(p.burst, p.left+n) }
