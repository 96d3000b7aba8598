package route_test

import (
	"math/rand/v2"
	"testing"
)

// These run the fuzz targets' checks on many inputs in every test run.

func TestMatchAgreesWithReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 11))
	choices := make([]byte, 400)
	for range 400 {
		for i := range choices {
			choices[i] = byte(rng.Uint32())
		}
		checkMatch(t, choices)
	}
}
