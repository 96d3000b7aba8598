package app

import (
	"errors"

	"doorward/config"
)

// Check reads the configuration and does a dry build: everything that a start
// would do but listening. Nothing is left behind by it: no file is made, no log
// opened, and the internal CA stays in memory. It returns all that is wrong with
// the configuration and all that is unwise in it.
func Check(o Options) config.Diagnostics {
	o.StateDir, o.dry = "", true
	g, err := build(o, nil)
	var faults *ConfigError
	if errors.As(err, &faults) {
		return faults.Diagnostics
	}
	g.discard(nil)
	return g.warnings
}
