package directory_test

import (
	"errors"
	"fmt"
	"testing"

	"doorward/auth/directory"
	"doorward/auth/user"
)

func TestConsentIsToOneTextOfOneRoute(t *testing.T) {
	inBubble(t, func(w *world) {
		d := w.open(directory.Mapping{})
		bob, alice := w.create(d, user.User{Name: "bob"}), w.create(d, user.User{Name: "alice"})
		for range 2 {
			w.must(d.Give(w.Context(), idOf(bob), "wiki", "be kind"))
		}
		for _, c := range []struct {
			id, route, text string
			want            bool
		}{
			{idOf(bob), "wiki", "be kind", true},
			{idOf(bob), "wiki", "be quiet", false},
			{idOf(bob), "shop", "be kind", false},
			{idOf(alice), "wiki", "be kind", false},
			{"u-nobody", "wiki", "be kind", false},
		} {
			if got := d.Given(c.id, c.route, c.text); got != c.want {
				w.Errorf("%s to %q of %s: %v", c.id, c.text, c.route, got)
			}
		}
		if n := len(bob.View().User.Consents); n != 1 {
			w.Errorf("%d consents are remembered", n)
		}
		for i := range 150 {
			w.must(d.Give(w.Context(), idOf(bob), "wiki", fmt.Sprint("version ", i)))
		}
		if n := len(bob.View().User.Consents); n != 100 || !d.Given(idOf(bob), "wiki", "version 149") {
			w.Errorf("%d consents, without the last one", n)
		}
		err := d.Give(w.Context(), "u-nobody", "wiki", "be kind")
		if !errors.Is(err, directory.ErrNotFound) {
			w.Errorf("Give for nobody = %v", err)
		}
	})
}

func TestErrorsSayWhatIsTaken(t *testing.T) {
	for want, err := range map[string]error{
		`the name "bob" is already taken`:                    &directory.TakenError{What: "name", Value: "bob"},
		"the account at azure already signs in another user": &directory.TakenError{What: "identity", Value: "azure"},
		`the group "staff" is already taken`:                 &directory.TakenError{What: "group", Value: "staff"},
	} {
		if err.Error() != want || !errors.Is(err, directory.ErrTaken) {
			t.Errorf("%q, want %q", err, want)
		}
	}
}
