package alloctest_test

import (
	"testing"

	"doorward/internal/alloctest"
)

func TestPerRun(t *testing.T) {
	var kept *[64]byte
	if n := alloctest.PerRun(10, func() { kept = new([64]byte) }); n != 1 || kept == nil {
		t.Errorf("one allocation counts as %v", n)
	}
	calls := 0
	// What is allocated once in a while is not f's.
	n := alloctest.PerRun(10, func() {
		if calls++; calls < 20 {
			kept = new([64]byte)
		}
	})
	if n != 0 {
		t.Errorf("what ends counts as %v", n)
	}
}
