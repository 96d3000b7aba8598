package directory_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"doorward/auth/directory"
)

func TestLinkIsGoodOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		nodes := []*directory.Directory{w.open(directory.Mapping{}), w.open(directory.Mapping{})}
		secret, err := nodes[0].CreateLink(w.Context(), directory.Link{
			Purpose: "invitation", Groups: []string{"staff"}, Expires: time.Now().Add(time.Hour),
		})
		w.must(err)
		if len(secret) != 43 {
			w.Errorf("a secret of %d characters", len(secret))
		}
		for range 2 {
			l, err := nodes[1].PeekLink(w.Context(), secret)
			if err != nil || l.Purpose != "invitation" || !slices.Equal(l.Groups, []string{"staff"}) {
				w.Errorf("PeekLink = %+v, %v", l, err)
			}
		}
		var used atomic.Int32
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				switch l, err := nodes[i%2].UseLink(w.Context(), secret); {
				case err == nil && l.Purpose == "invitation":
					used.Add(1)
				case !errors.Is(err, directory.ErrNotFound):
					w.Errorf("UseLink = %v", err)
				}
			})
		}
		all.Wait()
		if n := used.Load(); n != 1 {
			w.Errorf("used %d times", n)
		}
		if _, err := nodes[0].PeekLink(w.Context(), secret); !errors.Is(err, directory.ErrNotFound) {
			w.Errorf("PeekLink after the use = %v", err)
		}
	})
}

func TestLinksEnd(t *testing.T) {
	inBubble(t, func(w *world) {
		d := w.open(directory.Mapping{})
		link := func(purpose, userID string) string {
			secret, err := d.CreateLink(w.Context(), directory.Link{
				Purpose: purpose, UserID: userID, Expires: time.Now().Add(time.Hour),
			})
			w.must(err)
			return secret
		}
		first, other, somebody := link("first", ""), link("invitation", ""), link("first", "u1")
		w.must(d.EndLinks(w.Context(), "first", ""))
		for name, c := range map[string]struct {
			secret string
			good   bool
		}{
			"ended":           {first, false},
			"other purpose":   {other, true},
			"other user":      {somebody, true},
			"nonsense":        {strings.Repeat("x", 43), false},
			"cut off":         {other[:42], false},
			"nothing":         {"", false},
			"more than a key": {strings.Repeat("x", 1<<16), false},
		} {
			_, err := d.UseLink(w.Context(), c.secret)
			if good := err == nil; good != c.good {
				w.Errorf("%s: %v", name, err)
			}
		}
		for _, when := range []time.Time{{}, time.Now(), time.Now().Add(-time.Hour)} {
			_, err := d.CreateLink(w.Context(), directory.Link{Purpose: "x", Expires: when})
			if !errors.Is(err, directory.ErrInvalid) {
				w.Errorf("a link that ends at %v: %v", when, err)
			}
		}
	})
}
