package app_test

import (
	"io/fs"
	"math"
	"os"
	"runtime/debug"
	"testing"

	"doorward/app"
)

func TestMemoryOfTheControlGroup(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"none":         {nil, 0},
		"version 1":    {map[string]string{"/proc/self/cgroup": "5:memory:/a\n"}, 0},
		"no limit":     {map[string]string{"/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/memory.max": "max\n"}, 0},
		"in container": {map[string]string{"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "268435456\n"}, 256 << 20},
		"of the unit": {map[string]string{
			"/proc/self/cgroup": "0::/system.slice/doorward.service\n",
			"/sys/fs/cgroup/system.slice/doorward.service/memory.max": "1000\n",
			"/sys/fs/cgroup/system.slice/memory.max":                  "2000\n",
		}, 1000},
		"above the unit": {map[string]string{
			"/proc/self/cgroup": "0::/system.slice/doorward.service\n",
			"/sys/fs/cgroup/system.slice/doorward.service/memory.max": "max\n",
			"/sys/fs/cgroup/system.slice/memory.max":                  "2000\n",
		}, 2000},
	} {
		t.Run(name, func(t *testing.T) {
			got := app.CgroupMemory(func(file string) ([]byte, error) {
				if text, ok := test.files[file]; ok {
					return []byte(text), nil
				}
				return nil, fs.ErrNotExist
			})
			if got != test.want {
				t.Errorf("%d bytes, want %d", got, test.want)
			}
		})
	}
}

func TestMemorySettingsOfTheOperatorStand(t *testing.T) {
	percent, limit := debug.SetGCPercent(123), debug.SetMemoryLimit(math.MaxInt64-1)
	defer debug.SetGCPercent(percent)
	defer debug.SetMemoryLimit(limit)
	app.TuneMemory(func(string) (string, bool) { return "chosen", true })
	if got := debug.SetGCPercent(123); got != 123 {
		t.Errorf("GOGC became %d", got)
	}
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64-1 {
		t.Errorf("GOMEMLIMIT became %d", got)
	}
	app.TuneMemory(func(string) (string, bool) { return "", false })
	if got := debug.SetGCPercent(123); got != 50 {
		t.Errorf("GOGC is %d, want 50", got)
	}
	if _, err := os.Stat("/sys/fs/cgroup"); err != nil && debug.SetMemoryLimit(-1) != math.MaxInt64-1 {
		t.Error("a memory limit without a control group")
	}
}
