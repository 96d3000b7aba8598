package app

import (
	"doorward/internal/tally"
	"doorward/proxy/backend"
)

// departed is what servers counted that their backend has no more, by backend: to
// programs that read them, counters that fall are a restart. It belongs to whoever
// holds App.mu.
type departed map[string]tally.Totals

// swap notes which servers of before are not in now. What is known of backends that
// are no more goes with them.
func (d departed) swap(before, now map[string]*backend.Backend) {
	for name, b := range before {
		next := now[name]
		if next == nil {
			delete(d, name)
			continue
		}
		sum := d[name]
		for _, s := range b.Servers() {
			if next.Server(s.Name()) == nil {
				counted := s.Tally().Sum()
				sum.Add(&counted)
			}
		}
		d[name] = sum
	}
}
