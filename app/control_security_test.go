package app_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestSecurityOfTheControlSocket(t *testing.T) {
	t.Run("ADM-05 unix socket rights", testControlRights)
	t.Run("ADM-05 others at the path", testControlPathTaken)
	t.Run("ADM-05 the kernel says who asks", testControlCaller)
	t.Run("ADM-06 long lines", testControlLongLines)
	t.Run("ADM-06 what is no request", testControlNoise)
	t.Run("ADM-06 large bodies", testControlLargeBodies)
	t.Run("ADM-06 half requests", testControlHalfRequests)
	t.Run("ADM-06 1,000 connections", testControlManyConnections)
	t.Run("DOS-14 nested JSON", testControlNestedJSON)
}

// testControlRights looks at all that others on the machine could use.
func testControlRights(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	folder := filepath.Join(shortDir(t), "run")
	start(t, withControl(t, filepath.Join(folder, "sock")))
	if got := mode(t, filepath.Join(folder, "sock")); got.Perm()&0o007 != 0 {
		t.Errorf("the socket has mode %v: others may connect", got)
	}
	if got := mode(t, folder); got.Perm()&0o007 != 0 {
		t.Errorf("the folder has mode %v: others may enter", got)
	}
}

// testControlPathTaken puts things of others at the path: none may be followed,
// replaced or changed.
func testControlPathTaken(t *testing.T) {
	dir := shortDir(t)
	victim := filepath.Join(dir, "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o640); err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(dir, "dead")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	for name, prepare := range map[string]func(path string) error{
		"a link to a file":          func(p string) error { return os.Symlink(victim, p) },
		"a link to a dead socket":   func(p string) error { return os.Symlink(dead, p) },
		"a link to nothing":         func(p string) error { return os.Symlink(dir+"/none", p) },
		"a folder":                  func(p string) error { return os.Mkdir(p, 0o700) },
		"a pipe that nobody writes": func(p string) error { return syscall.Mkfifo(p, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(shortDir(t), "sock")
			if err := prepare(path); err != nil {
				t.Fatal(err)
			}
			before := mode(t, path)
			err := newEdge(t, withControl(t, path)).Start()
			if err == nil || !strings.Contains(err.Error(), "not a socket") {
				t.Errorf("Start: %v", err)
			}
			if after := mode(t, path); after != before {
				t.Errorf("mode %v became %v", before, after)
			}
		})
	}
	if text, err := os.ReadFile(victim); string(text) != "precious" || mode(t, victim) != 0o640 {
		t.Errorf("the file has %q and mode %v (%v)", text, mode(t, victim), err)
	}
	if got := mode(t, dead).Type(); got != fs.ModeSocket {
		t.Errorf("what a link led to is %v", got)
	}
}

// testControlCaller claims to be somebody else in every place there is.
func testControlCaller(t *testing.T) {
	s := steer(t, "")
	conn := s.connect(t)
	fmt.Fprint(conn, "POST /servers/app/web1/state?by=god HTTP/1.1\r\nHost: god\r\n"+
		"User: god\r\nX-Forwarded-For: god\r\nForwarded: for=god\r\nX-Real-Ip: god\r\n"+
		"Authorization: Basic Z29kOmdvZA==\r\nContent-Length: 17\r\n\r\n{\"state\":\"drain\"}")
	if r, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || r.StatusCode != 200 {
		t.Fatalf("drain: %v, %v", r, err)
	}
	if got := s.server(t, "web1").AdminBy; got != asker(t) {
		t.Errorf("%q asked, it says %q", asker(t), got)
	}
	if got := s.lines("server administered"); len(got) != 1 || got[0]["by"] != asker(t) {
		t.Errorf("the log says %v", got)
	}
}

// connect is a bare connection to the control socket.
func (s steered) connect(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", s.Socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(3 * patience))
	return conn
}

