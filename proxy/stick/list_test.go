package stick_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"doorward/proxy/stick"
)

func TestEntriesShowAddresses(t *testing.T) {
	now := time.Now()
	for bits, want := range map[int][]string{
		0:  {"192.0.2.1 a", "2001:db8::1 b"},
		64: {"192.0.2.1 a", "2001:db8::/64 b"},
	} {
		o := addresses()
		o.IPv6Prefix = bits
		tab := stick.New(o, nil)
		tab.Store(client(tab, "192.0.2.1"), "a", now)
		tab.Store(client(tab, "2001:db8::1"), "b", now)
		if got := rows(tab, now); !slices.Equal(got, want) {
			t.Errorf("prefix %d: entries %q, want %q", bits, got, want)
		}
		list, _ := tab.Entries(0, 1, now.Add(10*time.Minute))
		if got := list[0].Expires; got != 20*time.Minute {
			t.Errorf("expires in %v, want 20 minutes", got)
		}
	}
}

func TestDelete(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		bits int
		text string
		want bool
	}{
		{128, "2001:db8::1", true},
		{128, "2001:0db8:0::0001", true},
		{128, "2001:db8::/64", false},
		{64, "2001:db8::/64", true},
		{64, "2001:db8::99", true},
		{64, "2001:db8::/48", false},
		{64, "::ffff:192.0.2.1", true},
		{64, "192.0.2.1/32", true},
		{64, "192.0.2.0/24", false},
		{64, "192.0.2.2", false},
		{64, "nonsense", false},
		{64, "", false},
	} {
		o := addresses()
		o.IPv6Prefix = c.bits
		tab := stick.New(o, nil)
		tab.Store(client(tab, "192.0.2.1"), "a", now)
		tab.Store(client(tab, "2001:db8::1"), "b", now)
		if _, found := tab.Find(c.text, now); found != c.want {
			t.Errorf("prefix %d: Find(%q) = %v, want %v", c.bits, c.text, found, c.want)
		}
		if got := tab.Delete(c.text); got != c.want || (tab.Len(now) == 1) != c.want {
			t.Errorf("prefix %d: Delete(%q) = %v and leaves %d, want %v",
				c.bits, c.text, got, tab.Len(now), c.want)
		}
	}
}

// Who looks at an entry does not keep it alive.
func TestFindIsNoUse(t *testing.T) {
	now, tab := time.Now(), stick.New(addresses(), nil)
	tab.Store(client(tab, "192.0.2.1"), "a", now)
	before := tab.Counters()
	want := stick.Entry{Key: "192.0.2.1", Server: "a", Expires: 10 * time.Minute}
	if got, ok := tab.Find("::ffff:192.0.2.1", now.Add(20*time.Minute)); got != want || !ok {
		t.Errorf("Find: %+v, %v; want %+v", got, ok, want)
	}
	if got, ok := tab.Find("192.0.2.1", now.Add(31*time.Minute)); ok {
		t.Errorf("the entry has expired, Find has %+v", got)
	}
	if after := tab.Counters(); after != before {
		t.Errorf("counters were %+v, are %+v", before, after)
	}
}

// What a listing shows can be deleted, whatever a client sent.
func TestWhatIsShownCanBeDeleted(t *testing.T) {
	now, tab := time.Now(), stick.New(texts(), nil)
	shown := func(key []byte) bool {
		if len(key) == 0 {
			return true
		}
		tab.Store(key, "a", now)
		list, _ := tab.Entries(0, 2, now)
		return len(list) == 1 && tab.Delete(list[0].Key) && tab.Len(now) == 0
	}
	if err := quick.Check(shown, nil); err != nil {
		t.Error(err)
	}
	for _, key := range []string{
		`"`, `"quoted"`, "…", strings.Repeat("k", 31), strings.Repeat("ü", 16), strings.Repeat("k", 9000),
	} {
		if !shown([]byte(key)) {
			t.Errorf("%q cannot be deleted as it is shown", key)
		}
		if tab.Store([]byte(key), "a", now); key[0] != '"' && !tab.Delete(key) {
			t.Errorf("%q cannot be deleted as it is", key)
		}
		tab.Clear()
	}
}

func TestDeleteServerAndClear(t *testing.T) {
	now, tab := time.Now(), stick.New(texts(), nil)
	for i := range 90 {
		tab.Store([]byte{'k', byte(i)}, []string{"a", "b", "c"}[i%3], now)
	}
	if n := tab.DeleteServer("b"); n != 30 || tab.Len(now) != 60 {
		t.Errorf("DeleteServer = %d and leaves %d, want 30 and 60", n, tab.Len(now))
	}
	wantMatch(t, tab, []byte{'k', 1}, now, "")
	wantMatch(t, tab, []byte{'k', 2}, now, "c")
	if n := tab.DeleteServer("nobody"); n != 0 {
		t.Errorf("DeleteServer of a name that is unknown = %d", n)
	}
	if n := tab.Clear(); n != 60 || tab.Len(now) != 0 {
		t.Errorf("Clear = %d and leaves %d, want 60 and 0", n, tab.Len(now))
	}
}

func FuzzDelete(f *testing.F) {
	f.Add([]byte("abc"), "abc")
	f.Add(bytes.Repeat([]byte{0xff}, 40), `"\xff`)
	f.Fuzz(func(t *testing.T, key []byte, text string) {
		now := time.Now()
		for _, o := range []stick.Options{texts(), addresses()} {
			tab := stick.New(o, nil)
			tab.Delete(text)
			tab.Store(key, "a", now)
			list, _ := tab.Entries(0, 2, now)
			if o.Text && len(key) > 0 && !tab.Delete(list[0].Key) {
				t.Errorf("%q is shown as %s and cannot be deleted", key, list[0].Key)
			}
		}
	})
}
