package app

import (
	"maps"
	"net/http"
	"slices"
	"time"
)

// CgroupMemory is cgroupMemory for tests.
func CgroupMemory(read func(string) ([]byte, error)) int64 { return cgroupMemory(read) }

// Connections are those taken since the start.
func (a *App) Connections() int64 { return a.engine.Counters().Connections.Load() }

// Commands are the methods and paths that the control socket answers.
func Commands() []string { return slices.Sorted(maps.Keys((&App{}).commands())) }

// Orders is who orders certificates now.
func (a *App) Orders() any { return a.live.Load().orders }

// Unhurried is unhurried for tests.
func Unhurried(do http.Handler, most time.Duration) http.Handler { return unhurried(do, most) }
