package state_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// childVariable says which part of a test this process is, in place of the tests.
const childVariable = "STATE_TEST_CHILD"

func TestMain(m *testing.M) {
	run, ok := children()[os.Getenv(childVariable)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// children are the parts of tests that run in a process of their own, each with a
// folder to work in.
func children() map[string]func(folder string) error {
	return map[string]func(string) error{
		"write":     writeForEver,
		"hold":      holdOpen,
		"limited":   fillLimited,
		"tmpfs":     fillMounted,
		"read-only": openReadOnly,
	}
}

// child is the command for such a process.
func child(t *testing.T, name, folder string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, folder)
	cmd.Env = append(os.Environ(), childVariable+"="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

// start starts the process and returns the lines that it writes.
func start(t *testing.T, cmd *exec.Cmd) *bufio.Scanner {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return bufio.NewScanner(out)
}
