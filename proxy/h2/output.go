package h2

import (
	"encoding/binary"
	"math"
	"runtime"
	"sync"

	"golang.org/x/net/http2"

	"doorward/internal/safe"
)

const (
	// frameBytes is what stands before the payload of a frame.
	frameBytes = 9
	// pendingBytes is how much may wait to be written before streams with bodies must
	// wait too.
	pendingBytes = 64 << 10
	// smallestFrame is what every peer takes (RFC 9113, section 4.2).
	smallestFrame = 16 << 10
)

// output collects frames until somebody writes them. It is guarded by the lock of its
// connection, but for the write itself.
type output struct {
	buf     []byte  // frames that nobody writes yet
	pooled  *[]byte // what buf was taken from
	writing bool    // somebody is the writer
	err     error   // nothing can be written any more
}

//house:allow global a pool that all connections share, so that idle ones hold no buffer
var outputs = sync.Pool{New: func() any {
	b := make([]byte, 0, 4<<10)
	return &b
}}

// keptOutput is the most that a buffer may hold to be used again.
const keptOutput = 128 << 10

// frame appends a frame's first bytes.
func (o *output) frame(t http2.FrameType, flags http2.Flags, stream uint32, length int) {
	o.take()
	o.buf = append(o.buf, byte(length>>16), byte(length>>8), byte(length), byte(t), byte(flags))
	o.buf = binary.BigEndian.AppendUint32(o.buf, stream)
}

// take makes sure that there is a buffer.
func (o *output) take() {
	if o.pooled == nil {
		o.pooled = outputs.Get().(*[]byte)
		o.buf = (*o.pooled)[:0]
	}
}

// detach hands the frames over to the writer.
func (o *output) detach() (b []byte, pooled *[]byte) {
	b, pooled = o.buf, o.pooled
	o.buf, o.pooled = nil, nil
	return b, pooled
}

func giveOutput(b []byte, pooled *[]byte) {
	if cap(b) <= keptOutput {
		*pooled = b
		outputs.Put(pooled)
	}
}

// full tells whether bodies must wait.
func (o *output) full() bool { return len(o.buf) >= pendingBytes }

// flush is called with the lock held, and returns without it. Unless somebody writes
// already it writes all that there is, also what others append meanwhile.
func (c *Conn) flush() {
	if c.out.claim() {
		c.write(mostWrites)
	} else {
		c.mu.Unlock()
	}
}

// mostWrites is how often the goroutine of a stream writes what others have: then its
// own stream has waited long enough.
const mostWrites = 4

// flushAside is flush for those who must not wait for the client. Above all that is the
// goroutine that reads: a client that waits for us to read may not read itself.
func (c *Conn) flushAside() {
	claimed := c.out.claim()
	c.mu.Unlock()
	if claimed {
		c.writeAside()
	}
}

// writeAside has a goroutine of its own be the writer.
func (c *Conn) writeAside() {
	safe.Go(c.o.Crew.log, "writer", func() {
		c.mu.Lock()
		c.write(math.MaxInt)
	})
}

// claim makes the caller the writer, if there is something to write and nobody does.
func (o *output) claim() bool {
	if o.writing || len(o.buf) == 0 {
		return false
	}
	o.writing = true
	return true
}

// write writes until nothing is left, or leaves the rest to another after that many
// writes. It is called with the lock held and returns without it.
func (c *Conn) write(most int) {
	o := &c.out
	if c.running > 1 { // others that are ready append what they have
		c.mu.Unlock()
		runtime.Gosched()
		c.mu.Lock()
	}
	for ; len(o.buf) > 0 && o.err == nil; most-- {
		if most == 0 {
			c.mu.Unlock()
			c.writeAside()
			return
		}
		b, pooled := o.detach()
		c.room.Broadcast()
		c.turns()
		c.mu.Unlock()
		_, err := c.t.Write(b)
		giveOutput(b, pooled)
		c.mu.Lock()
		if err != nil {
			o.err = err
		}
	}
	o.writing = false
	c.quiet.Broadcast()
	if o.err == nil {
		c.mu.Unlock()
		return
	}
	if o.pooled != nil {
		giveOutput(o.detach())
	}
	c.mu.Unlock()
	c.Abort()
}

