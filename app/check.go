package app

import (
	"doorward/config"
)

// Check reads the configuration and does a dry build: everything a start would
// do but listening. It returns warnings in words, and an error that holds all
// that is wrong.
func Check(o Options) (warnings []string, err error) {
	cfg, found := config.Load(o.Path, o.Env)
	for _, d := range found.Warnings() {
		warnings = append(warnings, d.String())
	}
	if errs := found.Errors(); len(errs) > 0 {
		return warnings, &ConfigError{errs}
	}
	// A dry build must leave nothing behind, so the internal CA stays in memory.
	o.StateDir = ""
	g, err := build(cfg, o, nil)
	if err != nil {
		return warnings, err
	}
	g.discard(nil)
	return append(warnings, g.warnings...), nil
}
