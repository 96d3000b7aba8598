package session_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"doorward/auth/session"
	"doorward/auth/user"
	"doorward/state"
)

// crashFolder tells the child where its store is.
const crashFolder = "DOORWARD_TEST_CRASH_FOLDER"

// TestCrashChild is the process that is killed: it begins sessions and says so, for
// ever.
func TestCrashChild(t *testing.T) {
	folder := os.Getenv(crashFolder)
	if folder == "" {
		t.Skip("only for the test below")
	}
	m := openFile(t, folder)
	for {
		s, ticket, err := m.Begin(context.Background(), session.Start{UserID: "u1", Provider: "local", Host: host})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("began %s\n", ticket)
		gone, old, _ := m.Begin(context.Background(), session.Start{UserID: "u1", Provider: "local", Host: host})
		m.End(context.Background(), gone, "test")
		fmt.Printf("ended %s\n", old)
		if more, err := m.Ticket(context.Background(), s, "other.example"); err == nil {
			fmt.Printf("more %s\n", more)
		}
	}
}

func openFile(t *testing.T, folder string) *session.Manager {
	t.Helper()
	store, err := state.Open("file:"+folder, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	bob := person("u1", 1)
	m, err := session.Open(context.Background(), session.Options{
		Store: store, Box: box(t), Limits: limits(),
		People: func(string) *user.Person { return bob },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close(context.Background()) })
	return m
}

// What was said to have begun or ended did so, whenever the process is killed.
func TestKillLosesNothing(t *testing.T) {
	folder := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestCrashChild$")
	child.Env = append(os.Environ(), crashFolder+"="+folder)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	lines := bufio.NewScanner(out)
	for len(said) < 60 && lines.Scan() {
		said = append(said, lines.Text())
	}
	_ = child.Process.Signal(syscall.SIGKILL)
	for lines.Scan() { // what it said before it was killed
		said = append(said, lines.Text())
	}
	_ = child.Wait()
	if len(said) < 60 {
		t.Fatalf("the child said %q", said)
	}
	m := openFile(t, folder)
	for _, line := range said {
		what, ticket, whole := strings.Cut(line, " ")
		if !whole || len(ticket) != 44 {
			continue // the last one may be cut
		}
		at := host
		if what == "more" {
			at = "other.example"
		}
		if got := m.Find([]byte(ticket), []byte(at)) != nil; got != (what != "ended") {
			t.Errorf("%s: found is %v", line, got)
		}
	}
}
