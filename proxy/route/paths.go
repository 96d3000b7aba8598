package route

import (
	"bytes"
	"fmt"
)

// Paths is a set of paths, written as those of a [Rule]. The zero Paths holds none.
type Paths struct {
	keys []pathKey
}

// ParsePaths compiles a set.
func ParsePaths(entries []string) (Paths, error) {
	var p Paths
	for _, entry := range entries {
		k, err := compilePath(entry)
		if err != nil {
			return Paths{}, fmt.Errorf("%q: %w", entry, err)
		}
		p.keys = append(p.keys, k)
	}
	return p, nil
}

// Has tells whether a canonical path is in the set. One that some software reads as
// another path is in none: of its readings, all would have to be.
func (p Paths) Has(path []byte) bool {
	if len(p.keys) == 0 || bytes.Contains(path, []byte("%2F")) || bytes.Contains(path, []byte("%5C")) {
		return false
	}
	for i := range p.keys {
		if p.keys[i].has(path) {
			return true
		}
	}
	return false
}

func (k *pathKey) has(path []byte) bool {
	switch {
	case k.re != nil:
		return k.re.Match(path)
	case k.kind == exactPath:
		return string(path) == k.text
	}
	n := len(k.text)
	return len(path) >= n && string(path[:n]) == k.text && (len(path) == n || path[n] == '/')
}
