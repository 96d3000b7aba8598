// Package porttest finds ports for programs that tests start and that cannot choose one
// themselves.
package porttest

import (
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Ports are chosen below those that systems give to outgoing connections and to whoever
// asks for any port: between our look and the program's start nobody is given it.
const (
	first = 20_000
	many  = 12_000
	tries = 100
)

// Free is a port of 127.0.0.1 where nobody listens, over TCP or UDP. Until the test ends
// no other test is given it, also where the program that is to have it starts late.
func Free(t testing.TB) int {
	t.Helper()
	for range tries {
		if port := first + rand.IntN(many); reserve(t, port) && isFree(address(port)) {
			return port
		}
	}
	t.Fatalf("none of %d ports is free", tries)
	return 0
}

// Address is 127.0.0.1 with a port that is Free.
func Address(t testing.TB) string {
	t.Helper()
	return address(Free(t))
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// stale is how old a mark is that nobody can have any more.
const stale = time.Hour

// reserve keeps the other tests, of this process and of others, from a port. The mark is a
// file, and not one that is held open: tests count what is open.
func reserve(t testing.TB, port int) bool {
	t.Helper()
	mark := filepath.Join(os.TempDir(), "doorward-test-port-"+strconv.Itoa(port))
	if info, err := os.Stat(mark); err == nil && time.Since(info.ModTime()) > stale {
		_ = os.Remove(mark) // of a test that was killed
	}
	f, err := os.OpenFile(mark, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return false
	}
	t.Cleanup(func() { _ = os.Remove(mark) })
	return f.Close() == nil
}

// isFree tells whether whoever comes next can listen there.
func isFree(address string) bool {
	packets, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	defer func() { _ = packets.Close() }()
	l, err := net.Listen("tcp", address)
	if err != nil || packets.Close() != nil || l.Close() != nil {
		return false
	}
	return silent(address)
}

// silent waits until nobody listens there. A program that is being started elsewhere in
// this process has a copy of what was open a moment ago, until it runs.
func silent(address string) bool {
	for range tries {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return true
		}
		_ = c.Close()
	}
	return false
}
