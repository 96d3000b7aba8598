package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// order is one request of the stress test and what may become of it.
type order struct {
	token, method, mode, host string
	size                      int
	body                      []byte
	chunked, expect, last     bool
	http10, negotiate         bool
}

var stressMethods = []string{"GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE"}

// newOrder makes up a request.
func newOrder(r *rand.Rand, token string) *order {
	o := &order{
		token: token, method: stressMethods[r.IntN(len(stressMethods))],
		mode: answerModes[r.IntN(len(answerModes))], size: stressSize(r),
		host:      string(rune('a'+r.IntN(3))) + ".example",
		last:      r.IntN(8) == 0,
		http10:    r.IntN(12) == 0,
		negotiate: r.IntN(25) == 0,
	}
	if o.method == "POST" || o.method == "PUT" {
		o.body = bodyOf("up"+token, stressSize(r))
		o.chunked = !o.http10 && r.IntN(2) == 0
		o.expect = !o.http10 && (o.chunked || len(o.body) > 0) && r.IntN(5) == 0
	}
	return o
}

func stressSize(r *rand.Rand) int {
	switch r.IntN(6) {
	case 0:
		return 0
	case 1:
		return 130<<10 + r.IntN(300<<10)
	case 2:
		return r.IntN(60 << 10)
	}
	return r.IntN(2000)
}

// head and wire are what goes out for it, body apart.
func (o *order) head() string {
	version := "1.1"
	if o.http10 {
		version = "1.0"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s /%s?mode=%s&size=%d HTTP/%s\r\nHost: %s\r\n",
		o.method, o.token, o.mode, o.size, version, o.host)
	if o.last {
		b.WriteString("Connection: close\r\n")
	}
	if o.negotiate {
		b.WriteString("Authorization: Negotiate abc\r\n")
	}
	if o.expect {
		b.WriteString("Expect: 100-continue\r\n")
	}
	switch {
	case o.chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n")
	case o.body != nil:
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(o.body))
	}
	return b.String() + "\r\n"
}

func (o *order) wire(r *rand.Rand) []byte {
	if !o.chunked {
		return o.body
	}
	var b bytes.Buffer
	for rest := o.body; len(rest) > 0; {
		n := min(1+r.IntN(20<<10), len(rest))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
		rest = rest[n:]
	}
	b.WriteString("0\r\n")
	if r.IntN(3) == 0 {
		b.WriteString("X-Trailer: t\r\n")
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// follows tells whether another request may be sent behind it at once.
func (o *order) follows() bool { return !o.last && !o.http10 && !o.expect }

// harmless says that the request could be sent again, so that nothing but its
// own server's misconduct is an excuse for an error.
func (o *order) harmless() bool { return o.body == nil }

// excused tells whether the edge may answer with an error of its own.
func (o *order) excused() bool { return o.mode == noAnswer || !o.harmless() }

// mayBreak tells whether the answer may break off.
func (o *order) mayBreak() bool {
	return o.mode == broken || o.mode == early && len(o.body) > 0
}

// check compares a whole answer with what it must be.
func (o *order) check(res *http.Response, body []byte) error {
	switch {
	case res.Header.Get("X-Token") == "" && res.StatusCode >= 502 && o.excused():
		return nil
	case res.Header.Get("X-Token") != o.token:
		return fmt.Errorf("status %d with the token %q", res.StatusCode, res.Header.Get("X-Token"))
	}
	if got := res.Header.Get("X-Got"); o.mode != early && got != sumOf(o.body) {
		return fmt.Errorf("the server got %s, sent was %s", got, sumOf(o.body))
	}
	want := bodyOf(o.token, o.size)
	switch {
	case o.method == "HEAD", o.mode == bodiless:
		want = nil
	case o.mode == broken && len(want) > 1:
		return errors.New("a broken answer came whole")
	case o.mode == inChunks && !o.http10 && len(want) > 7000 && res.Trailer.Get("X-Sum") != sumOf(want):
		return fmt.Errorf("trailers are %v", res.Trailer)
	}
	if !bytes.Equal(body, want) {
		return fmt.Errorf("body of %d bytes, %s, want %s", len(body), sumOf(body), sumOf(want))
	}
	return nil
}

// stressClient is one client: a connection at a time, orders one after the
// other.
type stressClient struct {
	r      *rand.Rand
	name   string
	dial   func() (net.Conn, error)
	orders int
	done   int // answered as they should be
}

func (s *stressClient) order() *order {
	s.orders++
	return newOrder(s.r, fmt.Sprintf("%s-%d", s.name, s.orders))
}

// session is the life of one connection.
func (s *stressClient) session() error {
	c, err := s.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(stressPatience))
	br := bufio.NewReader(c)
	if s.r.IntN(6) == 0 {
		return s.tunnel(c, br)
	}
	for range 1 + s.r.IntN(6) {
		batch := []*order{s.order()}
		for s.r.IntN(3) == 0 && batch[len(batch)-1].follows() {
			if o := s.order(); !o.expect {
				batch = append(batch, o)
			}
		}
		if s.r.IntN(10) == 0 {
			s.giveUp(c, br, batch)
			return nil
		}
		if more, err := s.exchange(c, br, batch); err != nil || !more {
			return err
		}
	}
	return nil
}

// giveUp leaves in the middle of a request or of its answer.
func (s *stressClient) giveUp(c net.Conn, br *bufio.Reader, batch []*order) {
	var all []byte
	for _, o := range batch {
		all = append(append(all, o.head()...), o.wire(s.r)...)
	}
	all = all[:s.r.IntN(len(all))+1]
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = c.Write(all)
	}()
	if s.r.IntN(2) == 0 {
		<-time.After(time.Duration(s.r.IntN(3000)) * time.Microsecond)
	}
	switch s.r.IntN(3) {
	case 0:
		if t, ok := c.(interface{ CloseWrite() error }); ok {
			_ = t.CloseWrite()
			_, _ = io.Copy(io.Discard, br)
		}
	case 1:
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
	}
	_ = c.Close()
	<-sent
}

