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

func TestAttemptThatWasNotLookedAtIsNoFailure(t *testing.T) {
	th := newThrottle(func() time.Time { return time.Unix(1e9, 0) })
	l := Limits{}.complete()
	bob := subject{userID: "bob", client: address(1)}
	for range 50 {
		ticket, err := th.admit(bob, l)
		if err != nil {
			t.Fatal(err)
		}
		ticket.forget()
	}
	for i := range 5 {
		ticket, err := th.admit(bob, l)
		if err != nil {
			t.Fatalf("failure %d: %v", i, err)
		}
		if i == 4 { // which began a wait
			ticket.forget()
		}
	}
	if _, err := th.admit(bob, l); err != nil {
		t.Errorf("the fifth failure: %v", err)
	}
	if _, err := th.admit(bob, l); !errors.Is(err, ErrWrong) {
		t.Errorf("the sixth: %v", err)
	}
}

func TestFailuresAreForgottenOneByOne(t *testing.T) {
	now := time.Unix(1e9, 0)
	th := newThrottle(func() time.Time { return now })
	l := Limits{}.complete()
	for _, who := range []subject{{userID: "bob"}, {name: "nobody"}} {
		fail := func() error {
			who.client = address(int(now.Unix() % 1000))
			_, err := th.admit(who, l)
			return err
		}
		for range 5 {
			if err := fail(); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(31 * time.Minute) // two of them
		for range 2 {
			if err := fail(); err != nil {
				t.Errorf("after half an hour: %v", err)
			}
		}
		if err := fail(); !errors.Is(err, ErrWrong) {
			t.Errorf("all were forgotten: %v", err)
		}
		now = now.Add(24 * time.Hour)
		for range 5 {
			if err := fail(); err != nil {
				t.Errorf("after a day: %v", err)
			}
		}
	}
}
