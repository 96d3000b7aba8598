package stick_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"doorward/internal/alloctest"
	"doorward/proxy/stick"
)

func addresses() stick.Options {
	return stick.Options{On: "src", Size: 1000, Expire: 30 * time.Minute}
}

func texts() stick.Options {
	return stick.Options{On: "cookie:SID", Text: true, Size: 1000, Expire: 30 * time.Minute}
}

// client is the key of an address.
func client(t *stick.Table, addr string) []byte {
	return t.AppendAddr(nil, netip.MustParseAddr(addr))
}

func wantMatch(t *testing.T, tab *stick.Table, key []byte, now time.Time, want string) {
	t.Helper()
	if got, ok := tab.Match(key, now); got != want || ok != (want != "") {
		t.Errorf("Match(%q) = %q, %v, want %q", key, got, ok, want)
	}
}

func TestClientsComeBackToTheirServer(t *testing.T) {
	now := time.Now()
	tab := stick.New(addresses(), nil)
	wantMatch(t, tab, client(tab, "192.0.2.1"), now, "")
	tab.Store(client(tab, "192.0.2.1"), "docker01", now)
	tab.Store(client(tab, "2001:db8::1"), "docker02", now)
	wantMatch(t, tab, client(tab, "192.0.2.1"), now, "docker01")
	wantMatch(t, tab, client(tab, "::ffff:192.0.2.1"), now, "docker01")
	wantMatch(t, tab, client(tab, "2001:db8::1"), now, "docker02")
	wantMatch(t, tab, client(tab, "2001:db8::2"), now, "")
	tab.Store(client(tab, "192.0.2.1"), "docker03", now)
	wantMatch(t, tab, client(tab, "192.0.2.1"), now, "docker03")

	want := stick.Counters{Matched: 4, Missed: 2, Stored: 3}
	if got := tab.Counters(); got != want {
		t.Errorf("counters %+v, want %+v", got, want)
	}
	if n := tab.Len(now); n != 2 || tab.Size() != 1000 {
		t.Errorf("%d entries of %d, want 2 of 1000", n, tab.Size())
	}
}

func TestIPv6ClientsAreToldApartByPrefix(t *testing.T) {
	now, o := time.Now(), addresses()
	o.IPv6Prefix = 64
	tab := stick.New(o, nil)
	tab.Store(client(tab, "2001:db8:0:1::1"), "a", now)
	wantMatch(t, tab, client(tab, "2001:db8:0:1:ffff::2"), now, "a")
	wantMatch(t, tab, client(tab, "2001:db8:0:2::1"), now, "")
	tab.Store(client(tab, "192.0.2.1"), "b", now)
	wantMatch(t, tab, client(tab, "192.0.2.2"), now, "")
}

func TestEmptyKeysAndNamesAreNotRemembered(t *testing.T) {
	now, tab := time.Now(), stick.New(texts(), nil)
	if tab.Store(nil, "a", now) || tab.Store([]byte("k"), "", now) || tab.Len(now) != 0 {
		t.Error("something was stored")
	}
	if key := tab.AppendAddr(nil, netip.Addr{}); len(key) != 0 {
		t.Errorf("the key of no address is %q", key)
	}
	wantMatch(t, tab, nil, now, "")
}

// Where keys are text an address stands for somebody without one.
func TestAddressesAmongText(t *testing.T) {
	o := texts()
	o.IPv6Prefix = 64
	tab := stick.New(o, nil)
	for addr, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::/64",
	} {
		if got := string(client(tab, addr)); got != want {
			t.Errorf("the key of %s is %s, want %s", addr, got, want)
		}
	}
}

func TestEntriesExpireAfterTheirLastUse(t *testing.T) {
	o := texts()
	o.Expire = 10 * time.Second
	tab, start := stick.New(o, nil), time.Now()
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	tab.Store([]byte("used"), "a", at(0))
	tab.Store([]byte("stored"), "a", at(0))
	tab.Store([]byte("left"), "a", at(0))
	for s := 5; s <= 40; s += 5 {
		wantMatch(t, tab, []byte("used"), at(s), "a")
		tab.Store([]byte("stored"), "a", at(s))
	}
	wantMatch(t, tab, []byte("stored"), at(49), "a")
	wantMatch(t, tab, []byte("left"), at(41), "")
	wantMatch(t, tab, []byte("used"), at(50).Add(200*time.Millisecond), "")

	o.Expire = 0
	tab = stick.New(o, nil)
	tab.Store([]byte("k"), "a", at(0))
	wantMatch(t, tab, []byte("k"), at(1e8), "a")
	if list, _ := tab.Entries(0, 1, at(5)); list[0].Expires != 0 {
		t.Errorf("an entry that stays for ever expires in %v", list[0].Expires)
	}
}

func TestFullTable(t *testing.T) {
	for _, c := range []struct {
		refuse bool
		want   []string
	}{
		{false, []string{"1 a", "4 b"}},
		{true, []string{"1 a", "2 a"}},
	} {
		o, start := texts(), time.Now()
		o.Size, o.Refuse = 2, c.refuse
		tab := stick.New(o, nil)
		tab.Store([]byte("1"), "a", start)
		tab.Store([]byte("2"), "a", start)
		tab.Match([]byte("1"), start.Add(2*time.Second))
		stored := tab.Store([]byte("4"), "b", start.Add(3*time.Second))
		got := rows(tab, start)
		if stored == c.refuse || !slices.Equal(got, c.want) {
			t.Errorf("refuse %v: Store = %v, entries %q, want %q", c.refuse, stored, got, c.want)
		}
		n := tab.Counters()
		if n.Refused+n.Evicted != 1 || (n.Refused == 1) != c.refuse {
			t.Errorf("refuse %v: counters %+v", c.refuse, n)
		}
	}
}

