package user

import "sync/atomic"

// cacheSize is how many values a Cache holds: more than there are kinds of them
// under one configuration.
const cacheSize = 64

// Cache keeps a few values under keys that are pointers. It may be read and
// written by many goroutines; reading allocates nothing. The zero value is empty.
type Cache struct {
	entries atomic.Pointer[[]cached]
}

type cached struct{ key, value any }

// Get returns the value under the key, nil when there is none.
func (c *Cache) Get(key any) any {
	entries := c.entries.Load()
	if entries == nil {
		return nil
	}
	for i := range *entries {
		if e := &(*entries)[i]; e.key == key {
			return e.value
		}
	}
	return nil
}

// Put keeps the value, in place of one under the same key. The oldest goes when
// there is no room: its key may be of a configuration that is no more.
func (c *Cache) Put(key, value any) {
	for {
		old := c.entries.Load()
		next := make([]cached, 0, 4)
		if old != nil {
			for _, e := range *old {
				if e.key != key {
					next = append(next, e)
				}
			}
		}
		if len(next) >= cacheSize {
			next = next[1:]
		}
		next = append(next, cached{key, value})
		if c.entries.CompareAndSwap(old, &next) {
			return
		}
	}
}
