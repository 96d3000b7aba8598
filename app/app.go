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
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"doorward/health"
	"doorward/internal/safe"
	"doorward/proxy"
	"doorward/stats"
)

// Options are what an App gets from outside.
type Options struct {
	// Path is the configuration file; Reload reads it again.
	Path string
	// Env looks up environment variables for ${NAME}.
	Env func(string) (string, bool)
	// StateDir keeps what must outlive the process, unless the configuration names
	// another place; "" is memory only.
	StateDir string
	// Version stands in the log and at the control socket.
	Version string

	// dry builds without leaving anything behind.
	dry bool
	// sampler and steward are what the statistics page shows, and who does what its
	// buttons ask for.
	sampler *stats.Sampler
	steward stats.Steward
	// review is called when sessions have ended.
	review func()
}

// App is one running instance.
type App struct {
	options Options

	// Long-lived: made once, kept across reloads.
	engine    *proxy.Engine
	places    *places
	listeners map[string]*listener
	quic      map[string]*quicPort
	control   *control
	sides     map[string]*side
	notify    notifier
	started   time.Time
	monitor   *health.Monitor
	metrics   http.Handler
	// leaving says that a balancer in front should send nobody any more.
	leaving atomic.Bool
	// reviewed is the engine, for those who were there before it.
	reviewed atomic.Pointer[proxy.Engine]
	// live is current for those who must not wait for mu.
	live atomic.Pointer[generation]
	// life ends with the instance; background is all that Stop waits for.
	life       context.Context
	end        context.CancelFunc
	background sync.WaitGroup

	// mu keeps reloads and Stop apart.
	mu      sync.Mutex
	stopped bool
	// current is what the last successful build made.
	current *generation
	admin   *adminBook
	outages outages
	// departed is what servers that are gone have counted.
	departed departed
	reloads  stats.Reload
}

// ErrStopped says that the instance is stopping and takes no reload.
var ErrStopped = errors.New("doorward is stopping")

// New reads the configuration and builds everything from it, without opening a
// listener. What is wrong with the configuration comes as a *ConfigError.
func New(o Options) (*App, error) {
	a := &App{
		listeners: map[string]*listener{}, quic: map[string]*quicPort{},
		control: &control{}, sides: map[string]*side{},
		started: time.Now(), outages: outages{}, departed: departed{},
	}
	o.sampler, o.steward = stats.NewSampler(a, stats.SamplerOptions{}), a
	o.review = a.review
	g, err := build(o, nil)
	if err != nil {
		return nil, err
	}
	if a.admin, err = openAdmin(g.store); err != nil {
		g.discard(nil)
		return nil, err
	}
	a.options, a.current, a.notify = o, g, notifier{g.log}
	a.live.Store(g)
	a.life, a.end = context.WithCancel(context.Background())
	a.metrics = stats.Metrics(o.sampler)
	a.monitor = health.New(health.Options{Log: g.log, Changed: a.changed, Left: a.left})
	a.places = newPlaces(connectionLimit(g.cfg))
	a.engine = proxy.New(proxy.Options{
		Log: g.log, Access: g.accessLog(),
	})
	a.reviewed.Store(a.engine)
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
	opened, err := a.openAll(g)
	if err != nil {
		g.discard(nil)
		return err
	}
	a.commit(g, opened)
	a.behind("statistics", func() { a.options.sampler.Run(a.life) })
	g.warn()
	if w := Toolchain(runtime.Version()); w != "" {
		g.log.Warn("toolchain", zap.String("warning", w))
	}
	g.log.Info("doorward serves", zap.String("version", a.options.Version),
		zap.String("go", runtime.Version()), zap.Strings("http", g.cfg.Listen.HTTP),
		zap.Strings("https", g.cfg.Listen.HTTPS))
	g.inviteFirst(a.life)
	a.notify.ready("serving")
	return nil
}

// openings are what a generation listens on and the one before did not.
type openings struct {
	listeners []*listener
	quic      []*quicPort
	sides     []*side
	control   *control
}

// openAll opens what the generation listens on. After an error nothing more is open
// than was before.
func (a *App) openAll(g *generation) (o openings, err error) {
	if o.listeners, err = a.open(g.cfg); err != nil {
		return openings{}, err
	}
	if o.quic, err = a.openQUIC(g, o.listeners); err != nil {
		closeAll(o.listeners)
		return openings{}, err
	}
	if o.sides, err = a.openSides(g.cfg); err != nil {
		a.closeQUIC(o.quic)
		closeAll(o.listeners)
		return openings{}, err
	}
	if o.control, err = a.control.moveTo(g.cfg.Listen.Control, a.controlPages(), g.log); err != nil {
		a.closeQUIC(o.quic)
		closeAll(o.listeners)
		closeSides(o.sides)
		return openings{}, err
	}
	return o, nil
}