func rows(tab *stick.Table, now time.Time) []string {
	var all []string
	for from, first := stick.Cursor(0), true; first || from != 0; first = false {
		var page []stick.Entry
		page, from = tab.Entries(from, 3, now)
		for _, e := range page {
			all = append(all, e.Key+" "+e.Server)
		}
	}
	slices.Sort(all)
	return all
}

func TestReload(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		change func(*stick.Options)
		kept   int
	}{
		"nothing":  {func(o *stick.Options) {}, 10},
		"size":     {func(o *stick.Options) { o.Size = 5000 }, 10},
		"smaller":  {func(o *stick.Options) { o.Size = 4 }, 4},
		"expiry":   {func(o *stick.Options) { o.Expire = time.Minute }, 10},
		"refusing": {func(o *stick.Options) { o.Refuse = true }, 10},
		"prefix":   {func(o *stick.Options) { o.IPv6Prefix = 64 }, 0},
		"on":       {func(o *stick.Options) { o.On = "cookie:OTHER" }, 0},
		"kind":     {func(o *stick.Options) { o.Text = false }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := texts()
			old := stick.New(o, nil)
			for i := range 10 {
				old.Store([]byte{'k', byte(i)}, fmt.Sprint("s", i), now)
			}
			c.change(&o)
			tab := stick.New(o, old)
			if n := old.Len(now); n != 10 {
				t.Errorf("the table before has %d entries, want 10", n)
			}
			if n := tab.Len(now); n != c.kept {
				t.Errorf("%d entries, want %d", n, c.kept)
			}
			if c.kept > 0 {
				wantMatch(t, tab, []byte{'k', 9}, now, "s9")
			}
		})
	}
}

// Providers name servers as they like, for years.
func TestNamesAreBounded(t *testing.T) {
	now := time.Now()
	o := texts()
	o.Size = 20_000
	tab := stick.New(o, nil)
	for i := range 3000 {
		now = now.Add(time.Second)
		if !tab.Store([]byte(fmt.Sprint(i%1000)), fmt.Sprint("container-", i), now) {
			t.Fatalf("server %d was not stored", i)
		}
	}
	wantMatch(t, tab, []byte("999"), now, "container-2999")
	wantMatch(t, tab, []byte("0"), now, "container-2000")

	tab = stick.New(o, nil)
	refused := 0
	for i := range 3000 {
		if !tab.Store([]byte(fmt.Sprint(i)), fmt.Sprint("container-", i), now) {
			refused++
		}
	}
	if n := tab.Counters().Refused; refused != 952 || n != 952 {
		t.Errorf("%d refused and %d counted, want 952", refused, n)
	}
	if !tab.Store([]byte("k"), "container-1", now) {
		t.Error("a known server was refused")
	}
}

func TestSecurity(t *testing.T) {
	t.Run("DOS-07_a_flood_of_new_clients_takes_no_more_room", func(t *testing.T) {
		now, tab := time.Now(), stick.New(addresses(), nil)
		rng := rand.New(rand.NewPCG(1, 2))
		for range 60_000 {
			a := netip.AddrFrom16([16]byte{0x20, 1, byte(rng.Uint32()), byte(rng.Uint32()),
				byte(rng.Uint32()), byte(rng.Uint32())})
			tab.Store(tab.AppendAddr(nil, a), "a", now)
		}
		if n := tab.Len(now); n > 1000 {
			t.Errorf("%d entries, at most 1000", n)
		}
	})
	t.Run("DOS-07_refusing_keeps_those_who_were_here_first", func(t *testing.T) {
		now, o := time.Now(), texts()
		o.Refuse = true
		tab := stick.New(o, nil)
		tab.Store([]byte("regular"), "a", now)
		for i := range 20_000 {
			tab.Store([]byte(fmt.Sprint("cookie ", i)), "b", now)
		}
		wantMatch(t, tab, []byte("regular"), now, "a")
	})
	t.Run("LOG-01_keys_are_shown_without_control_characters", func(t *testing.T) {
		now, tab := time.Now(), stick.New(texts(), nil)
		tab.Store([]byte("a\r\nkey=forged\x1b[2J"), "a", now)
		want := []string{`"a\r\nkey=forged\x1b[2J" a`}
		if got := rows(tab, now); !slices.Equal(got, want) {
			t.Errorf("shown as %q, want %q", got, want)
		}
	})
}

func TestManyGoroutines(t *testing.T) {
	now, tab := time.Now(), stick.New(texts(), nil)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			for range 5000 {
				key := fmt.Sprint(rng.IntN(2000))
				server, ok := tab.Match([]byte(key), now)
				if ok && !strings.HasSuffix(server, key[len(key)-1:]) {
					t.Errorf("key %s belongs to %s", key, server)
				}
				tab.Store([]byte(key), fmt.Sprint("s", key[len(key)-1:]), now)
				switch rng.IntN(500) {
				case 0:
					tab.Entries(0, 10, now)
				case 1:
					tab.DeleteServer("s3")
				case 2:
					tab.Delete(key)
				case 3:
					tab.Clear()
				}
			}
		})
	}
	all.Wait()
}

func TestNothingAllocatesOnTheWay(t *testing.T) {
	now, tab := time.Now(), stick.New(addresses(), nil)
	addr := netip.MustParseAddr("2001:db8::1")
	key := make([]byte, 0, 16)
	if n := alloctest.PerRun(100, func() {
		key = tab.AppendAddr(key[:0], addr)
		tab.Store(key, "a", now)
		tab.Match(key, now)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
