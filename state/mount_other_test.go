//go:build !linux

package state_test

import (
	"errors"
	"testing"
)

func noSpaceLeft(t *testing.T) { t.Skip("needs namespaces of Linux") }

func readOnly(t *testing.T) { t.Skip("needs namespaces of Linux") }

func fillMounted(string) error { return errors.ErrUnsupported }

func openReadOnly(string) error { return errors.ErrUnsupported }
