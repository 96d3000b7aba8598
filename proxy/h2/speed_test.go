package h2_test

import (
	"bytes"
	"net"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// BenchmarkRequests is small requests over loopback, so many at a time on one
// connection. The client's own cost is in the figures.
func BenchmarkRequests(b *testing.B) {
	for name, streams := range map[string]int{"1": 1, "10": 10, "100": 100} {
		b.Run(name, func(b *testing.B) { benchmarkRequests(b, streams) })
	}
}

func benchmarkRequests(b *testing.B, streams int) {
	conn, err := net.Dial("tcp", listen(b, options(), echo))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	var out, block bytes.Buffer
	fr := http2.NewFramer(&out, conn)
	fr.SetReuseFrames()
	out.WriteString(http2.ClientPreface)
	_ = fr.WriteSettings()
	_ = fr.WriteWindowUpdate(0, 1<<30)
	_, _ = conn.Write(out.Bytes())
	encoder := hpack.NewEncoder(&block)
	b.ReportAllocs()
	id := uint32(1)
	for b.Loop() {
		out.Reset()
		for range streams {
			block.Reset()
			for _, f := range []hpack.HeaderField{
				{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"},
				{Name: ":authority", Value: "app.example"}, {Name: ":path", Value: "/index.html"},
				{Name: "user-agent", Value: "benchmark/1.0"}, {Name: "accept", Value: "*/*"},
			} {
				_ = encoder.WriteField(f)
			}
			_ = fr.WriteHeaders(http2.HeadersFrameParam{
				StreamID: id, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true,
			})
			id += 2
		}
		if _, err := conn.Write(out.Bytes()); err != nil {
			b.Fatal(err)
		}
		for ended := 0; ended < streams; {
			f, err := fr.ReadFrame()
			if err != nil {
				b.Fatal(err)
			}
			if d, ok := f.(*http2.DataFrame); ok && d.StreamEnded() {
				ended++
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*streams), "ns/request")
}
