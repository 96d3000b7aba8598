package h3

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"doorward/internal/safe"
)

// Types of streams of one direction (RFC 9114, section 6.2, and RFC 9204, section 4.2).
const (
	uniControl = 0x0
	uniPush    = 0x1
	uniEncoder = 0x2
	uniDecoder = 0x3
)

// mostSettings bounds a SETTINGS frame.
const mostSettings = 1 << 10

// acceptUni serves the client's streams of one direction until the connection ends.
// Each counts for as long as that: nobody needs more than a few.
func (c *Conn) acceptUni() {
	for {
		q, err := c.q.AcceptUniStream(context.Background())
		if err != nil {
			return
		}
		c.atWork.Add(1)
		safe.Go(c.o.Log, "stream of one direction", func() {
			defer c.atWork.Done()
			var fault *connError
			if err := c.serveUni(q); errors.As(err, &fault) {
				c.fail(fault)
			}
		})
	}
}

func (c *Conn) serveUni(q *quic.ReceiveStream) error {
	in := &input{from: q, b: make([]byte, 64)}
	kind, err := quicvarint.Read(in)
	if err != nil { // ended before it said what it is: nothing was lost
		return nil
	}
	switch {
	case kind == uniPush:
		return &connError{codeStreamCreation, "a push by the client"}
	case kind > uniDecoder: // section 6.2.3
		q.CancelRead(codeStreamCreation)
		return nil
	case !c.first(kind):
		return &connError{codeStreamCreation, "a second stream of its type"}
	case kind == uniControl:
		err = c.readControl(in)
	case kind == uniEncoder:
		err = readEncoder(in)
	default:
		err = in.skip(1 << 62)
	}
	var fault *connError
	if err == io.EOF || err == error(errTruncated) || isReset(err) {
		return &connError{codeClosedCritical, "a stream that must stay open ended"}
	}
	if errors.As(err, &fault) {
		return fault
	}
	return nil // the connection has ended
}

func isReset(err error) bool {
	var e *quic.StreamError
	return errors.As(err, &e)
}

// first tells whether a stream is the first of its type.
func (c *Conn) first(kind uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.seen[kind]
	c.seen[kind] = true
	return !seen
}

// readControl reads the control stream: settings, and then what we have no use for.
func (c *Conn) readControl(in *input) error {
	kind, length, err := in.frame()
	switch {
	case err != nil:
		return err
	case kind != frameSettings:
		return &connError{codeMissingSettings, "settings must come first"}
	case length > mostSettings:
		return &connError{codeExcessiveLoad, "settings without end"}
	}
	b, err := in.take(length)
	if err != nil {
		return err
	}
	if err := checkSettings(b); err != nil {
		return err
	}
	for {
		kind, length, err := in.frame()
		switch {
		case err != nil:
			return err
		case kind == frameGoAway, kind == frameMaxPushID:
		case kind == frameCancelPush:
			return &connError{codeIDError, "a push that was never promised"}
		case kind == frameData, kind == frameHeaders, !onRequests(kind):
			return &connError{codeFrameUnexpected, "a frame that has no place on the control stream"}
		}
		if !c.spendFrame() {
			return nil
		}
		if err := in.skip(length); err != nil {
			return err
		}
	}
}

// spendFrame takes one frame from the budget, and ends the connection if there is none.
func (c *Conn) spendFrame() bool {
	c.mu.Lock()
	ok, opened := c.frames.spend(time.Now()), c.opened
	c.mu.Unlock()
	if !ok {
		c.overdone("frames", opened)
	}
	return ok
}

// checkSettings judges settings, of which we need none. Each may come once, and those of
// HTTP/2 have no place here (section 7.2.4.1).
func checkSettings(b []byte) error {
	seen := map[uint64]bool{}
	for len(b) > 0 {
		id, n, err := quicvarint.Parse(b)
		if err != nil {
			return &connError{codeFrameError, "settings end within a setting"}
		}
		_, m, err := quicvarint.Parse(b[n:])
		if err != nil {
			return &connError{codeFrameError, "settings end within a setting"}
		}
		if seen[id] || id >= 0x2 && id <= 0x5 {
			return &connError{codeSettingsError, "a setting twice, or one of HTTP/2"}
		}
		seen[id] = true
		b = b[n+m:]
	}
	return nil
}

// readEncoder reads the stream of QPACK's encoder. Without a dynamic table it may only
// say that its size is zero (RFC 9204, section 4.3.1).
func readEncoder(in *input) error {
	const capacityZero = 0x20
	for {
		b, err := in.ReadByte()
		if err != nil {
			return err
		}
		if b != capacityZero {
			return &connError{codeEncoderStreamError, "an entry for a table that is not there"}
		}
	}
}
