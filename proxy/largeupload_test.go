package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// sinkAll reads requests with their bodies whole, and answers in the moment it
// has the last byte.
func sinkAll(c net.Conn) {
	defer c.Close()
	br := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Read: %d\r\n\r\n", n)
	}
}

// The answer to a large upload may be here before the goroutine that moved it
// has said that it is done. That must not be taken for an answer that came
// early, which would cost the connection.
func TestLargeUploadsKeepTheConnection(t *testing.T) {
	const size = 1 << 20
	head := fmt.Sprintf("POST / HTTP/1.1\r\nHost: app.example\r\nContent-Length: %d\r\n\r\n", size)
	request := append([]byte(head), bytes.Repeat([]byte("0123456789abcdef"), size/16)...)
	server := listen(t, sinkAll)
	var all sync.WaitGroup
	for range 4 {
		c := steadyEdge(t, server)
		all.Go(func() {
			br := bufio.NewReader(c)
			for i := range 50 {
				if _, err := c.Write(request); err != nil {
					t.Errorf("upload %d: %v", i, err)
					return
				}
				res, err := http.ReadResponse(br, nil)
				if err != nil {
					t.Errorf("upload %d: %v", i, err)
					return
				}
				if res.Close || res.Header.Get("X-Read") != fmt.Sprint(size) {
					t.Errorf("upload %d: close %v, %v", i, res.Close, res.Header)
					return
				}
			}
		})
	}
	all.Wait()
}
