//go:build !race

package auth_test

// crowdSize is how many sessions there may be.
const crowdSize = 100_000
