package app

import (
	"cmp"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"doorward/config"
	"doorward/proxy/backend"
)

// sortedBackends are the backends in the order of the files, which is that of the
// statistics and of errors.
func sortedBackends(cfg *config.Config) []*config.Backend {
	at := func(b *config.Backend) (file, line int) {
		place := cfg.At("backends", b.Name)
		return slices.Index(cfg.Files, place.File), place.Line
	}
	return slices.SortedFunc(maps.Values(cfg.Backends), func(a, b *config.Backend) int {
		fileA, lineA := at(a)
		fileB, lineB := at(b)
		return cmp.Or(cmp.Compare(fileA, fileB), cmp.Compare(lineA, lineB),
			cmp.Compare(a.Name, b.Name))
	})
}

func (g *generation) buildBackends(previous *generation) error {
	g.backends = map[string]*backend.Backend{}
	var errs []error
	for _, c := range sortedBackends(g.cfg) {
		var old *backend.Backend
		if previous != nil {
			old = previous.backends[c.Name]
		}
		b, err := backend.New(g.backendOptions(c), old)
		if err != nil {
			errs = append(errs, placed(g.cfg.At("backends", c.Name), unnamed(err)))
			continue
		}
		g.backends[c.Name] = b
	}
	return errors.Join(errs...)
}

func (g *generation) backendOptions(c *config.Backend) backend.Options {
	o := backend.Options{
		Name: c.Name, Description: c.Description,
		KeepAlive: c.ServerKeepAlive, HTTP2: c.HTTP2, Retries: c.Retries, Redispatch: c.Redispatch,
		RetryOn: retryOn(c.RetryOn), Log: g.log,
		Timeouts: backend.Timeouts{
			Connect: time.Duration(c.Timeouts.Connect), Server: time.Duration(c.Timeouts.Server),
			Queue: time.Duration(c.Timeouts.Queue), Tunnel: time.Duration(c.Timeouts.Tunnel),
			Idle: time.Duration(g.cfg.Timeouts.ServerIdle),
		},
		QueueLimit: queueLimit(c.QueueLimit), SlowStart: time.Duration(c.SlowStart),
		UseAllBackups: c.UseAllBackups,
		TLS: &backend.TLSOptions{
			// A pin stands in place of the CA and the name, unless a CA is given too.
			Verify: c.TLS.Verify && (len(c.TLS.PinSHA256) == 0 || c.TLS.CAFile != ""),
			CAFile: c.TLS.CAFile, Pins: c.TLS.PinSHA256,
			ServerName: c.TLS.ServerName, Certificate: c.TLS.Certificate, Key: c.TLS.Key,
		},
	}
	o.Balance, _ = backend.ParseBalance(string(c.Balance)) // config knows no other words
	for _, s := range c.Servers {
		o.Servers = append(o.Servers, backend.ServerOptions{
			Name: s.Name, URL: s.URL, Weight: s.Weight, MaxConnections: int(s.MaxConnections),
			Backup: s.Backup, QueueLimit: int(s.QueueLimit), Cookie: s.Cookie,
		})
	}
	return o
}

// queueLimit is the bound of a queue, 0 meaning none in the configuration.
func queueLimit(n config.Count) int {
	if n == 0 {
		return math.MaxInt
	}
	return int(n)
}

func retryOn(words []string) backend.RetryOn {
	var r backend.RetryOn
	for _, w := range words {
		switch w {
		case "connect":
			r.Connect = true
		case "empty-response":
			r.EmptyResponse = true
		case "response-timeout":
			r.ResponseTimeout = true
		default:
			if code, err := strconv.Atoi(w); err == nil {
				r = r.WithStatus(code)
			}
		}
	}
	return r
}
