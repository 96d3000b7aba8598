package app_test

import (
	"testing"

	"doorward/app"
)

func TestToolchainWarnsOfUnsafeReleases(t *testing.T) {
	for version, unsafe := range map[string]bool{
		"go1.27.4": false, "go1.27.5": false, "go1.28": false, "go1.28rc1": false,
		"go1.26.11": false, "go1.26.12": false, "go1.27.4 X:jsonv2": false,
		"go1.27.3": true, "go1.27.0": true, "go1.27": true, "go1.27rc2": true,
		"go1.26.10": true, "go1.26": true, "go1.25.99": true, "go1.27.3-custom": true,
		"devel go1.29-0123abc": false, "go2.0": false, "": false,
	} {
		if got := app.Toolchain(version); (got != "") != unsafe {
			t.Errorf("%s: %q, want a warning: %v", version, got, unsafe)
		}
	}
}
