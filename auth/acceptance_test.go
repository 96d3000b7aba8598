package auth_test

import (
	"testing"

	"doorward/internal/alloctest"
)

// Acceptance 4: among 100,000 sessions a request of any of them passes without allocating.
// How long that takes, which is less than 2 microseconds, says BenchmarkCheck: a test
// would say how busy the machine is. With the race detector there are 10,000.
func TestAcceptance04HotPathAllocatesNothing(t *testing.T) {
	const many, asked = crowdSize, 2000
	c := newCaller(crowd(t, many))
	// What servers are told of a user is made when they come first, and kept.
	for i := range asked {
		if !c.ask(i * (many / asked)) {
			t.Fatal("a session does not pass")
		}
	}
	i := 0
	if allocs := alloctest.PerRun(asked, func() {
		if i++; !c.ask(i % asked * (many / asked)) {
			t.Fatal("a session does not pass")
		}
	}); allocs != 0 {
		t.Errorf("a request that passes allocates %v times", allocs)
	}
}
