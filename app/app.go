// Package app is the running instance: it builds a generation from a
// configuration, opens listeners, swaps generations on reload and stops in good
// order.
//
// It is the only package that knows all others. The build_*.go files translate
// one section of the configuration each into the options of the package that
// does the work, so that no other package imports config. The package sees no
// flag and no signal: those belong to cmd/doorward.
//
//	file -> build: config.Load, translate (may fail, undoes itself) -> listeners opened
//	     -> one swap -> the old generation retires
package app

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"go.uber.org/zap"

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

	// dry builds without leaving anything behind.
	dry bool
}

// App is one running instance.
type App struct {
	options Options

	// Long-lived: made once, kept across reloads.
	engine    *proxy.Engine
	places    *places
	listeners map[string]*listener
	control   *control
	notify    notifier
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
// listener. What is wrong with the configuration comes as a *ConfigError.
func New(o Options) (*App, error) {
	g, err := build(o, nil)
	if err != nil {
		return nil, err
	}
	a := &App{
		options: o, current: g, listeners: map[string]*listener{}, control: &control{},
		notify: notifier{g.log}, started: time.Now(),
	}
	a.places = newPlaces(connectionLimit(g.cfg))
	a.engine = proxy.New(proxy.Options{
		Log: g.log, Access: g.accessLog(),
	})
	return a, nil
}

// Log is the log of the instance. It stays valid across reloads.
func (a *App) Log() *zap.Logger {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.current.log
}

// Start opens the listeners and begins to serve. After an error nothing is open.
func (a *App) Start() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	g := a.current
	opened, err := a.open(g.cfg)
	if err == nil {
		a.control, err = openControl(g.cfg.Listen.Control, a.commands(), g.log)
	}
	if err != nil {
		closeAll(opened)
		g.discard(nil)
		return err
	}
	a.commit(g, opened)
	g.warn()
	if w := Toolchain(runtime.Version()); w != "" {
		g.log.Warn("toolchain", zap.String("warning", w))
	}
	g.log.Info("doorward serves", zap.String("version", a.options.Version),
		zap.String("go", runtime.Version()), zap.Strings("http", g.cfg.Listen.HTTP),
		zap.Strings("https", g.cfg.Listen.HTTPS))
	a.notify.ready("serving")
	return nil
}

// commit makes a generation the current one. It cannot fail.
func (a *App) commit(g *generation, opened []*listener) {
	a.current = g
	g.turnLogs()
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

// afterDrain is how long connections that were cut at the end of a drain, and
// the log lines about them, may take.
const afterDrain = 2 * time.Second

// Stop ends the instance: listeners close, idle connections too, requests in
// flight get until ctx ends and are then cut. It returns an error when some were.
// A second Stop does nothing.
func (a *App) Stop(ctx context.Context) error {
	a.mu.Lock()
	if a.stopped {
		a.mu.Unlock()
		return nil
	}
	a.stopped = true
	g := a.current
	for _, l := range a.listeners {
		l.close()
	}
	a.mu.Unlock()
	if end, ok := ctx.Deadline(); ok {
		a.notify.stopping(time.Until(end))
	}
	g.log.Info("stopping", zap.Int64("connections", a.engine.Open()))
	err := a.engine.Drain(ctx)
	last, cancel := context.WithTimeout(context.Background(), afterDrain)
	defer cancel()
	if err != nil {
		g.log.Warn("requests cut short", zap.Int64("connections", a.engine.Open()))
		_ = a.engine.Drain(last)
	}
	a.control.close()
	for _, b := range g.backends {
		b.Retire(nil)
	}
	g.log.Info("stopped", zap.Bool("in_time", err == nil))
	return errors.Join(err, g.closeLogs(last))
}

// ReopenLogs opens the log files again, after they were rotated.
func (a *App) ReopenLogs() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current.reopenLogs()
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
