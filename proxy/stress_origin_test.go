package proxy_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The ways in which the servers of the stress test answer.
const (
	byLength   = "length"
	inChunks   = "chunks"
	untilClose = "close"
	early      = "early"     // without reading the request's body
	noAnswer   = "none"      // the connection ends instead
	broken     = "broken"    // half of the body, then a reset
	leaving    = "leaving"   // whole, and the connection ends without notice
	poisoned   = "poisoned"  // whole, with an answer behind it that nobody asked for
	hinted     = "hinted"    // behind two 103s
	bodiless   = "not-found" // 304, with a length
	upgrade    = "upgrade"   // a tunnel that echoes
)

var answerModes = []string{byLength, byLength, inChunks, untilClose, early, noAnswer, broken,
	leaving, poisoned, hinted, bodiless}

// stressText is what bodies are cut from.
var stressText = sync.OnceValue(func() []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 1<<20)
	for i := range b {
		b[i] = byte('a' + r.IntN(26))
	}
	return b
})

// bodyOf is the body that belongs to a token: cut off at another place for
// another token. It is not to be changed.
func bodyOf(token string, size int) []byte {
	at := crc32.ChecksumIEEE([]byte(token)) % (512 << 10)
	return stressText()[at : int(at)+size]
}

func sumOf(b []byte) string { return fmt.Sprintf("%d-%08x", len(b), crc32.ChecksumIEEE(b)) }

// serveStress answers /TOKEN?mode=M&size=N in one of the ways above, with the
// token, its body, and the sum of what it received.
func serveStress(w http.ResponseWriter, r *http.Request) {
	token, mode := strings.TrimPrefix(r.URL.Path, "/"), r.URL.Query().Get("mode")
	size, _ := strconv.Atoi(r.URL.Query().Get("size"))
	body := bodyOf(token, size)
	w.Header().Set("X-Token", token)
	if mode != early && mode != upgrade {
		got, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("X-Got", sumOf(got))
	}
	switch mode {
	case byLength, early:
		w.Header().Set("Content-Length", strconv.Itoa(size))
		pieces(w, body, 40<<10)
	case inChunks:
		w.Header().Set("Trailer", "X-Sum")
		pieces(w, body, 7000)
		w.Header().Set("X-Sum", sumOf(body))
	case hinted:
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusEarlyHints)
		pieces(w, body, len(body)+1)
	case bodiless:
		w.Header().Set("Etag", `"x"`)
		w.WriteHeader(http.StatusNotModified)
	case noAnswer:
		panic(http.ErrAbortHandler)
	default:
		byHand(w, r, mode, body)
	}
}

// pieces writes the body in parts, of which some come late.
func pieces(w http.ResponseWriter, body []byte, size int) {
	for i := 0; len(body) > 0; i++ {
		n := min(size, len(body))
		_, _ = w.Write(body[:n])
		if body = body[n:]; len(body) > 0 {
			w.(http.Flusher).Flush()
			if i%8 == 0 {
				<-time.After(time.Millisecond)
			}
		}
	}
}

// byHand does what net/http would not do.
func byHand(w http.ResponseWriter, r *http.Request, mode string, body []byte) {
	token, got := w.Header().Get("X-Token"), w.Header().Get("X-Got")
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	head := "HTTP/1.1 200 OK\r\nX-Token: " + token + "\r\nX-Got: " + got + "\r\n"
	length := "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
	if r.Method == http.MethodHead {
		body = nil
	}
	switch mode {
	case untilClose:
		_, _ = c.Write(append([]byte(head+"\r\n"), body...))
	case leaving:
		_, _ = c.Write(append([]byte(head+length), body...))
	case poisoned:
		whole := append([]byte(head+length), body...)
		_, _ = c.Write(append(whole, "HTTP/1.1 200 OK\r\nX-Token: poison\r\nContent-Length: 0\r\n\r\n"...))
		_, _ = c.Read(make([]byte, 1)) // until the edge gives it up
	case broken:
		_, _ = c.Write(append([]byte(head+length), body[:len(body)/2]...))
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
	case upgrade:
		echoTunnel(c, rw.Reader, r.Header.Get("Sec-WebSocket-Key"))
	}
}

func echoTunnel(c net.Conn, r *bufio.Reader, key string) {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Accept: "+
		base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n")
	_, _ = io.Copy(c, r)
}
