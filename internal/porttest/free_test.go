package porttest_test

import (
	"net"
	"testing"

	"doorward/internal/porttest"
)

func TestFree(t *testing.T) {
	seen := map[string]bool{}
	for range 50 {
		address := porttest.Address(t)
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		packets, err := net.ListenPacket("udp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = packets.Close() }()
		if seen[address] {
			t.Errorf("%s is given twice although it is taken", address)
		}
		seen[address] = true
	}
}