// signal wakes who waits on the channel, or will.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// The frames that are written as a whole. All want the lock.

func (c *Conn) putSettings() {
	settings := []http2.Setting{
		{ID: http2.SettingMaxConcurrentStreams, Val: uint32(c.o.Streams)},
		{ID: http2.SettingInitialWindowSize, Val: uint32(c.o.StreamWindow)},
		{ID: http2.SettingMaxHeaderListSize, Val: uint32(c.o.Limits.HeadBytes)},
	}
	if c.o.ExtendedConnect {
		settings = append(settings, http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1})
	}
	c.out.frame(http2.FrameSettings, 0, 0, 6*len(settings))
	for _, s := range settings {
		c.out.buf = binary.BigEndian.AppendUint16(c.out.buf, uint16(s.ID))
		c.out.buf = binary.BigEndian.AppendUint32(c.out.buf, s.Val)
	}
}

func (c *Conn) putWindow(stream uint32, n int) {
	c.out.frame(http2.FrameWindowUpdate, 0, stream, 4)
	c.out.buf = binary.BigEndian.AppendUint32(c.out.buf, uint32(n))
}

func (c *Conn) putReset(stream uint32, code http2.ErrCode) {
	c.out.frame(http2.FrameRSTStream, 0, stream, 4)
	c.out.buf = binary.BigEndian.AppendUint32(c.out.buf, uint32(code))
}

func (c *Conn) putPing(ack bool, data [8]byte) {
	var flags http2.Flags
	if ack {
		flags = http2.FlagPingAck
	}
	c.out.frame(http2.FramePing, flags, 0, len(data))
	c.out.buf = append(c.out.buf, data[:]...)
}

func (c *Conn) putGoAway(last uint32, code http2.ErrCode, reason string) {
	c.out.frame(http2.FrameGoAway, 0, 0, 8+len(reason))
	c.out.buf = binary.BigEndian.AppendUint32(c.out.buf, last)
	c.out.buf = binary.BigEndian.AppendUint32(c.out.buf, uint32(code))
	c.out.buf = append(c.out.buf, reason...)
}

// putHead writes a head that stands as HTTP/1 text.
func (c *Conn) putHead(stream uint32, text []byte, end bool) {
	start := c.beginHead(stream, end)
	c.out.buf = c.encoder.head(c.out.buf, text)
	c.endHead(stream, start)
}

// beginHead leaves room for what stands before the block.
func (c *Conn) beginHead(stream uint32, end bool) (start int) {
	var flags http2.Flags
	if end {
		flags = http2.FlagHeadersEndStream
	}
	c.out.take()
	start = len(c.out.buf)
	c.out.frame(http2.FrameHeaders, flags, stream, 0)
	return start
}

// endHead completes the frame that began at start, and parts a block that is too
// large for one.
func (c *Conn) endHead(stream uint32, start int) {
	b := c.out.buf
	n := len(b) - start - frameBytes
	if n <= smallestFrame {
		b[start], b[start+1], b[start+2] = byte(n>>16), byte(n>>8), byte(n)
		b[start+4] |= byte(http2.FlagHeadersEndHeaders)
		return
	}
	block := append([]byte(nil), b[start+frameBytes+smallestFrame:]...)
	b[start], b[start+1], b[start+2] = smallestFrame>>16, smallestFrame>>8&0xff, 0
	c.out.buf = b[:start+frameBytes+smallestFrame]
	for len(block) > 0 {
		part := block[:min(len(block), smallestFrame)]
		block = block[len(part):]
		var flags http2.Flags
		if len(block) == 0 {
			flags = http2.FlagContinuationEndHeaders
		}
		c.out.frame(http2.FrameContinuation, flags, stream, len(part))
		c.out.buf = append(c.out.buf, part...)
	}
}
