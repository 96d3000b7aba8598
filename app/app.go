// Package app is the running instance: it builds a generation from a
// configuration, opens listeners, swaps generations on reload and stops in good
// order.
//
// It is the only package that knows all others. The build_*.go files translate
// one section of the configuration each into the options of the package that
// does the work, so that no other package imports config. The package sees no
// flag and no signal: those belong to cmd/doorward.
//
//	file -> config.Load -> build (may fail, undoes itself) -> listeners opened
//	     -> one swap -> the old generation retires
package app

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"go.uber.org/zap"

	"doorward/config"
	"doorward/proxy"
)

// Options are what an App gets from outside.
type Options struct {
	// Path is the configuration file; Reload reads it again.
	Path string
	// Env looks up environment variables for ${NAME}.
	Env func(string) (string, bool)
	// StateDir keeps what must outlive the process, "" is memory only.
	StateDir string
	// Version stands in the log and at the control socket.
	Version string
}

// App is one running instance.
type App struct {
	options Options

	// Long-lived: made once, kept across reloads.
	engine    *proxy.Engine
	places    *places
	listeners map[string]*listener
	control   *control
	started   time.Time

	// mu keeps reloads and Stop apart.
	mu      sync.Mutex
	stopped bool
	// current is what the last successful build made.
	current *generation
}

// ErrStopped says that the instance is stopping and takes no reload.
var ErrStopped = errors.New("doorward is stopping")

// New reads the configuration and builds everything from it, without opening a
// listener. Config errors come as a *ConfigError with all of them.
func New(o Options) (*App, error) {
	cfg, err := load(o)
	if err != nil {
		return nil, err
	}
	g, err := build(cfg, o, nil)
	if err != nil {
		return nil, err
	}
	a := &App{options: o, current: g, listeners: map[string]*listener{}, started: time.Now()}
	a.places = newPlaces(connectionLimit(cfg))
	a.engine = proxy.New(proxy.Options{
		Log: g.log, Access: g.accessLog(), Handshakes: handshakeLimit(cfg),
	})
	return a, nil
}

// Log is the log of the present generation.
func (a *App) Log() *zap.Logger {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.current.log
}

// Start opens the listeners and begins to serve. After an error nothing is open.
func (a *App) Start() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	opened, err := a.open(a.current.cfg)
	if err != nil {
		return err
	}
	if a.control, err = openControl(a, a.current.cfg.Listen.Control); err != nil {
		closeAll(opened)
		return err
	}
	a.current.warn()
	a.commit(a.current, opened)
	a.current.log.Info("doorward serves", zap.String("version", a.options.Version),
		zap.String("go", runtime.Version()), zap.Strings("http", a.current.cfg.Listen.HTTP),
		zap.Strings("https", a.current.cfg.Listen.HTTPS))
	return nil
}

// Reload reads the configuration file again and makes it the one in force. After
// an error everything is as it was before. It returns what changed, in words.
func (a *App) Reload() (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return "", ErrStopped
	}
	report, err := a.reload()
	if err != nil {
		a.current.log.Error("reload refused, the old configuration stays in force",
			zap.Error(err))
		return "", err
	}
	a.current.log.Info("reloaded", zap.String("changes", report))
	return report, nil
}

func (a *App) reload() (string, error) {
	began := time.Now()
	cfg, err := load(a.options)
	if err != nil {
		return "", err
	}
	old := a.current
	next, err := build(cfg, a.options, old)
	if err != nil {
		return "", err
	}
	opened, err := a.open(cfg)
	if err != nil {
		next.discard(old)
		return "", err
	}
	control, err := a.control.moveTo(cfg.Listen.Control)
	if err != nil {
		closeAll(opened)
		next.discard(old)
		return "", err
	}
	next.warn()
	// Nothing below this line can fail.
	a.control = control
	a.commit(next, opened)
	old.retire(next)
	return fmt.Sprintf("%s; took %v", next.diff(old), time.Since(began).Round(time.Millisecond)), nil
}

// commit makes a generation the current one.
func (a *App) commit(g *generation, opened []*listener) {
	a.current = g
	a.engine.SetAccessLog(g.accessLog())
	a.engine.Swap(g.snapshot)
	for _, b := range g.backends {
		b.Start()
	}
	a.places.setMost(connectionLimit(g.cfg))
	for _, l := range opened {
		a.listeners[l.address] = l
	}
	a.assign(g.cfg)
}

// Stop ends the instance: listeners close, idle connections too, requests in
// flight get until ctx ends. It returns an error when some did not make it.
func (a *App) Stop(ctx context.Context) error {
	a.mu.Lock()
	a.stopped = true
	g := a.current
	for _, l := range a.listeners {
		l.close()
	}
	a.mu.Unlock()
	g.log.Info("stopping", zap.Int64("connections", a.engine.Open()))
	err := a.engine.Drain(ctx)
	a.control.close()
	for _, b := range g.backends {
		b.Retire(nil)
	}
	g.log.Info("stopped", zap.Bool("in_time", err == nil))
	return errors.Join(err, g.closeLogs(ctx))
}

// DrainTime is how long Stop should be given: timeouts.drain.
func (a *App) DrainTime() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Duration(a.current.cfg.Timeouts.Drain)
}

// Root is the certificate of the internal CA as PEM, nil when there is none.
func (a *App) Root() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.current.certs.RootPEM()
}

// ConfigError holds everything that is wrong with a configuration.
type ConfigError struct {
	Diagnostics config.Diagnostics
}

// Error lists the errors, one a line.
func (e *ConfigError) Error() string { return e.Diagnostics.String() }

func load(o Options) (*config.Config, error) {
	cfg, found := config.Load(o.Path, o.Env)
	if errs := found.Errors(); len(errs) > 0 {
		return nil, &ConfigError{errs}
	}
	return cfg, nil
}
