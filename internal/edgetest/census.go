package edgetest

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"time"
)

// census counts what an instance must not leave behind: goroutines of ours, and
// open files.
type census struct {
	goroutines []string
	files      int
}

func takeCensus() census {
	// The first socket of a process opens files that stay.
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		_ = l.Close()
	}
	return count()
}

func count() census { return census{ours(), openFiles()} }

// ours are the stacks of the goroutines that run code of Doorward, without those
// of tests and of this package.
func ours() (stacks []string) {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for stack := range strings.SplitSeq(string(buf), "\n\n") {
		if strings.Contains(stack, "doorward/") && !strings.Contains(stack, "testing.tRunner(") &&
			!strings.Contains(stack, "doorward/internal/edgetest.") &&
			!strings.Contains(stack, "doorward/test_test.") {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// openFiles is the number of open file descriptors, 0 where the system does not
// tell.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// settle waits until there is no more than was counted before.
func (before census) settle() error {
	var now census
	if Until(func() bool {
		now = count()
		return len(now.goroutines) <= len(before.goroutines) && now.files <= before.files
	}) {
		return nil
	}
	return fmt.Errorf("%d goroutines, %d before; %d open files, %d before\n%s",
		len(now.goroutines), len(before.goroutines), now.files, before.files,
		strings.Join(now.goroutines, "\n\n"))
}

// Until waits until the condition holds, and tells whether it did within
// Patience.
func Until(condition func() bool) bool {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(Patience); time.Now().Before(end); <-tick.C {
		if condition() {
			return true
		}
	}
	return condition()
}