// exchange sends a batch in one go and reads its answers. More tells whether the
// connection goes on.
func (s *stressClient) exchange(c net.Conn, br *bufio.Reader, batch []*order) (more bool, err error) {
	all := []byte(batch[0].head())
	body := batch[0].wire(s.r)
	for _, o := range batch[1:] {
		body = append(append(slices.Clip(body), o.head()...), o.wire(s.r)...)
	}
	goOn, sent := make(chan bool, 1), make(chan struct{})
	go func() {
		defer close(sent)
		if batch[0].expect {
			if _, err := c.Write(all); err != nil || !<-goOn {
				return
			}
			all = nil
		}
		_, _ = c.Write(append(all, body...)) // that the edge closes early shows below
	}()
	defer func() {
		if !more || err != nil {
			_ = c.Close()
		}
		select {
		case goOn <- false:
		default:
		}
		<-sent
	}()
	for i, o := range batch {
		more, err = s.answer(br, o, goOn)
		if err != nil || !more {
			return false, err
		}
		if o.expect && i == 0 && len(goOn) > 0 {
			return false, errors.New("connection goes on without the body")
		}
	}
	return true, nil
}

// answer reads the answer to one order.
func (s *stressClient) answer(br *bufio.Reader, o *order, goOn chan bool) (more bool, err error) {
	complain := func(err error) error { return fmt.Errorf("%+v: %w", o.head(), err) }
	for {
		res, err := http.ReadResponse(br, &http.Request{Method: o.method})
		if err != nil {
			if o.mayBreak() && !errors.Is(err, errTimedOut) || isReset(err) && o.body != nil {
				return false, nil
			}
			return false, complain(err)
		}
		if res.StatusCode < 200 {
			if res.StatusCode == http.StatusContinue {
				select {
				case goOn <- true:
				default:
				}
			}
			continue
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			if o.mayBreak() {
				return false, nil
			}
			return false, complain(fmt.Errorf("after %d bytes: %w", len(body), err))
		}
		if err := o.check(res, body); err != nil {
			return false, complain(err)
		}
		s.done++
		return !res.Close, nil
	}
}

// tunnel upgrades and expects its bytes back.
func (s *stressClient) tunnel(c net.Conn, br *bufio.Reader) error {
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	s.orders++
	data := bodyOf(fmt.Sprintf("%s-%d", s.name, s.orders), stressSize(s.r))
	fmt.Fprintf(c, "GET /tunnel?mode=upgrade HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", key)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = c.Write(data)
		if t, ok := c.(interface{ CloseWrite() error }); ok {
			_ = t.CloseWrite()
		}
	}()
	defer func() {
		_ = c.Close()
		<-sent
	}()
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		return fmt.Errorf("upgrade: %w", err)
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("upgrade: %s", res.Status)
	}
	if s.r.IntN(4) == 0 {
		return nil // gone without a word
	}
	got, err := io.ReadAll(br)
	if err != nil || !bytes.Equal(got, data) {
		return fmt.Errorf("tunnel: %s came back of %s: %w", sumOf(got), sumOf(data), err)
	}
	s.done++
	return nil
}

// dialStress connects to the engine, over TLS where that is asked for.
func dialStress(address string, secure bool) (net.Conn, error) {
	c, err := net.Dial("tcp", address)
	if err != nil || !secure {
		return c, err
	}
	t := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	_ = c.SetDeadline(time.Now().Add(stressPatience))
	if err := t.Handshake(); err != nil {
		_ = c.Close()
		return nil, err
	}
	return t, nil
}
