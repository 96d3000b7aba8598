// Package alloctest counts the allocations of code under test.
package alloctest

import "testing"

// rounds is how often is counted before an allocation is believed.
const rounds = 5

// PerRun is [testing.AllocsPerRun], for tests beside which others have left something
// running: what other goroutines allocate is counted there too, but comes and goes. What
// f allocates comes every time, so the least of some rounds is the answer. F must bear
// to be called more often than runs. Tests that call it may not be parallel.
func PerRun(runs int, f func()) float64 {
	least := testing.AllocsPerRun(runs, f)
	for round := 1; round < rounds && least > 0; round++ {
		least = min(least, testing.AllocsPerRun(runs, f))
	}
	return least
}
