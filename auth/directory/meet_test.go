package directory_test

import (
	"errors"
	"fmt"
	"testing"

	"doorward/auth/directory"
	"doorward/auth/user"
)

// Whoever is told that a name or an identity is taken finds out by whom, even where
// somebody else has made that user this very moment.
func TestTakenMeansThatTheOtherIsKnown(t *testing.T) {
	inBubble(t, func(w *world) {
		here, there := w.open(directory.Mapping{}), w.open(directory.Mapping{})
		for i := range 20 {
			u := user.User{Name: fmt.Sprint("ann-", i), Identities: []user.Identity{
				{Provider: "azure-ad", Subject: fmt.Sprint("s", i)},
			}}
			if _, err := there.Create(w.Context(), u); err != nil {
				w.Fatal(err)
			}
			if _, err := here.Create(w.Context(), u); !errors.Is(err, directory.ErrTaken) {
				w.Fatalf("made twice: %v", err)
			}
			if here.ByIdentity("azure-ad", fmt.Sprint("s", i)) == nil || here.ByName(u.Name) == nil {
				w.Fatalf("%s is taken by nobody", u.Name)
			}
		}
	})
}
