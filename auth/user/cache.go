package user

import (
	"maps"
	"sync/atomic"
)

// cacheSize is how many values a Cache holds: more than most configurations have
// routes.
const cacheSize = 1000

// Cache keeps a few values under keys that are pointers. It may be read and
// written by many goroutines; reading allocates nothing. The zero value is empty.
type Cache struct {
	entries atomic.Pointer[map[any]any]
}

// Get returns the value under the key, nil when there is none.
func (c *Cache) Get(key any) any {
	if entries := c.entries.Load(); entries != nil {
		return (*entries)[key]
	}
	return nil
}

// Put keeps the value, in place of one under the same key. When there is no room all
// others go: their keys may be of a configuration that is no more.
func (c *Cache) Put(key, value any) {
	for {
		old := c.entries.Load()
		next := map[any]any{}
		if old != nil && len(*old) < cacheSize {
			next = maps.Clone(*old)
		}
		next[key] = value
		if c.entries.CompareAndSwap(old, &next) {
			return
		}
	}
}
