package audit_test

import (
	"strings"
	"testing"

	"doorward/auth/audit"
)

// Who fails to sign in again and again does not push out what others have done.
func TestFailuresLeaveTheOtherEvents(t *testing.T) {
	inBubble(t, func(w *world) {
		r := w.open(w.store, 100)
		r.Record(w.Context(), audit.Event{Kind: audit.UserCreated, Detail: "deed"})
		for range 1000 {
			r.Record(w.Context(), audit.Event{Kind: audit.SignInFailed, Detail: "wrong"})
		}
		if got := w.details(r, 100); !strings.Contains(got, "deed") || !strings.Contains(got, "wrong") {
			t.Errorf("the events are %q", got)
		}
		if n := r.Counts(); n[audit.SignInFailed] != 1000 || n[audit.UserCreated] != 1 || r.Dropped() == 0 {
			t.Errorf("%v were counted, %d dropped", n, r.Dropped())
		}
	})
}
