package stick

import (
	"net/netip"
	"time"

	"doorward/internal/table"
)

// Entry is one row of a listing.
type Entry struct {
	// Key is the key as text. An address is itself, a network when clients are
	// told apart by it; text is itself, quoted if it holds what cannot be printed,
	// and cut when it is long, with a digest of the whole.
	Key string
	// Server is the name of the server.
	Server string
	// Expires is how long the entry has left without another use; 0 is for ever.
	Expires time.Duration
}

// Cursor is a place in a listing; the zero Cursor is the beginning.
type Cursor = table.Cursor

// Entries lists up to n entries from a place on, in no order, and returns the
// place to go on from, 0 at the end. Requests wait for it a moment at most.
func (t *Table) Entries(from Cursor, n int, now time.Time) ([]Entry, Cursor) {
	rows, next := t.entries.Page(from, n, now)
	page := make([]Entry, 0, len(rows))
	for _, row := range rows {
		if name, ok := t.names.name(row.Value); ok {
			page = append(page, Entry{t.text(row.Key), name, row.Expires})
		}
	}
	return page, next
}

// Find returns the entry of one key, given as for Delete. Unlike Match it is no use
// of it.
func (t *Table) Find(key string, now time.Time) (Entry, bool) {
	k, ok := t.parse(key)
	if !ok {
		return Entry{}, false
	}
	row, ok := t.entries.Peek(k, now)
	if !ok {
		return Entry{}, false
	}
	name, ok := t.names.name(row.Value)
	return Entry{t.text(row.Key), name, row.Expires}, ok
}

// Clear forgets everybody and tells how many there were.
func (t *Table) Clear() int { return t.entries.Clear() }

// Delete forgets one key, in the form that Entries shows it or as it is, and tells
// whether it was there. An address stands for the network it is in.
func (t *Table) Delete(key string) bool {
	k, ok := t.parse(key)
	return ok && t.entries.Delete(k)
}

// DeleteServer forgets whoever belongs to a server, and tells how many did.
func (t *Table) DeleteServer(name string) int {
	id, ok := t.names.id(name)
	if !ok {
		return 0
	}
	return t.entries.DeleteFunc(func(_ table.Key, v uint32) bool { return v == id })
}

func (t *Table) text(k table.Key) string {
	if t.options.Text {
		return k.String()
	}
	a, ok := netip.AddrFromSlice(k.Append(nil))
	switch {
	case !ok:
		return k.String()
	case a.Is4() || t.options.IPv6Prefix == 128:
		return a.String()
	}
	return netip.PrefixFrom(a, t.options.IPv6Prefix).String()
}

func (t *Table) parse(text string) (table.Key, bool) {
	if t.options.Text {
		return table.ParseKey(text), true
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		p, err := netip.ParsePrefix(text)
		if err != nil || p.Bits() != table.Network(p.Addr(), t.options.IPv6Prefix).Bits() {
			return table.Key{}, false
		}
		a = p.Addr()
	}
	return table.KeyOf(t.AppendAddr(nil, a)), true
}
