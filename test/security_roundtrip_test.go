package test_test

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"doorward/internal/edgetest"
)

// TestSecurityAnswersOfHTTP2 has servers of HTTP/2 say what would frame an answer of
// HTTP/1 in another way than theirs.
func TestSecurityAnswersOfHTTP2(t *testing.T) {
	t.Run("RS-09_length_and_coding", func(t *testing.T) {
		answers := [][]string{
			{"content-length: 5, 6"}, {"content-length: 5", "content-length: 6"},
			{"content-length: +5"}, {"content-length: x"}, {"content-length: 05x"},
			{"transfer-encoding: chunked"}, {"transfer-encoding: chunked", "content-length: 5"},
			{"connection: close"}, {"connection: x-secret", "x-secret: 1"}, {"keep-alive: timeout=9"},
			{"proxy-connection: close"}, {"upgrade: h2c"}, {"te: gzip"}, {"transfer_encoding: chunked"},
			{"content_length: 3"}, {"x-a: b\r\nset-cookie: c=d"}, {"x-a\r\nset-cookie: c=d"},
			{"x-a: \x00"}, {"X-Upper: 1"}, {"x a: 1"}, {"content-length: 3"}, {"content-length: 9"},
			{"content-length: 99999999999999999999"}, {"content-length: -5"}, {"trailer: content-length"},
		}
		url := framed(t, func(f *peerFrames, id uint32) {
			var n int
			_, _ = fmt.Sscan(f.bodies[id], &n)
			f.head(id, false, append([]string{":status: 200"}, answers[n]...)...)
			_ = f.WriteData(id, false, []byte("hello"))
			f.head(id, true, "x-t: 1", "content-length: 3", "transfer-encoding: chunked", "set-cookie: t=1")
		})
		e := edgetest.Start(t, edgetest.Config{Text: fmt.Sprintf("[backends.app]\nservers = [%q]\nretries = 0\n", url) + site})
		for n, lines := range answers {
			c := e.Dial(t)
			m, err := c.Send(sized(fmt.Sprint(n))).TryAnswer("POST")
			switch {
			case m == nil:
				t.Errorf("%q: %v", lines, err)
				continue
			case m.Status != 502 && (m.Status != 200 || m.Body != "hello" && err == nil):
				t.Errorf("%q: %d %q, %v", lines, m.Status, m.Body, err)
			}
			for _, name := range []string{"Set-Cookie", "Keep-Alive", "Proxy-Connection", "Upgrade", "TE",
				"Transfer_Encoding", "Content_Length"} {
				if v := m.Values(name); len(v) > 0 && m.Status == 200 {
					t.Errorf("%q: the client gets %s %q", lines, name, v)
				}
			}
			if m.Chunked && m.Length >= 0 {
				t.Errorf("%q: two framings: %q", lines, m.Raw)
			}
			if fmt.Sprint(m.Trailers) != "[]" && fmt.Sprint(m.Trailers) != "[{X-T 1}]" {
				t.Errorf("%q: trailers %q", lines, m.Trailers)
			}
		}
	})
	t.Run("H2-37_max_frame_size_0", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var running sync.WaitGroup
		running.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				running.Go(func() {
					defer c.Close()
					f := http2.NewFramer(c, nil)
					_ = f.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize})
					_, _ = io.Copy(io.Discard, c)
				})
			}
		})
		t.Cleanup(func() { _ = l.Close(); running.Wait() })
		e := edgetest.Start(t, edgetest.Config{
			Text: fmt.Sprintf("[backends.app]\nservers = [\"h2c://%s\"]\nretries = 0\n", l.Addr()) + site,
		})
		if m := e.Dial(t).Send(sized("hello")).Answer(); m.Status != 502 {
			t.Errorf("answer %+v", m)
		}
	})
}
