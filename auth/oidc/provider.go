package oidc

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"doorward/internal/safe"
)

// The pace of asking a provider what it publishes of itself.
const (
	refreshEvery = time.Hour
	retryFirst   = time.Second
	retryMost    = time.Minute
)

// Provider is one place where people can sign in. Its methods may be called by many
// goroutines; Start and Close are called once.
type Provider struct {
	o      Options
	web    *web
	source source
	// known is the last good that the provider published, nil before the first.
	known atomic.Pointer[metadata]
	// wake asks for the next attempt early.
	wake chan struct{}
	stop context.CancelFunc
	done chan struct{}

	mu     sync.Mutex
	status Status
}

// source is what differs between the types of providers.
type source interface {
	// discover asks what the provider publishes. It may return both: what can be worked
	// with, and what is wrong with the rest. last, which may be nil, is what it returned
	// before.
	discover(ctx context.Context, last *metadata) (*metadata, error)
	// claims makes claims of an answer to our asking for tokens.
	claims(ctx context.Context, g grant) (*Claims, error)
	// renew asks for new tokens in the name of an old one.
	renew(ctx context.Context, m *metadata, refresh string) (*answer, error)
}

// New makes a provider. It checks the options and asks nobody.
func New(o Options) (*Provider, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("provider %s: %w", o.Name, err)
	}
	p := &Provider{
		o: o, web: newWeb(o.HTTP), wake: make(chan struct{}, 1), stop: func() {},
		status: Status{Error: "the provider has not been asked yet", Since: o.Now()},
	}
	switch o.Type {
	case Entra:
		p.source = &entra{p}
	case GitHub:
		p.source = &gitHub{p}
	default:
		p.source = &openID{p}
	}
	return p, nil
}

// Start begins to learn about the provider, in the background, until ctx ends or
// Close is called.
func (p *Provider) Start(ctx context.Context) {
	ctx, p.stop = context.WithCancel(ctx)
	p.done = make(chan struct{})
	safe.Go(p.o.Log, "provider "+p.o.Name, func() {
		defer close(p.done)
		p.run(ctx)
	})
}

// Close ends what Start began, and waits for it. No connection to the provider stays
// that nobody would use any more.
func (p *Provider) Close() {
	p.stop()
	if p.done != nil {
		<-p.done
	}
	p.web.client.CloseIdleConnections()
}

// Inherit takes over what an older provider has learned, when both mean the same
// provider: a reload then has no moment without sign-in. It is for before Start.
func (p *Provider) Inherit(old *Provider) {
	if old == nil || p.o.about() != old.o.about() {
		return
	}
	if m := old.known.Load(); m != nil {
		p.known.Store(m)
		p.status = old.Status()
	}
}

// Name is the provider's name in the configuration.
func (p *Provider) Name() string { return p.o.Name }

// Kind is what the provider speaks.
func (p *Provider) Kind() Kind { return p.o.Type }

// Status is how the sign-in there stands.
func (p *Provider) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

func (p *Provider) run(ctx context.Context) {
	retry := retryFirst
	for ctx.Err() == nil {
		pause := jitter(refreshEvery)
		if p.attempt(ctx) {
			retry = retryFirst
		} else {
			pause = jitter(retry)
			retry = min(2*retry, retryMost)
		}
		p.pause(ctx, pause)
	}
}

// pause waits, but not longer than a second when somebody wants to sign in and
// cannot.
func (p *Provider) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	soon := time.NewTimer(min(d, retryFirst))
	defer soon.Stop()
	var wake chan struct{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-wake:
			return
		case <-soon.C:
			wake = p.wake
		}
	}
}

// attempt learns what the provider publishes now, and tells whether all went well. A
// panic over what came counts as a failure.
func (p *Provider) attempt(ctx context.Context) (ok bool) {
	defer safe.Recover(p.o.Log, "provider "+p.o.Name)
	m, err := p.source.discover(ctx, p.known.Load())
	if ctx.Err() != nil {
		return false
	}
	if m != nil {
		p.known.Store(m)
	}
	p.report(err)
	return err == nil
}

// report keeps the status and logs its changes.
func (p *Provider) report(err error) {
	next := Status{Ready: p.known.Load() != nil}
	if err != nil {
		next.Error = inWords(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if next.Ready == p.status.Ready && next.Error == p.status.Error {
		return
	}
	next.Since = p.o.Now()
	p.status = next
	switch {
	case !next.Ready:
		p.o.Log.Error("provider is not available", zap.String("reason", next.Error))
	case next.Error != "":
		p.o.Log.Warn("provider is available in part", zap.String("reason", next.Error))
	default:
		p.o.Log.Info("provider is available")
	}
}

// inWords says errors in one line, without what every one of them says.
func inWords(err error) string {
	text := strings.ReplaceAll(err.Error(), ErrUnavailable.Error()+": ", "")
	return clean(strings.ReplaceAll(text, "\n", "; "), 2*maxDescription)
}

// metadata returns what is known of the provider, or ErrUnavailable with the reason.
func (p *Provider) metadata() (*metadata, error) {
	if m := p.known.Load(); m != nil {
		return m, nil
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return nil, unavailable("%s", p.Status().Error)
}

// jitter spreads what many would do at the same moment.
func jitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/8))
}
