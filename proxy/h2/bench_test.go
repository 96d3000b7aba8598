package h2_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"net"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"doorward/internal/safe"
	"doorward/proxy/h2"
)

// answerHead is the head of an answer as a server and the rules of an edge make it.
const answerHead = "HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Mon, 23 Nov 2026 01:02:03 GMT\r\n" +
	"Content-Type: text/plain\r\nContent-Length: 97\r\nETag: \"5f3c-61\"\r\n" +
	"Strict-Transport-Security: max-age=63072000\r\nX-Content-Type-Options: nosniff\r\n" +
	"X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n\r\n"

// BenchmarkAnswers is the cost of requests without a body, the client's share of it
// included, which is small: many requests are one write.
func BenchmarkAnswers(b *testing.B) {
	head, body, large := []byte(answerHead), make([]byte, 97), make([]byte, 32<<10)
	small := func(s *h2.Stream) { _ = s.Answer(head, body, true) }
	b.Run("one_stream", func(b *testing.B) { benchmarkAnswers(b, 1, small) })
	b.Run("hundred_streams", func(b *testing.B) { benchmarkAnswers(b, 100, small) })
	b.Run("mebibyte", func(b *testing.B) {
		b.SetBytes(1 << 20)
		benchmarkAnswers(b, 1, func(s *h2.Stream) {
			err := s.Answer(head, large, false)
			for i := 1; i < 32 && err == nil; i++ {
				err = s.Write(large, i == 31)
			}
		})
	})
}

func benchmarkAnswers(b *testing.B, many int, h h2.Handler) {
	c := dialCheap(b, h)
	b.ReportAllocs()
	for id := uint32(1); b.Loop(); id += 2 {
		c.head(id, true)
		if c.owed == many {
			c.collect()
		}
	}
	c.collect()
}

// BenchmarkUpload is the cost of taking a body of 1 MiB.
func BenchmarkUpload(b *testing.B) {
	c := dialCheap(b, func(s *h2.Stream) {
		buf := make([]byte, 32<<10)
		for err := error(nil); err == nil; {
			_, err = s.Read(buf)
		}
		_ = s.Answer([]byte(answerHead), nil, true)
	})
	data := make([]byte, 16<<10)
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for id := uint32(1); b.Loop(); id += 2 {
		c.head(id, false)
		c.windows = 0
		for i := range 64 { // eight of them are half of the stream's window
			for i%8 == 0 && c.windows < i/8-1 {
				c.flush()
				c.read(id)
			}
			c.frame(http2.FrameData, http2.Flags(i/63), id, data)
		}
		c.collect()
	}
}

// cheap is a client that costs little: it makes its frames by hand, and of what comes
// it looks at little more than the first bytes of frames.
type cheap struct {
	b    *testing.B
	conn net.Conn
	in   *bufio.Reader
	out  []byte
	// first is the block of the first request, later that of all others, which finds
	// everything in the table.
	first, later []byte
	// owed are answers that did not come yet, got bytes of data, windows updates.
	owed, got, windows int
}

func dialCheap(b *testing.B, h h2.Handler) *cheap {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	safe.Go(nil, "serve", func() {
		defer close(done)
		sock, err := l.Accept()
		if err != nil {
			return
		}
		_ = serve(sock, options(), h, func(*h2.Conn) {})
	})
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = conn.Close()
		_ = l.Close()
		<-done
	})
	c := &cheap{b: b, conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	c.first = requestBlock(e, &block)
	c.later = requestBlock(e, &block)
	c.out = append(c.out, http2.ClientPreface...)
	windows := binary.BigEndian.AppendUint16(nil, uint16(http2.SettingInitialWindowSize))
	c.frame(http2.FrameSettings, 0, 0, binary.BigEndian.AppendUint32(windows, 1<<30))
	c.room(1 << 30)
	return c
}

func requestBlock(e *hpack.Encoder, to *bytes.Buffer) []byte {
	to.Reset()
	for _, f := range []hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"},
		{Name: ":authority", Value: "app.example"}, {Name: ":path", Value: "/index.html"},
		{Name: "user-agent", Value: "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"},
		{Name: "accept", Value: "text/html,application/xhtml+xml,*/*;q=0.8"},
		{Name: "accept-encoding", Value: "gzip, deflate, br"},
		{Name: "cookie", Value: "__Host-session=01234567890123456789012345678901"},
	} {
		_ = e.WriteField(f)
	}
	return bytes.Clone(to.Bytes())
}

func (c *cheap) head(id uint32, end bool) {
	flags := http2.FlagHeadersEndHeaders
	if end {
		flags |= http2.FlagHeadersEndStream
	}
	block := c.later
	if id == 1 {
		block = c.first
	}
	c.frame(http2.FrameHeaders, flags, id, block)
	c.owed++
}

func (c *cheap) frame(t http2.FrameType, flags http2.Flags, id uint32, payload []byte) {
	n := len(payload)
	c.out = append(c.out, byte(n>>16), byte(n>>8), byte(n), byte(t), byte(flags))
	c.out = append(binary.BigEndian.AppendUint32(c.out, id), payload...)
}

func (c *cheap) flush() {
	if _, err := c.conn.Write(c.out); err != nil {
		c.b.Fatal(err)
	}
	c.out = c.out[:0]
}

// collect reads until every answer that is owed has come.
func (c *cheap) collect() {
	c.flush()
	for c.owed > 0 {
		c.read(0)
	}
}

// read reads a frame, and counts those that give the stream room.
func (c *cheap) read(id uint32) {
	h, err := c.in.Peek(9)
	if err != nil {
		c.b.Fatal(err)
	}
	n := int(h[0])<<16 | int(h[1])<<8 | int(h[2])
	kind, flags, stream := http2.FrameType(h[3]), http2.Flags(h[4]), binary.BigEndian.Uint32(h[5:])
	if _, err := c.in.Discard(9 + n); err != nil {
		c.b.Fatal(err)
	}
	switch kind {
	case http2.FrameHeaders, http2.FrameData:
		c.owed -= int(flags & http2.FlagDataEndStream)
		if c.got += n; c.got > 1<<29 {
			c.room(c.got)
			c.got = 0
		}
	case http2.FrameWindowUpdate:
		if stream == id {
			c.windows++
		}
	case http2.FrameGoAway, http2.FrameRSTStream:
		c.b.Fatalf("%v on stream %d", kind, stream)
	}
}

// room gives the connection room for more.
func (c *cheap) room(n int) {
	c.frame(http2.FrameWindowUpdate, 0, 0, binary.BigEndian.AppendUint32(nil, uint32(n)))
}
