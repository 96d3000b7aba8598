package h3

import (
	"bytes"
	"strings"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go/quicvarint"

	"doorward/proxy/h1"
)

// together is how much of a body goes out in one write with its head.
const together = 16 << 10

// Answer sends a head, given as HTTP/1 has it, and the first part of the body with it.
// Heads of 1xx may come before the final one. It returns when the bytes are on their
// way, or waits as Write does; data may be used again then.
func (s *Stream) Answer(head, data []byte, end bool) error {
	if s.ended {
		return errEnded
	}
	b := appendFrame(s.out[:0], frameHeaders, encodeHead(head))
	if len(data) > 0 {
		b = appendFrameHead(b, frameData, len(data))
	}
	apart := len(data) > together
	if !apart {
		b = append(b, data...)
	}
	s.out = b
	if err := s.send(b); err != nil {
		return err
	}
	if apart {
		if err := s.send(data); err != nil {
			return err
		}
	}
	return s.finishBody(end)
}

// Write sends more of the body, and waits while the client takes no more. The error
// is ErrGone, or ErrTimeout when nothing moved for too long, which resets the stream.
func (s *Stream) Write(data []byte, end bool) error {
	if s.ended {
		return errEnded
	}
	if len(data) > 0 {
		s.out = appendFrameHead(s.out[:0], frameData, len(data))
		if len(data) <= together {
			s.out = append(s.out, data...)
			data = nil
		}
		if err := s.send(s.out); err != nil {
			return err
		}
		if err := s.send(data); err != nil {
			return err
		}
	}
	return s.finishBody(end)
}

// End sends the trailers, which end the answer.
func (s *Stream) End(trailers []h1.Field) error {
	if s.ended {
		return errEnded
	}
	var block bytes.Buffer
	e := qpack.NewEncoder(&block)
	for i := range trailers {
		encode(e, trailers[i].Name, trailers[i].Value)
	}
	s.out = appendFrame(s.out[:0], frameHeaders, block.Bytes())
	if err := s.send(s.out); err != nil {
		return err
	}
	return s.finishBody(true)
}

// finishBody ends our half of the stream, if this was the end.
func (s *Stream) finishBody(end bool) error {
	if !end {
		return nil
	}
	s.ended = true
	if s.q.Close() != nil {
		return ErrGone
	}
	return nil
}

// send writes all of b. As long as something moves the client is not too slow.
func (s *Stream) send(b []byte) error {
	for len(b) > 0 {
		var until time.Time
		if s.writeIdle > 0 {
			until = time.Now().Add(s.writeIdle)
		}
		_ = s.q.SetWriteDeadline(until) // has no way to fail
		n, err := s.q.Write(b)
		b = b[n:]
		switch {
		case err == nil, isTimeout(err) && n > 0:
		case isTimeout(err):
			s.cancel(codeRequestCancelled)
			return ErrTimeout
		default:
			return ErrGone
		}
	}
	return nil
}

func appendFrameHead(b []byte, kind uint64, length int) []byte {
	return quicvarint.Append(quicvarint.Append(b, kind), uint64(length))
}

func appendFrame(b []byte, kind uint64, payload []byte) []byte {
	return append(appendFrameHead(b, kind, len(payload)), payload...)
}

// encodeHead makes a section of fields of an HTTP/1 head.
func encodeHead(head []byte) []byte {
	var block bytes.Buffer
	e := qpack.NewEncoder(&block)
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	_ = e.WriteField(qpack.HeaderField{Name: ":status", Value: string(statusOf(line))})
	for {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, ok := bytes.Cut(line, []byte(": "))
		if !ok {
			name, value, ok = bytes.Cut(line, []byte(":"))
		}
		if !ok {
			return block.Bytes()
		}
		encode(e, name, value)
	}
}

// statusOf is the status of a status line, "HTTP/1.1 200 OK".
func statusOf(line []byte) []byte {
	const from, to = len("HTTP/1.1 "), len("HTTP/1.1 200")
	return line[from:to]
}

// encode writes a field, unless it belongs to a connection of HTTP/1 (RFC 9114, section
// 4.2).
func encode(e *qpack.Encoder, name, value []byte) {
	lower := strings.ToLower(string(name))
	switch lower {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return
	}
	// A buffer in memory takes all.
	_ = e.WriteField(qpack.HeaderField{Name: lower, Value: string(value)})
}
