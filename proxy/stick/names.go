package stick

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxNames is how many names of servers a table knows at most.
	maxNames = 2048
	// pruneEvery bounds how often names that no entry uses are looked for, since
	// that means to look at every entry.
	pruneEvery = time.Minute
)

// names gives the names of servers numbers, which fit into slots. A number never
// comes back with another name: an entry that was stored while its name was being
// dropped leads nowhere, not to a stranger.
type names struct {
	current atomic.Pointer[directory]
	refused atomic.Int64

	mu     sync.Mutex
	last   uint32
	pruned time.Time
}

// directory is never changed, only replaced.
type directory struct {
	ids   map[string]uint32
	names map[uint32]string
}

func newNames() *names {
	n := &names{}
	n.current.Store(&directory{map[string]uint32{}, map[uint32]string{}})
	return n
}

func (n *names) id(name string) (uint32, bool) {
	id, ok := n.current.Load().ids[name]
	return id, ok
}

func (n *names) name(id uint32) (string, bool) {
	name, ok := n.current.Load().names[id]
	return name, ok
}

// add gives a name a number. When there are too many it drops those that are not
// in use, and says no if that does not help.
func (n *names) add(name string, used func() map[uint32]bool, now time.Time) (uint32, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	old := n.current.Load()
	if id, ok := old.ids[name]; ok {
		return id, true
	}
	next := &directory{maps.Clone(old.ids), maps.Clone(old.names)}
	if len(next.ids) >= maxNames && now.Sub(n.pruned) >= pruneEvery {
		n.pruned = now
		next.prune(used())
	}
	if len(next.ids) >= maxNames {
		n.refused.Add(1)
		return 0, false
	}
	n.last++
	next.ids[name], next.names[n.last] = n.last, name
	n.current.Store(next)
	return n.last, true
}

func (d *directory) prune(used map[uint32]bool) {
	for id, name := range d.names {
		if !used[id] {
			delete(d.names, id)
			delete(d.ids, name)
		}
	}
}
