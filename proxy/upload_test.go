package proxy_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"doorward/proxy"
)

// A client that always sends something, but hardly anything, is too slow once
// ten seconds have passed; the time that the server takes is not held against it.
func TestSecurityUploadRate(t *testing.T) {
	const fields = " / HTTP/1.1\r\nHost: a\r\n"
	piece := strings.Repeat("x", 480)
	chunk := strings.Repeat("20\r\n"+strings.Repeat("x", 32)+"\r\n", 8)
	for name, c := range map[string]struct {
		head, piece string
		every       time.Duration // between pieces
		reading     time.Duration // of the server, between reads
		tooSlow     bool
	}{
		"SLOW-04_one_byte_in_5s":     {"Content-Length: 1048576", "x", 5 * time.Second, 0, true},
		"SLOW-04_100_bytes_a_second": {"Content-Length: 1048576", piece[:100], time.Second, 0, true},
		"SLOW-04_quick_enough":       {"Content-Length: 48000", piece, time.Second, 0, false},
		"SLOW-04_slow_server":        {"Content-Length: 8000", piece[:80], 0, time.Second, false},
		"SLOW-11_one_byte_chunks":    {"Transfer-Encoding: chunked", "1\r\nx\r\n", 5 * time.Second, 0, true},
		"SLOW-11_chunk_size_drip":    {"Transfer-Encoding: chunked", "0", 3 * time.Second, 0, true},
		"SLOW-11_quick_chunks":       {"Transfer-Encoding: chunked", chunk, time.Second, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, ours := net.Pipe()
				toServer, server := net.Pipe()
				var all sync.WaitGroup
				all.Go(func() { paced(server, c.reading) })
				all.Go(func() { send(client, c.piece, c.every, strings.Contains(c.head, "chunked")) })
				start := time.Now()
				err := proxy.Upload(ours, toServer, 30*time.Second, "POST"+fields+c.head+"\r\n\r\n")
				took := time.Since(start)
				if slow := err != nil && err.Error() == "body too slow"; slow != c.tooSlow ||
					slow != (err != nil) {
					t.Errorf("the error is %v after %v", err, took)
				}
				if c.tooSlow && (took < 10*time.Second || took > 5*time.Minute) {
					t.Errorf("it took %v", took)
				}
				_, _, _, _ = client.Close(), ours.Close(), toServer.Close(), server.Close()
				all.Wait()
			})
		})
	}
}

// A form that drips in is given up like any other upload: its handler waits for it.
func TestSecurityFormRate(t *testing.T) {
	for name, c := range map[string]struct {
		head, piece string
		every       time.Duration // between pieces
		tooSlow     bool
	}{
		"SLOW-04_one_byte_a_second":     {"Content-Length: 100", "x", time.Second, true},
		"SLOW-11_one_byte_chunks":       {"Transfer-Encoding: chunked", "1\r\nx\r\n", time.Second, true},
		"SLOW-04_quick_enough":          {"Content-Length: 48000", strings.Repeat("x", 480), time.Second, false},
		"SLOW-04_slow_but_soon_through": {"Content-Length: 100", "x", 50 * time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, ours := net.Pipe()
				var all sync.WaitGroup
				all.Go(func() { send(client, c.piece, c.every, strings.Contains(c.head, "chunked")) })
				start := time.Now()
				err := proxy.HandlerBody(ours, 30*time.Second,
					"POST / HTTP/1.1\r\nHost: a\r\n"+c.head+"\r\n\r\n")
				took := time.Since(start)
				if slow := err != nil && err.Error() == "body too slow"; slow != c.tooSlow ||
					slow != (err != nil) || slow && took > 15*time.Second {
					t.Errorf("the error is %v after %v", err, took)
				}
				_, _ = client.Close(), ours.Close()
				all.Wait()
			})
		})
	}
}

// send writes a body of a hundred pieces, or as many as are taken.
func send(to io.Writer, piece string, every time.Duration, chunked bool) {
	var err error
	for n := 0; n < 100 && err == nil; n++ {
		<-time.After(every)
		_, err = io.WriteString(to, piece)
	}
	if chunked && err == nil {
		_, _ = io.WriteString(to, "0\r\n\r\n")
	}
}

// paced reads everything, with pauses.
func paced(from io.Reader, pause time.Duration) {
	for b := make([]byte, 4096); ; <-time.After(pause) {
		if _, err := from.Read(b); err != nil {
			return
		}
	}
}
