package main

import (
	"fmt"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// twoCores picks the first two cores this process may use, and lets the programs
// it starts open as many files as the system allows: thousands of connections
// come next.
func twoCores() (cores, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return cores{}, err
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return cores{}, err
	}
	var mine unix.CPUSet
	if err := unix.SchedGetaffinity(0, &mine); err != nil {
		return cores{}, err
	}
	var usable []int
	for core := range len(mine) * 64 {
		if mine.IsSet(core) {
			usable = append(usable, core)
		}
	}
	if len(usable) < 2 {
		return cores{}, fmt.Errorf("one core is not enough: the proxy has one, the load another")
	}
	return cores{proxy: usable[0], load: usable[1]}, nil
}

// before is how much earlier than other work (0) the programs get their turn,
// where the kernel lets us: root only.
const before = -15

// startOn starts a program on one core, and before other work on it. A child
// inherits both from the thread that makes it, so no tool has to run in between.
func startOn(core int, cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var mine, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &mine); err != nil {
		return err
	}
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, before)
	err := cmd.Start()
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 0)
	if back := unix.SchedSetaffinity(0, &mine); err == nil {
		err = back
	}
	return err
}
