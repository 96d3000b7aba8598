//go:build race

package auth_test

// crowdSize is how many sessions are enough for a test: to make as many as there may be
// takes too long with the race detector.
const crowdSize = 10_000
