package app

import (
	"errors"
	"slices"

	"go.uber.org/zap"

	"doorward/config"
	"doorward/proxy"
	"doorward/proxy/backend"
	"doorward/tls"
)

// generation is everything built from one configuration.
type generation struct {
	cfg      *config.Config
	snapshot *proxy.Snapshot
	backends map[string]*backend.Backend
	certs    *tls.Manager
	logSet
	warnings config.Diagnostics
}

// build reads the configuration and makes a generation from it. Parts of the
// previous one whose configuration is the same live on in it. It gathers every
// error it can find; they come as a *ConfigError.
func build(o Options, previous *generation) (*generation, error) {
	cfg, found := config.Load(o.Path, o.Env)
	if len(found.Errors()) > 0 {
		return nil, &ConfigError{found}
	}
	g := &generation{cfg: cfg, warnings: found}
	err := errors.Join(
		g.buildLogs(o, previous),
		g.buildTLS(o, previous),
		g.buildBackends(previous),
		g.buildSnapshot(),
	)
	if err != nil {
		g.discard(previous)
		faults := diagnose(err, config.Diagnostic{File: cfg.Files[0]})
		return nil, &ConfigError{slices.Concat(faults, g.warnings)}
	}
	return g, nil
}

// discard undoes a build that did not come into force.
func (g *generation) discard(previous *generation) {
	for name, b := range g.backends {
		var live *backend.Backend
		if previous != nil {
			live = previous.backends[name]
		}
		b.Retire(live)
	}
	g.discardLogs(previous)
}

// retire ends what the next generation does not share.
func (g *generation) retire(next *generation) {
	for name, b := range g.backends {
		b.Retire(next.backends[name])
	}
}

// warn writes what is legal but unwise.
func (g *generation) warn() {
	for _, w := range g.warnings {
		g.log.Warn("configuration", zap.Stringer("warning", w))
	}
}
