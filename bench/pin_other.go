//go:build !linux

package main

import (
	"errors"
	"os/exec"
)

// twoCores refuses: without /proc and processor affinity there is nothing to
// measure with.
func twoCores() (cores, error) {
	return cores{}, errors.New("the benchmark needs Linux: it pins programs to cores and reads /proc")
}

func startOn(_ int, cmd *exec.Cmd) error { return cmd.Start() }
