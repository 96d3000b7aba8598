package app

import (
	"cmp"
	"errors"

	"doorward/config"
	"doorward/state"
)

// errMoved refuses a reload that would leave behind what the store holds.
var errMoved = errors.New("the place of the state cannot change while Doorward runs: restart it")

// stateFolder is where state is kept, "" for memory.
func (o Options) stateFolder(cfg *config.Config) string {
	return cmp.Or(cfg.State.URL.Folder(), o.StateDir)
}

// warnMemory warns of what a restart costs when state is in memory. A check does not know
// what the service will be started with.
func (g *generation) warnMemory(o Options, at config.Diagnostic, cost string) {
	if o.stateFolder(g.cfg) != "" || o.dry {
		return
	}
	at.Severity, at.Message, at.Hint = config.Warning, cost, "set state.url"
	g.warnings = append(g.warnings, at)
}

// openStore opens the store, or goes on with that of the previous generation. A dry
// build has one in memory.
func (g *generation) openStore(o Options, previous *generation) (err error) {
	at := g.cfg.At("state", "url")
	switch {
	case previous == nil:
		url := "memory:"
		if dir := o.stateFolder(g.cfg); dir != "" && !o.dry {
			url = "file:" + dir
		}
		g.store, err = state.Open(url, state.Options{Log: g.log})
	case o.stateFolder(previous.cfg) != o.stateFolder(g.cfg):
		err = errMoved
	default:
		g.store = previous.store
	}
	return placed(at, err)
}

func (g *generation) closeStore() {
	if g.store != nil {
		_ = g.store.Close() // what was written is written
	}
}
