package local

import (
	"errors"
	"net/netip"
	"testing"
	"time"
)

func TestCountsAreBounded(t *testing.T) {
	now := time.Unix(1e9, 0)
	th := newThrottle(func() time.Time { return now })
	l := Limits{}.complete()
	for i := range 3 * maxAddresses {
		s := subject{name: string(rune(i)), client: address(i)}
		if _, err := th.admit(s, l); err != nil && !errors.Is(err, ErrWrong) {
			t.Fatal(err)
		}
	}
	if n := len(th.addresses); n > maxAddresses+1 {
		t.Errorf("%d addresses", n)
	}
	if n := len(th.names); n > nameSlots {
		t.Errorf("%d names", n)
	}
	for i := range 3 * sweepAt {
		now = now.Add(time.Hour)
		s := subject{userID: string(rune(i)), client: address(i)}
		if k, err := th.admit(s, l); err == nil {
			k.succeed()
		}
	}
	if n := len(th.users); n > sweepAt+1 {
		t.Errorf("%d users, most of them forgotten long ago", n)
	}
}

// address is the nth, each in a wide network of its own as far as they go.
func address(n int) netip.Addr {
	return netip.AddrFrom16([16]byte{0x20, 1, byte(n >> 16), byte(n >> 8), byte(n), 1})
}
