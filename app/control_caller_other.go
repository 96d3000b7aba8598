//go:build !linux && !darwin

package app

import "errors"

// peerUser is not to be had here.
func peerUser(int) (uint32, error) { return 0, errors.ErrUnsupported }
