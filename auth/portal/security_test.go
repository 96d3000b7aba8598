package portal_test

import (
	"slices"
	"testing"
)

// attack is a case of the list of attacks, by its id.
type attack struct {
	name string
	test func(h *house)
}

func TestSecurity(t *testing.T) {
	all := slices.Concat(
		redirectAttacks(), providerAttacks(), answerAttacks(), cookieAttacks(), formAttacks())
	for _, a := range all {
		t.Run(a.name, func(t *testing.T) { in(t, a.test) })
	}
}
