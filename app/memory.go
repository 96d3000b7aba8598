package app

import (
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

const (
	// garbage is GOGC: the heap may grow to one and a half times what is in use
	// before it is collected. Requests on open connections make no garbage, and for
	// new TLS connections no difference to Go's 100 could be measured, while 2,000
	// idle ones hold a third less memory.
	garbage = 50
	// limitShare is the part of the memory of a container, in percent, near which
	// the collector works harder rather than let the kernel end the process.
	limitShare = 90
)

// TuneMemory sets how the garbage collector works, except for what the operator
// chose with GOGC and GOMEMLIMIT, which env looks up. It concerns the whole
// process and is called once, at its start.
func TuneMemory(env func(string) (string, bool)) {
	if _, chosen := env("GOGC"); !chosen {
		debug.SetGCPercent(garbage)
	}
	if _, chosen := env("GOMEMLIMIT"); chosen {
		return
	}
	if limit := cgroupMemory(os.ReadFile); limit > 0 {
		debug.SetMemoryLimit(limit / 100 * limitShare)
	}
}

// cgroupMemory is the memory that the control group (version 2) of the process
// and those above it leave to it, 0 for no limit.
func cgroupMemory(read func(string) ([]byte, error)) int64 {
	membership, err := read("/proc/self/cgroup")
	if err != nil {
		return 0
	}
	group, ok := strings.CutPrefix(strings.TrimSpace(string(membership)), "0::/")
	if !ok {
		return 0
	}
	least := int64(math.MaxInt64)
	for ; ; group = path.Dir(group) {
		text, err := read(path.Join("/sys/fs/cgroup", group, "memory.max"))
		if limit, bad := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && bad == nil {
			least = min(least, limit)
		}
		if group == "." || group == "" || group == "/" {
			break
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}