// answers wants the instance to answer at the socket as ever.
func (s steered) answers(t *testing.T) {
	t.Helper()
	if _, err := s.Version(s.ctx); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// testControlLongLines sends a gigabyte where a line belongs, or tries to.
func testControlLongLines(t *testing.T) {
	s := steer(t, "")
	for name, begin := range map[string]string{
		"request line": "GET /",
		"method":       "",
		"header":       "GET /version HTTP/1.1\r\nHost: control\r\nX: ",
		"many headers": "GET /version HTTP/1.1\r\nHost: control\r\n",
	} {
		conn := s.connect(t)
		chunk := bytes.Repeat([]byte("a"), 64<<10)
		if name == "many headers" {
			chunk = bytes.Repeat([]byte("A: b\r\n"), 10<<10)
		}
		sent, err := io.WriteString(conn, begin)
		for err == nil && sent < 1<<30 {
			var n int
			n, err = conn.Write(chunk)
			sent += n
		}
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || sent > 4<<20 {
			t.Errorf("%s: %d bytes were taken, %v", name, sent, err)
		}
	}
	s.answers(t)
}

func testControlNoise(t *testing.T) {
	s := steer(t, "")
	for name, text := range map[string]string{
		"NUL in the line":   "GET /ver\x00sion HTTP/1.1\r\nHost: control\r\n\r\n",
		"NUL in a header":   "GET /version HTTP/1.1\r\nHost: con\x00trol\r\n\r\n",
		"NUL alone":         "\x00\x00\x00\x00\r\n\r\n",
		"HAProxy's command": "show servers state; disable server app/web1\n",
		"TLS":               "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
		"two lengths": "POST /reload HTTP/1.1\r\nHost: c\r\nContent-Length: 1\r\n" +
			"Content-Length: 2\r\n\r\n",
		"HTTP/2":    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"no host":   "GET /version HTTP/1.1\r\n\r\n",
		"a space":   "GET /a b HTTP/1.1\r\nHost: c\r\n\r\n",
		"bare name": "GET version HTTP/1.1\r\nHost: c\r\n\r\n",
	} {
		conn := s.connect(t)
		fmt.Fprint(conn, text)
		r, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || r.StatusCode < 400 || r.StatusCode >= 600 || !r.Close {
			t.Errorf("%s: %v, %v; want a refusal and the end", name, r, err)
		}
		_ = conn.Close()
	}
	if got := s.server(t, "web1"); got.Admin != "ready" {
		t.Errorf("something was changed: %+v", got)
	}
}

func testControlLargeBodies(t *testing.T) {
	s := steer(t, "")
	for name, body := range map[string]string{
		"a long word":  `{"state":"` + strings.Repeat("a", 1<<20) + `"}`,
		"spaces":       strings.Repeat(" ", 1<<20) + `{"state":"drain"}`,
		"spaces after": `{"state":"drain"}` + strings.Repeat(" ", 1<<20),
	} {
		status, text := s.ask(t, "POST", "/servers/app/web1/state", body)
		if status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d %s, want 413", name, status, text)
		}
	}
	if got := s.server(t, "web1"); got.Admin != "ready" {
		t.Errorf("something was changed: %+v", got)
	}
}

// testControlHalfRequests begins requests and does not go on. The instance waits
// ten seconds for each, so one wait is for all.
func testControlHalfRequests(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	s := steer(t, "")
	began := time.Now()
	var all sync.WaitGroup
	for name, text := range map[string]string{
		"nothing":     "",
		"half a line": "POST /relo",
		"half a head": "POST /reload HTTP/1.1\r\nHost: control\r\n",
		"half a body": "POST /servers/app/web1/state HTTP/1.1\r\nHost: control\r\n" +
			"Content-Length: 17\r\n\r\n{\"state\":\"dra",
	} {
		conn := s.connect(t)
		fmt.Fprint(conn, text)
		all.Go(func() {
			_, err := io.Copy(io.Discard, conn)
			if waited := time.Since(began); err != nil || waited > 15*time.Second {
				t.Errorf("%s: ended after %v, %v; want 10 s", name, waited, err)
			}
		})
	}
	s.answers(t)
	all.Wait()
	if got := s.server(t, "web1"); got.Admin != "ready" {
		t.Errorf("half a request drained a server: %+v", got)
	}
}

// testControlManyConnections holds far more connections than are served at a time:
// those behind wait for the ones in front, and the traffic for none of them.
func testControlManyConnections(t *testing.T) {
	s := steer(t, "")
	var open []net.Conn
	for range 1000 {
		conn, err := net.DialTimeout("unix", s.Socket, time.Second)
		if err != nil {
			break // the kernel's queue is full
		}
		defer conn.Close()
		open = append(open, conn)
	}
	const served = 64
	if len(open) <= served {
		t.Fatalf("only %d connections", len(open))
	}
	dial(t, s.plain()).get("web1")
	answered := func(conn net.Conn, patience time.Duration) error {
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, err := http.ReadResponse(bufio.NewReader(conn), nil)
		return err
	}
	first, last, waits := open[0], open[served-1], open[served]
	for _, conn := range []net.Conn{first, last, waits} {
		fmt.Fprint(conn, "GET /version HTTP/1.1\r\nHost: control\r\n\r\n")
	}
	if err := errors.Join(answered(first, patience), answered(last, patience)); err != nil {
		t.Errorf("one of %d connections: %v", served, err)
	}
	if err := answered(waits, 200*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("connection number %d: %v, want none", served+1, err)
	}
	_ = first.Close()
	if err := answered(waits, patience); err != nil {
		t.Errorf("a connection whose turn has come: %v", err)
	}
	for _, conn := range open {
		_ = conn.Close()
	}
	s.answers(t)
}

func testControlNestedJSON(t *testing.T) {
	s := steer(t, "")
	for name, body := range map[string]string{
		"lists":              nested(10_000),
		"objects":            strings.Repeat(`{"state":`, 6_000),
		"a list as state":    `{"state":` + nested(10_000) + "}",
		"in an unknown key":  `{"x":` + nested(20_000) + "}",
		"in another's value": `{"state":"drain","state":{"state":"drain"}}`,
	} {
		for _, path := range []string{"/servers/app/web1/state", "/servers/app/web1/weight"} {
			if status, text := s.ask(t, "POST", path, body); status != 400 || len(text) > 1000 {
				t.Errorf("%s to %s: %d %.100q, want 400", name, path, status, text)
			}
		}
	}
	if got := s.server(t, "web1"); got.Admin != "ready" {
		t.Errorf("something was changed: %+v", got)
	}
}

// nested is a list in a list, so deep.
func nested(depth int) string {
	return strings.Repeat("[", depth) + strings.Repeat("]", depth)
}
