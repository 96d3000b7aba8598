package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"doorward": main})
}

// TestCommandLine runs each file of testdata/script, which is one behaviour. The
// functions below are commands of theirs.
func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			// The folder of a script is too long for the name of a socket in it.
			dir, err := os.MkdirTemp("", "dw")
			if err != nil {
				return err
			}
			env.Defer(func() { _ = os.RemoveAll(dir) })
			env.Setenv("RUN", dir)
			env.Setenv("HOME", filepath.Join(dir, "home"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ports": ports, "expand": expand, "waitfor": waitFor, "get": get, "signal": send,
			"hang": hang, "hold": hold, "origin": origin,
		},
	})
}

// patience is how long a script waits for what has to happen.
const patience = 10 * time.Second

// ports NAME... sets variables to ports of loopback that are free.
func ports(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		ts.Check(err)
		ts.Setenv(name, port)
	}
}

// expand FILE... replaces $NAME in files by the script's variables.
func expand(ts *testscript.TestScript, _ bool, files []string) {
	for _, file := range files {
		text := os.Expand(ts.ReadFile(file), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
}

// waitfor FILE TEXT waits until a file holds a text.
func waitFor(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(patience); ; <-time.After(5 * time.Millisecond) {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		switch {
		case err == nil && strings.Contains(string(text), args[1]):
			return
		case time.Now().After(end):
			ts.Fatalf("%s does not hold %q within %v:\n%s", args[0], args[1], patience, text)
		}
	}
}

// signal NAME sends a signal to all that runs in the background.
func send(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]syscall.Signal{
		"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT,
		"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "PIPE": syscall.SIGPIPE,
	}
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(signals[args[0]]))
	}
}

// get ADDRESS HOST TARGET FILE writes an answer over plain HTTP to a file.
func get(ts *testscript.TestScript, _ bool, args []string) {
	conn := request(ts, args[0], args[1], args[2])
	_ = conn.SetDeadline(time.Now().Add(patience))
	text, err := io.ReadAll(conn)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), text, 0o600))
}

// hold ADDRESS HOST TARGET asks and does not wait for the answer.
func hold(ts *testscript.TestScript, _ bool, args []string) {
	request(ts, args[0], args[1], args[2])
}

func request(ts *testscript.TestScript, address, host, target string) net.Conn {
	conn, err := net.Dial("tcp", address)
	ts.Check(err)
	ts.Defer(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
		target, host)
	ts.Check(err)
	return conn
}

// origin NAME... sets variables to the ports of servers that answer.
func origin(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintln(w, name)
		}))
		ts.Defer(s.Close)
		ts.Setenv(name, strings.TrimPrefix(s.URL, "http://127.0.0.1:"))
	}
}

// hang NAME sets a variable to the port of a server that never answers, and
// writes the file of that name when it was asked something.
func hang(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	end := make(chan struct{})
	ts.Defer(func() {
		close(end)
		_ = l.Close()
	})
	_, port, err := net.SplitHostPort(l.Addr().String())
	ts.Check(err)
	ts.Setenv(args[0], port)
	asked := ts.MkAbs(args[0])
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if n, _ := conn.Read(make([]byte, 1)); n > 0 {
					_ = os.WriteFile(asked, []byte("asked"), 0o600)
				}
				<-end
			}()
		}
	}()
}
