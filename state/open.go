package state

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Options is what a store may be given beside its place.
type Options struct {
	Log *zap.Logger      // nil: silent but for panics, which go to standard error
	Now func() time.Time // the clock that entries expire by; nil: time.Now
}

// Open opens the store that a URL names:
//
//	file:/var/lib/doorward   the file doorward.db in that folder, which is made if absent
//	memory: or nothing       memory, lost when the process ends
//
// The folder has to be absolute. A file has one user at a time: another process
// that opens it waits a second and gets ErrLocked. ErrDamaged is a file that
// cannot be right; it is left as it is.
func Open(url string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	scheme, rest, _ := strings.Cut(url, ":")
	switch scheme {
	case "", "memory":
		if rest != "" {
			return nil, errors.New("state: memory has no path: write \"memory:\" alone")
		}
		return New(newMemory(o)), nil
	case "file":
		folder, err := folderOf(rest)
		if err != nil {
			return nil, err
		}
		engine, err := openFile(folder, o)
		if err != nil {
			return nil, fmt.Errorf("state: %w", err)
		}
		return New(engine), nil
	case "redis", "rediss", "redis-sentinel", "redis-cluster":
		return nil, fmt.Errorf("state: %s is not available in this version: use file:FOLDER", scheme)
	}
	// The URL is not shown: it may hold a password.
	return nil, errors.New("state: the URL has to begin with \"file:\" or \"memory:\"")
}

// folderOf takes what follows "file:", also with the empty host of "file:///path".
func folderOf(rest string) (string, error) {
	path := strings.TrimPrefix(rest, "//")
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("state: file:%s: the folder has to be absolute,"+
			" such as file:/var/lib/doorward", rest)
	}
	return filepath.Clean(path), nil
}
