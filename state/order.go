package state

import "slices"

// order keeps the keys of a map in order at little cost: new ones wait in a list
// of their own until somebody needs the order.
type order struct {
	sorted []string // may have keys that were removed
	fresh  []string // not in order, may have keys twice
	gone   int      // how many may have to go
}

// mess is how many changes may wait beyond the number of keys.
const mess = 4096

// added tells of a key that was not there.
func (o *order) added(key string) { o.fresh = append(o.fresh, key) }

// removed tells of a key that was there.
func (o *order) removed() { o.gone++ }

// crowded tells whether so much waits that settling pays by itself.
func (o *order) crowded() bool { return len(o.fresh)+o.gone > len(o.sorted)+mess }

// settle makes sorted exactly the keys that are there.
func (o *order) settle(there func(string) bool) {
	if len(o.fresh) == 0 && o.gone == 0 {
		return
	}
	slices.Sort(o.fresh)
	merged := make([]string, 0, len(o.sorted)+len(o.fresh))
	for a, b := o.sorted, o.fresh; len(a) > 0 || len(b) > 0; {
		from := &a
		if len(a) == 0 || len(b) > 0 && b[0] < a[0] {
			from = &b
		}
		key := (*from)[0]
		*from = (*from)[1:]
		if there(key) && (len(merged) == 0 || merged[len(merged)-1] != key) {
			merged = append(merged, key)
		}
	}
	*o = order{sorted: merged}
}
