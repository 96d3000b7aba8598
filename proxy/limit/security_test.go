package limit_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"doorward/proxy/limit"
)

// attacker is one of very many clients, each with a network of its own.
func attacker(i int) netip.Addr {
	a := [16]byte{0x20, 1, 0x0d, 0xb8}
	binary.BigEndian.PutUint32(a[4:], uint32(i))
	return netip.AddrFrom16(a)
}

func TestSecurity(t *testing.T) {
	t.Run("DOS-07_a_flood_of_new_clients_frees_no_blocked_one", blockedStay)
	t.Run("DOS-07_a_flood_of_new_clients_loses_no_request_under_way", activeStay)
	t.Run("DOS-07_blocked_clients_leave_room_for_others", othersAreCounted)
	t.Run("DOS-07_addresses_of_one_network_are_one_client", func(t *testing.T) {
		l, now := limit.New(rate(10, time.Minute), nil), time.Now()
		passed := 0
		for i := range 1000 {
			a := attacker(1).As16()
			binary.BigEndian.PutUint32(a[12:], uint32(i))
			if _, v := l.Enter(l.AppendClient(nil, netip.AddrFrom16(a)), now, nil); v.Allowed() {
				passed++
			}
		}
		if passed != 10 || l.Len(now) != 1 {
			t.Errorf("%d passed and %d are remembered, want 10 and 1", passed, l.Len(now))
		}
	})
	t.Run("DOS-07_waiting_requests_are_bounded", boundedWaiting)
}

func blockedStay(t *testing.T) {
	o := rate(3, time.Minute)
	o.Size = 20_000
	l, now := limit.New(o, nil), time.Now()
	block := func(name string) {
		for enter(l, name, now).Allowed() {
		}
	}
	for i := range 1000 {
		block(fmt.Sprint("blocked ", i))
	}
	key := make([]byte, 0, 32)
	deadline := now.Add(2 * time.Second)
	n := 0
	for ; n < 2*o.Size || n < 2_000_000 && (n%1024 != 0 || time.Now().Before(deadline)); n++ {
		key = l.AppendClient(key[:0], attacker(n))
		l.Enter(key, now, nil)
	}
	t.Logf("%d clients in the flood", n)
	for i := range 1000 {
		if enter(l, fmt.Sprint("blocked ", i), now).Allowed() {
			t.Fatalf("blocked client %d may go on after the flood", i)
		}
	}
	if n := l.Len(now); n > o.Size {
		t.Errorf("%d clients are remembered, at most %d", n, o.Size)
	}
}

func activeStay(t *testing.T) {
	o := atOnce(1)
	o.Size = 2000
	l, now := limit.New(o, nil), time.Now()
	ticket, _ := l.Enter([]byte("slow"), now, nil)
	for i := range 30_000 {
		other, _ := l.Enter(l.AppendClient(nil, attacker(i)), now, nil)
		other.Release(now)
	}
	if enter(l, "slow", now).Allowed() {
		t.Error("a request under way was forgotten")
	}
	ticket.Release(now)
	if !enter(l, "slow", now).Allowed() {
		t.Error("a released place is still taken")
	}
}

// Tickets of clients that were forgotten all the same do no harm to others.
func othersAreCounted(t *testing.T) {
	o := atOnce(2)
	o.Requests, o.Size = 2, 500
	l, now := limit.New(o, nil), time.Now()
	var tickets []limit.Ticket
	for i := range 5000 {
		for range 2 {
			ticket, v := l.Enter(l.AppendClient(nil, attacker(i)), now, nil)
			if !v.Allowed() {
				t.Fatalf("client %d: %+v", i, v)
			}
			tickets = append(tickets, ticket)
		}
		if _, v := l.Enter(l.AppendClient(nil, attacker(i)), now, nil); v.Allowed() {
			t.Fatalf("client %d got three requests of two", i)
		}
	}
	for _, ticket := range tickets {
		ticket.Release(now)
	}
	if n := l.Len(now.Add(time.Hour)); n != 0 {
		t.Errorf("%d clients are remembered after an hour, want 0", n)
	}
}

func boundedWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := atOnce(1)
		o.Queue, o.MaxQueue, o.MaxQueueKey = time.Minute, 12, 5
		c := newCrowd(o, time.Second)
		for i := range 20 {
			c.send(fmt.Sprint(i), "flood", nil)
		}
		if got := c.l.Counters(); got.Waiting != 5 || got.Refused != 14 {
			t.Errorf("%+v, want 5 of one key waiting and 14 refused", got)
		}
		for i := range 20 {
			c.send("", fmt.Sprint("key ", i/2), nil)
		}
		if got := c.l.Counters(); got.Waiting != 12 || got.Refused != 14+3 {
			t.Errorf("%+v, want 12 in all waiting and 17 refused", got)
		}
		c.all.Wait()
		if got := c.l.Counters(); got.Waiting != 0 || got.Passed != 1+5+10+7 {
			t.Errorf("%+v, want none waiting and 23 passed", got)
		}
	})
}
