package app

import (
	"cmp"
	"errors"
	"time"

	"doorward/config"
	"doorward/health"
	"doorward/proxy/backend"
)

// buildChecks prepares the checks of every server that has one.
func (g *generation) buildChecks() error {
	var errs []error
	for _, c := range sortedBackends(g.cfg) {
		if c.Check == nil || g.backends[c.Name] == nil {
			continue
		}
		for i := range c.Servers {
			if !c.Servers[i].Check {
				continue
			}
			s := g.backends[c.Name].Servers()[i]
			check, err := health.NewCheck(checkOptions(c, &c.Servers[i], s))
			if err != nil {
				errs = append(errs, placed(g.cfg.At("backends", c.Name, "check"), err))
				break
			}
			g.targets = append(g.targets, health.Target{
				Backend: c.Name, Server: s.Name(), Key: c.Servers[i].URL + "\n" + check.Key(),
				Check: check, Peer: s,
			})
		}
	}
	return errors.Join(errs...)
}

// checkOptions translate the check of a server, which is asked under its own name
// and in the version of HTTP that requests have, unless the check says another.
func checkOptions(
	b *config.Backend, s *config.Server, to *backend.Server,
) health.CheckOptions {
	c := b.Check
	o := health.CheckOptions{
		Kind: health.Kind(c.Type),
		To:   backend.DialTo{Address: s.CheckAddress, Port: c.Port, Plain: c.TLS == "off"},
		Timing: health.Timing{
			Interval: time.Duration(c.Interval), Fast: time.Duration(c.FastInterval),
			Down: time.Duration(c.DownInterval), Timeout: time.Duration(c.Timeout),
			Connect: time.Duration(b.Timeouts.Connect), Jitter: c.Jitter,
		},
		Rise: c.Rise, Fall: c.Fall, Initial: health.Initial(c.Initial),
		Quiet: c.Log == "transitions",
	}
	if c.Observe != "off" {
		o.Passive = health.Passive{
			Level: health.Level(c.Observe), Limit: c.ErrorLimit, OnError: health.OnError(c.OnError),
		}
	}
	if c.Type == "http" {
		o.Request, o.Expect = checkRequest(c), checkExpect(&c.Expect)
		if o.Request.Version == "" && to.Multiplexed() {
			o.Request.Version = "2"
		}
	}
	if c.Type == "http" || c.Type == "grpc" {
		o.Request.Host, o.Service = cmp.Or(c.Host, to.Authority()), c.Service
	}
	return o
}

// watchList are the targets, with what people say of them now.
func (g *generation) watchList() []health.Target {
	for i := range g.targets {
		t := &g.targets[i]
		t.Maintained = t.Peer.(*backend.Server).Admin() == backend.Maint
	}
	return g.targets
}

func checkRequest(c *config.Check) health.Request {
	return health.Request{
		Method: c.Method, Path: c.Path, Version: c.Version, Fields: c.Headers, Body: c.Body,
	}
}

func checkExpect(c *config.Expect) health.Expect {
	e := health.Expect{
		StatusRegex: c.StatusRegex, Body: c.Body, BodyRegex: c.BodyRegex, Header: c.Header,
		Not: c.Not,
	}
	for _, r := range c.Status {
		e.Status = append(e.Status, health.StatusRange(r))
	}
	return e
}
