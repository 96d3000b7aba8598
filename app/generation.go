package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
	warnings []string
}

// build makes a generation. Parts of the previous one whose configuration is the
// same live on in it. It gathers every error it can find.
func build(cfg *config.Config, o Options, previous *generation) (*generation, error) {
	g := &generation{cfg: cfg}
	var errs []error
	note := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	note(g.buildLogs(previous))
	note(g.buildTLS(o, previous))
	note(g.buildBackends(previous))
	note(g.buildSnapshot())
	if len(errs) > 0 {
		g.discard(previous)
		return nil, errors.Join(errs...)
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
	g.retireLogs(next)
}

// warn writes what is legal but unwise.
func (g *generation) warn() {
	for _, w := range g.warnings {
		g.log.Warn("configuration", zap.String("warning", w))
	}
}

// diff says in words what is different from the old generation.
func (g *generation) diff(old *generation) string {
	var parts []string
	add := func(what string, was, is []string) {
		added, removed := missing(was, is), missing(is, was)
		if len(added) > 0 {
			parts = append(parts, what+" added: "+strings.Join(added, ", "))
		}
		if len(removed) > 0 {
			parts = append(parts, what+" removed: "+strings.Join(removed, ", "))
		}
	}
	add("listeners", addresses(old.cfg), addresses(g.cfg))
	add("routes", routeNames(old.cfg), routeNames(g.cfg))
	add("backends", backendNames(old.cfg), backendNames(g.cfg))
	add("servers", serverNames(old.cfg), serverNames(g.cfg))
	if len(parts) == 0 {
		return "no routes, backends, servers or listeners added or removed"
	}
	return strings.Join(parts, "; ")
}

// missing are the names of is that was has not.
func missing(was, is []string) []string {
	known := map[string]bool{}
	for _, n := range was {
		known[n] = true
	}
	var out []string
	for _, n := range is {
		if !known[n] {
			out = append(out, n)
		}
	}
	return out
}

func routeNames(cfg *config.Config) (names []string) {
	for i := range cfg.Routes {
		names = append(names, cfg.Routes[i].Name)
	}
	return names
}

func backendNames(cfg *config.Config) (names []string) {
	for _, b := range sortedBackends(cfg) {
		names = append(names, b.Name)
	}
	return names
}

func serverNames(cfg *config.Config) (names []string) {
	for _, b := range sortedBackends(cfg) {
		for _, s := range b.Servers {
			names = append(names, fmt.Sprintf("%s/%s (%s)", b.Name, s.Name, s.URL))
		}
	}
	return names
}

// closeLogs writes out what the logs still hold.
func (g *generation) closeLogs(ctx context.Context) error { return g.logSet.close(ctx) }
