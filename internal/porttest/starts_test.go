package porttest_test

import (
	"net"
	"os/exec"
	"sync/atomic"
	"testing"

	"doorward/internal/porttest"
	"doorward/internal/safe"
)

// A port that was found stays free while programs are started.
func TestFreeBesideStarts(t *testing.T) {
	var over atomic.Bool
	done := make(chan struct{})
	safe.Go(nil, "starts", func() {
		defer close(done)
		for !over.Load() {
			_ = exec.CommandContext(t.Context(), "true").Run()
		}
	})
	for range 400 {
		l, err := net.Listen("tcp", porttest.Address(t))
		if err != nil {
			t.Error(err)
			break
		}
		_ = l.Close()
	}
	over.Store(true)
	<-done
}

// Nobody gets a port that a test was given and does not use yet.
func TestFreeIsGivenOnce(t *testing.T) {
	seen := map[int]bool{}
	for range 300 {
		port := porttest.Free(t)
		if seen[port] {
			t.Fatalf("%d is given twice", port)
		}
		seen[port] = true
	}
}
