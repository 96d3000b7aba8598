package table_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"doorward/internal/table"
)

// model is what a table of one shard must do, in the plainest form.
type model struct {
	o       table.Options
	entries []modelEntry // in the order of use, the oldest first
}

type modelEntry struct {
	key   string
	value int
	used  time.Time
	stay  table.Stay
}

func (m *model) stale(e modelEntry, now time.Time) bool {
	return m.o.Expire > 0 && e.stay != table.Pinned && now.Sub(e.used) >= m.o.Expire
}

func (m *model) expire(now time.Time) {
	m.entries = slices.DeleteFunc(m.entries, func(e modelEntry) bool { return m.stale(e, now) })
}

func (m *model) index(key string, now time.Time) int {
	m.expire(now)
	return slices.IndexFunc(m.entries, func(e modelEntry) bool { return e.key == key })
}

func (m *model) get(key string, now time.Time) (int, bool) {
	i := m.index(key, now)
	if i < 0 {
		return 0, false
	}
	e := m.entries[i]
	e.used = now
	m.entries = append(slices.Delete(m.entries, i, i+1), e)
	return e.value, true
}

func (m *model) put(key string, value int, stay table.Stay, now time.Time) bool {
	i := m.index(key, now)
	switch {
	case i >= 0:
		m.entries = slices.Delete(m.entries, i, i+1)
	case len(m.entries) < m.o.Size:
	case m.o.Refuse:
		return false
	default:
		i := m.victim()
		m.entries = slices.Delete(m.entries, i, i+1)
	}
	m.entries = append(m.entries, modelEntry{key, value, now, stay})
	return true
}

func (m *model) victim() int {
	oldest := func(stay table.Stay) int {
		return slices.IndexFunc(m.entries, func(e modelEntry) bool { return e.stay == stay })
	}
	firm := 0
	for _, e := range m.entries {
		if e.stay != table.Plain {
			firm++
		}
	}
	order := []table.Stay{table.Plain, table.Protected, table.Pinned}
	if firm > m.o.Size-m.o.Size/4 {
		order = []table.Stay{table.Protected, table.Pinned, table.Plain}
	}
	for _, stay := range order {
		if i := oldest(stay); i >= 0 {
			return i
		}
	}
	return -1
}

func (m *model) delete(key string, now time.Time) bool {
	i := m.index(key, now)
	if i >= 0 {
		m.entries = slices.Delete(m.entries, i, i+1)
	}
	return i >= 0
}

// list is the content as sorted lines.
func (m *model) list(now time.Time) []string {
	m.expire(now)
	var lines []string
	for _, e := range m.entries {
		left := e.used.Add(m.o.Expire).Sub(now)
		if m.o.Expire == 0 || e.stay == table.Pinned {
			left = 0
		}
		lines = append(lines, fmt.Sprint(e.key, " ", e.value, " ", left))
	}
	slices.Sort(lines)
	return lines
}

func list(tab *table.Table[int], page int, now time.Time) []string {
	var lines []string
	for from, more := table.Cursor(0), true; more; more = from != 0 {
		var entries []table.Entry[int]
		entries, from = tab.Page(from, page, now)
		for _, e := range entries {
			lines = append(lines, fmt.Sprint(e.Key, " ", e.Value, " ", e.Expires))
		}
	}
	slices.Sort(lines)
	return lines
}

// replay makes a table and its model do what a program says, three bytes a step,
// and compares them all the way.
func replay(t *testing.T, o table.Options, program []byte) {
	tab, m := table.New[int](o, nil), &model{o: o}
	now := time.Now()
	for step := 0; len(program) >= 3; step++ {
		op, name, arg := program[0], program[1], int(program[2])
		program = program[3:]
		text := fmt.Sprint("key ", name)
		if name%4 == 0 {
			text = fmt.Sprint("a key that is too long to be kept as it is ", name)
		}
		k := table.KeyOf([]byte(text))
		text = k.String()
		var got, want any
		switch op % 8 {
		case 0, 1, 2:
			v, ok := tab.Get(k, now)
			w, found := m.get(text, now)
			got, want = fmt.Sprint(v, ok), fmt.Sprint(w, found)
		case 3, 4, 5:
			stay := table.Stay(arg % 3)
			_, ok := tab.Update(k, now, func(v *int, _ bool) table.Stay {
				*v = arg
				return stay
			})
			got, want = ok, m.put(text, arg, stay, now)
		case 6:
			now = now.Add(time.Duration(arg) * time.Millisecond)
		case 7:
			m.expire(now)
			tab.Sweep(now)
			got, want = tab.Delete(k), m.delete(text, now)
		}
		if got != want {
			t.Fatalf("step %d, %d of %q with %d: %v, want %v", step, op%8, text, arg, got, want)
		}
		if step%16 != 0 {
			continue
		}
		if err := tab.Check(); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
	}
	if got, want := list(tab, 7, now), m.list(now); !slices.Equal(got, want) {
		t.Fatalf("entries %q, want %q", got, want)
	}
}

func modelOptions(n uint8) table.Options {
	return table.Options{
		Size:   1 + int(n)%40,
		Expire: time.Duration(n%3) * 300 * time.Millisecond,
		Refuse: n%5 == 0,
	}
}

func FuzzAgainstModel(f *testing.F) {
	f.Add(uint8(7), []byte{3, 1, 1, 3, 2, 2, 0, 1, 0, 6, 0, 200, 0, 2, 0, 7, 1, 0})
	f.Fuzz(func(t *testing.T, bounds uint8, program []byte) {
		replay(t, modelOptions(bounds), program)
	})
}
