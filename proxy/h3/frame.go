package h3

import (
	"errors"
	"fmt"
	"io"

	"github.com/quic-go/quic-go/quicvarint"
)

// Types of frames (RFC 9114, section 7.2).
const (
	frameData        = 0x0
	frameHeaders     = 0x1
	frameCancelPush  = 0x3
	frameSettings    = 0x4
	framePushPromise = 0x5
	frameGoAway      = 0x7
	frameMaxPushID   = 0xd
)

// Error codes (RFC 9114, section 8.1, and RFC 9204, section 6).
const (
	codeNoError            = 0x100
	codeInternalError      = 0x102
	codeStreamCreation     = 0x103
	codeClosedCritical     = 0x104
	codeFrameUnexpected    = 0x105
	codeFrameError         = 0x106
	codeExcessiveLoad      = 0x107
	codeIDError            = 0x108
	codeSettingsError      = 0x109
	codeMissingSettings    = 0x10a
	codeRequestRejected    = 0x10b
	codeRequestCancelled   = 0x10c
	codeRequestIncomplete  = 0x10d
	codeMessageError       = 0x10e
	codeDecompression      = 0x200
	codeEncoderStreamError = 0x201
)

// connError is a fault that ends the connection.
type connError struct {
	code   uint64
	reason string
}

// Error tells the code and the reason.
func (e *connError) Error() string { return fmt.Sprintf("%s (%#x)", e.reason, e.code) }

// streamError is a fault that ends a stream.
type streamError struct {
	code   uint64
	reason string
}

// Error tells the code and the reason.
func (e *streamError) Error() string { return fmt.Sprintf("%s (%#x)", e.reason, e.code) }

// input reads a stream of frames through a small buffer.
type input struct {
	from io.Reader
	b    []byte
	r, w int
	end  bool // nothing follows what is in the buffer
}

// fill waits until there is something in the buffer. It is io.EOF at the end.
func (in *input) fill() error {
	if in.r < in.w {
		return nil
	}
	if in.end {
		return io.EOF
	}
	n, err := in.from.Read(in.b)
	in.r, in.w = 0, n
	in.end = err == io.EOF
	if n > 0 {
		return nil
	}
	return err
}

// ended tells whether the end is known and all before it was read.
func (in *input) ended() bool { return in.end && in.r == in.w }

// ReadByte implements io.ByteReader.
func (in *input) ReadByte() (byte, error) {
	if err := in.fill(); err != nil {
		return 0, err
	}
	in.r++
	return in.b[in.r-1], nil
}

// Read implements io.Reader. What is larger than the buffer does not go through it.
func (in *input) Read(p []byte) (int, error) {
	if in.r == in.w && !in.end && len(p) >= len(in.b) {
		n, err := in.from.Read(p)
		if in.end = err == io.EOF; n > 0 {
			err = nil
		}
		return n, err
	}
	if err := in.fill(); err != nil {
		return 0, err
	}
	n := copy(p, in.b[in.r:in.w])
	in.r += n
	return n, nil
}

var errTruncated = &connError{codeFrameError, "stream ends within a frame"}

// whole makes an end that came too early the fault that it is.
func whole(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errTruncated
	}
	return err
}

// frame reads the head of a frame. It is io.EOF where a frame would begin and the
// stream ends.
func (in *input) frame() (kind, length uint64, err error) {
	if err := in.fill(); err != nil {
		return 0, 0, err
	}
	if kind, err = quicvarint.Read(in); err == nil {
		length, err = quicvarint.Read(in)
	}
	return kind, length, whole(err)
}

// skip throws away the rest of a frame.
func (in *input) skip(length uint64) error {
	for length > 0 {
		if err := in.fill(); err != nil {
			return whole(err)
		}
		n := min(uint64(in.w-in.r), length)
		in.r += int(n)
		length -= n
	}
	return nil
}

// take reads the rest of a frame. The room for it grows with what has come.
func (in *input) take(length uint64) ([]byte, error) {
	b := make([]byte, 0, min(length, 1<<10))
	for length > 0 {
		if err := in.fill(); err != nil {
			return nil, whole(err)
		}
		n := min(uint64(in.w-in.r), length)
		b = append(b, in.b[in.r:in.r+int(n)]...)
		in.r += int(n)
		length -= n
	}
	return b, nil
}

// onRequests tells whether a frame may stand on the stream of a request: the others
// belong to the control stream, to pushes that we never allow, or to HTTP/2 (sections
// 7.2.8 and 11.2.1). Frames that nobody knows may stand anywhere.
func onRequests(kind uint64) bool {
	switch kind {
	case 0x2, frameCancelPush, frameSettings, framePushPromise, 0x6, frameGoAway, 0x8, 0x9,
		frameMaxPushID:
		return false
	}
	return true
}
