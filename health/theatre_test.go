package health_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"doorward/internal/porttest"
)

// theatre is a server that plays a script to whoever checks it: one word for each
// check. Before it plays the next one it notes what is known after the last. Since
// nobody has two checks under way, that is what the last one led to, whatever the
// clock says.
type theatre struct {
	address string
	tls     *tls.Config // for the word "handshake"
	script  []string
	known   func() view
	stage   net.Listener
	noted   chan []view
	cleanup func(func())
	all     sync.WaitGroup
}

// newTheatre has an address. Checks that come before it opens have to wait.
func newTheatre(t *testing.T, script string) *theatre {
	t.Helper()
	l, err := net.Listen("tcp", porttest.Address(t))
	if err != nil {
		t.Fatal(err)
	}
	return &theatre{
		address: l.Addr().String(), script: strings.Fields(script),
		stage: l, noted: make(chan []view, 1), cleanup: t.Cleanup,
	}
}

// open begins the play; known tells what the checker knows.
func (s *theatre) open(known func() view) {
	s.known = known
	s.all.Go(func() { s.noted <- s.play() })
	s.cleanup(func() {
		_ = s.stage.Close()
		s.all.Wait()
	})
}

// notes waits for the end and returns what was known after each word.
func (s *theatre) notes(t *testing.T) []view {
	t.Helper()
	select {
	case all := <-s.noted:
		if len(all) < len(s.script) {
			t.Fatalf("the play ended after %d of %d checks", len(all), len(s.script))
		}
		return all
	case <-time.After(time.Minute):
		t.Fatal("the checks do not come to the end of the script")
		return nil
	}
}

func (s *theatre) play() (notes []view) {
	for i := 0; ; i++ {
		c, err := s.stage.Accept()
		if err != nil {
			return notes
		}
		if len(notes) < i {
			notes = append(notes, s.known())
		}
		if i == len(s.script) {
			_ = c.Close()
			return notes
		}
		if s.script[i] != "refused" {
			s.all.Go(func() { s.act(c, s.script[i]) })
			continue
		}
		notes = append(notes, s.refuse(c))
	}
}

// refuse is not there for as many checks as it takes to be down: how many there
// are meanwhile is the checker's, and makes no difference to what it knows then.
func (s *theatre) refuse(c net.Conn) (known view) {
	_ = s.stage.Close()
	_ = c.Close()
	within(20*time.Second, func() bool {
		known = s.known()
		return known.Status == "DOWN" && known.Outcome == "L4CON"
	})
	stage, err := net.Listen("tcp", s.address)
	if err != nil {
		return known
	}
	s.stage = stage
	return known
}

// act does what the word says, and ends with the connection.
func (s *theatre) act(c net.Conn, word string) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	switch word {
	case "handshake":
		_ = tls.Server(c, s.tls).Handshake()
		return
	case "hang":
		_, _ = io.Copy(io.Discard, c)
		return
	case "close":
		_, _ = c.Read(make([]byte, 4096))
		return
	case "reset":
		_, _ = c.Read(make([]byte, 4096))
		_ = c.(*net.TCPConn).SetLinger(0)
		return
	case "garbage":
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, "220 ready when you are\r\n\r\n")
		return
	}
	if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
		return
	}
	_, _ = io.WriteString(c, map[string]string{
		"half":  "HTTP/1.1 200 OK\r\nServer: theatre\r\n",
		"other": "HTTP/1.1 200 OK\r\nX-Ready: no\r\nContent-Length: 7\r\n\r\ngoodbye",
		"200":   "HTTP/1.1 200 OK\r\nX-Ready: yes\r\nContent-Length: 5\r\n\r\nhello",
		"204":   "HTTP/1.1 204 No Content\r\n\r\n",
	}[word])
	if len(word) == 3 && word != "200" && word != "204" {
		_, _ = fmt.Fprintf(c, "HTTP/1.1 %s Some Phrase\r\nContent-Length: 5\r\n\r\nsorry", word)
	}
}

// requested sends requests through a HAProxy to a server that deals with them by
// the script, and returns what HAProxy knows of it after each one.
func requested(t *testing.T, script, observe string) (notes []view) {
	t.Helper()
	checked := serve(t, answers("HTTP/1.1 200 OK\r\n\r\n"))
	words := make(chan string, 1)
	stage := &theatre{}
	server := serve(t, func(c net.Conn) { stage.act(c.(counting).Conn, <-words) })
	front := filepath.Join(t.TempDir(), "f")
	h := startHAProxy(t, fmt.Sprintf("frontend f\n bind %s\n default_backend app\n"+
		"backend app\n option httpchk\n http-reuse never\n retries 0\n"+
		" server s1 %s check port %d inter 1h %s\n",
		front, server.Addr(), checked.Addr().(*net.TCPAddr).Port, observe))
	if !within(10*time.Second, func() bool { return h.view(t, "app").Outcome == "L7OK" }) {
		t.Fatal("HAProxy's check of the server does not succeed")
	}
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", front)
		},
	}}
	for _, word := range strings.Fields(script) {
		down := h.view(t, "app").Status == "DOWN"
		if !down {
			words <- word
		}
		answer, err := client.Get("http://app.example/")
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		notes = append(notes, h.view(t, "app"))
	}
	return notes
}
