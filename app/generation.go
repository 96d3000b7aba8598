package app

import (
	"crypto/sha256"
	"errors"
	"slices"

	"go.uber.org/zap"

	"doorward/alert"
	"doorward/config"
	"doorward/health"
	"doorward/internal/tally"
	"doorward/proxy"
	"doorward/proxy/backend"
	"doorward/proxy/limit"
	"doorward/state"
	"doorward/tls"
	"doorward/tls/acme"
)

// generation is everything built from one configuration.
type generation struct {
	cfg      *config.Config
	snapshot *proxy.Snapshot
	backends map[string]*backend.Backend
	// persistence is by backend, limiters and traffic (of routes) by name.
	persistence map[string]proxy.Persistence
	limiters    map[string]*limit.Limiter
	traffic     map[string]*tally.Tally
	// targets are the servers to check.
	targets []health.Target
	certs   *tls.Manager
	// orders orders certificates; nil is nobody. roots is whom it trusts when it asks.
	orders *acme.Manager
	roots  [sha256.Size]byte
	// clientCAs are whom routes trust to sign certificates of clients, by file;
	// clientFields what servers are told about these, and clients may not send.
	clientCAs    map[string]*tls.ClientCA
	clientFields []string
	quic         quicSettings
	// store outlives the generation, and all that follow it.
	store  *state.Store
	alerts *alert.Alerter
	board  *board
	// desk outlives the generation, signIn is what people sign in with under it; nil
	// when nobody can.
	desk   *desk
	signIn *signIn
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
	built := false
	defer func() { // after a panic too
		if !built {
			g.discard(previous)
		}
	}()
	err := errors.Join(
		g.buildLogs(o, previous),
		g.openStore(o, previous),
	)
	if err == nil {
		err = g.buildParts(o, previous)
	}
	if err != nil {
		faults := diagnose(err, config.Diagnostic{File: cfg.Files[0]})
		return nil, &ConfigError{slices.Concat(faults, g.warnings)}
	}
	built = true
	return g, nil
}

func (g *generation) buildParts(o Options, previous *generation) error {
	g.buildLimits(previous)
	g.buildBoard(o, previous)
	return errors.Join(
		g.buildACME(o, previous),
		g.buildTLS(o, previous),
		g.buildBackends(previous),
		g.buildPersistence(previous),
		g.buildChecks(),
		g.buildAlerts(previous),
		g.buildSignIn(o, previous),
		g.buildSnapshot(previous),
	)
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
	g.stopAlerts(previous)
	g.closeOrders(previous)
	g.closeBoard(previous)
	g.closeProviders(previous)
	g.closeDesk(previous)
	if previous == nil {
		g.closeStore()
	}
	g.discardLogs(previous)
}

// retire ends what the next generation does not share, but for the alerts.
func (g *generation) retire(next *generation) {
	for name, b := range g.backends {
		b.Retire(next.backends[name])
	}
	g.closeOrders(next)
	g.closeBoard(next)
	g.closeProviders(next)
	g.closeDesk(next)
}

// warn writes what is legal but unwise.
func (g *generation) warn() {
	for _, w := range g.warnings {
		g.log.Warn("configuration", zap.Stringer("warning", w))
	}
}