// commit makes a generation the current one. It cannot fail.
func (a *App) commit(g *generation, o openings) {
	a.departed.swap(a.current.backends, g.backends)
	a.current = g
	a.live.Store(g)
	g.turnLogs()
	a.engine.SetAccessLog(g.accessLog())
	a.restore(g)
	for _, b := range g.backends {
		b.Start()
	}
	a.monitor.Set(g.watchList())
	g.orderCertificates() // those that the store has are there at the first handshake
	g.welcome()
	a.engine.Swap(g.snapshot)
	g.regroup()
	a.review() // what the gates of before have let pass
	a.places.setMost(connectionLimit(g.cfg))
	for _, l := range o.listeners {
		a.listeners[l.address] = l
	}
	a.assign(g.cfg)
	a.assignQUIC(g.cfg, o.quic)
	a.commitSides(g.cfg, o.sides)
	if o.control != a.control {
		a.control.close()
		a.control = o.control
	}
	a.outages.forget(g.backends)
	a.reloads.At = time.Now()
}

const (
	// afterDrain is how long connections that were cut at the end of a drain may
	// take, and then the log lines about them.
	afterDrain = 2 * time.Second
	// afterwards is all that a stop may take behind the drain.
	afterwards = afterDrain + alertFlush + afterDrain
)

// Stop ends the instance: listeners close, idle connections too, requests in
// flight get until ctx ends and are then cut. It returns an error when some were.
// A second Stop does nothing. One that was never started is stopped as well.
func (a *App) Stop(ctx context.Context) error {
	a.mu.Lock()
	if a.stopped {
		a.mu.Unlock()
		return nil
	}
	a.stopped = true
	g := a.current
	a.mu.Unlock()
	a.leaving.Store(true)
	g.log.Info("stopping", zap.Int64("connections", a.engine.Open()))
	if end, ok := ctx.Deadline(); ok {
		// Before the wait below, which is part of what systemd has to wait for.
		a.notify.stopping(time.Until(end))
	}
	a.announce(ctx, time.Duration(g.cfg.Timeouts.DrainDelay))
	a.mu.Lock()
	for _, l := range a.listeners {
		l.close()
	}
	for _, p := range a.quic {
		a.stopQUIC(p)
	}
	a.mu.Unlock()
	g.closeBoard(nil)
	err := a.engine.Drain(ctx)
	if err != nil {
		g.log.Warn("requests cut short", zap.Int64("connections", a.engine.Open()))
		cut, cancel := context.WithTimeout(context.Background(), afterDrain)
		defer cancel()
		_ = a.engine.Drain(cut)
	}
	a.dismantle(g)
	g.log.Info("stopped", zap.Bool("in_time", err == nil))
	last, cancel := context.WithTimeout(context.Background(), afterDrain)
	defer cancel()
	return errors.Join(err, g.closeLogs(last))
}

// dismantle ends what is left when no request is.
func (a *App) dismantle(g *generation) {
	a.control.close()
	for _, s := range a.sides {
		a.behind("side listener", s.close)
	}
	a.monitor.Stop()
	for _, b := range g.backends {
		b.Retire(nil)
	}
	g.stopAlerts(nil)
	g.closeOrders(nil)
	a.end()
	a.background.Wait()
	g.closeProviders(nil)
	g.closeDesk(nil)
	g.closeStore()
}

// review ends what those have open who may not go on.
func (a *App) review() {
	e := a.reviewed.Load()
	if e == nil {
		return
	}
	if n := e.Review(); n > 0 {
		a.live.Load().log.Info("requests ended: their sessions may not go on", zap.Int("requests", n))
	}
}

// behind does something in the background, for which Stop waits.
func (a *App) behind(what string, do func()) {
	a.background.Add(1)
	safe.Go(a.current.log, what, func() {
		defer a.background.Done()
		do()
	})
}

// announce gives a balancer in front the time to see that /readyz fails, before
// listeners close.
func (a *App) announce(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// ReopenLogs opens the log files again, after they were rotated.
func (a *App) ReopenLogs() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current.reopenLogs()
}

// DrainTime is how long Stop should be given: timeouts.drain_delay and then
// timeouts.drain.
func (a *App) DrainTime() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := &a.current.cfg.Timeouts
	return time.Duration(t.DrainDelay) + time.Duration(t.Drain)
}

// Root is the certificate of the internal CA as PEM, nil when there is none.
func (a *App) Root() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.current.certs.RootPEM()
}
