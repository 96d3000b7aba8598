package route

import "hash/maphash"

// hosts finds the group of a host. A Go map would do as well; this table exists
// because a lookup in a large map waits for memory four times and here twice,
// for a slot and for a name, so that 10,000 hosts cost hardly more than 10.
type hosts struct {
	seed maphash.Seed
	// slots is a hash table with linear probing, a power of two long and at most
	// half full.
	slots  []hostSlot
	names  []byte
	groups []group
}

type hostSlot struct {
	hash uint32
	// start and end are where the name stands in names; end is 0 in empty slots.
	start, end uint32
	group      int32
	// sole is that of the group, so that the group need not be looked at.
	sole int32
}

// newHosts returns a table with room for n hosts.
func newHosts(n int) hosts {
	size := 1
	for size < 2*n {
		size *= 2
	}
	return hosts{seed: maphash.MakeSeed(), slots: make([]hostSlot, size)}
}

// add adds a host that is not in the table.
func (h *hosts) add(name string, g group) {
	s := hostSlot{
		hash:  uint32(maphash.String(h.seed, name)),
		start: uint32(len(h.names)),
		end:   uint32(len(h.names) + len(name)),
		group: int32(len(h.groups)),
		sole:  g.sole,
	}
	h.names = append(h.names, name...)
	h.groups = append(h.groups, g)
	i := s.hash & h.mask()
	for h.slots[i].end != 0 {
		i = (i + 1) & h.mask()
	}
	h.slots[i] = s
}

// find returns the group of name and the group's sole; nil if there is none.
func (h *hosts) find(name []byte) (*group, int32) {
	if len(h.groups) == 0 {
		return nil, none
	}
	hash := uint32(maphash.Bytes(h.seed, name))
	for i := hash & h.mask(); ; i = (i + 1) & h.mask() {
		s := &h.slots[i]
		if s.end == 0 {
			return nil, none
		}
		if s.hash == hash && string(h.names[s.start:s.end]) == string(name) {
			return &h.groups[s.group], s.sole
		}
	}
}

func (h *hosts) mask() uint32 { return uint32(len(h.slots) - 1) }
