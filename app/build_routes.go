package app

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"doorward/config"
	"doorward/internal/netset"
	"doorward/internal/tally"
	"doorward/proxy"
	"doorward/proxy/h1"
	"doorward/proxy/route"
)

// buildSnapshot makes what the request path works with.
func (g *generation) buildSnapshot(previous *generation) error {
	cfg := g.cfg
	var errs []error
	answers, err := answerChanges(cfg, nil)
	errs = append(errs, err)
	errorPages, err := pages(cfg.ErrorPages)
	errs = append(errs, err)
	s := &proxy.Snapshot{
		Trusted:       set(cfg.Listen.TrustedProxies),
		ProxyProtocol: set(cfg.Listen.ProxyProtocol),
		Timeouts: proxy.Timeouts{
			ProxyHeader: time.Duration(cfg.Timeouts.ProxyHeader),
			Handshake:   time.Duration(cfg.Timeouts.Handshake),
			RequestHead: time.Duration(cfg.Timeouts.RequestHead),
			KeepAlive:   time.Duration(cfg.Timeouts.KeepAlive),
			Client:      time.Duration(cfg.Timeouts.Client),
		},
		Limits: proxy.Limits{
			Limits: h1.Limits{
				HeadBytes: int(cfg.Limits.HeadBytes), HeadFields: int(cfg.Limits.HeadFields),
				TargetBytes: int(cfg.Limits.TargetBytes),
			},
			BodyBytes:            int64(cfg.Limits.BodyBytes),
			ConnectionsPerClient: int(cfg.Limits.ConnectionsPerClient),
			Handshakes:           handshakeLimit(cfg),
		},
		Forwarding:      forwarding(cfg.Headers.Forwarded),
		RequestIDHeader: cfg.Headers.RequestID,
		PassUnderscores: cfg.Headers.Underscores == "pass",
		ClientPolicy:    g.clientPolicy(),
		SignIn:          g.signIn != nil,
		Answers:         answers,
		Pages:           errorPages,
	}
	s.HTTP2.Streams = int(cfg.Limits.Streams)
	if g.orders != nil {
		s.Challenge = g.orders.HTTPChallenge
	}
	if g.certs != nil {
		s.TLS, s.TLSRules = g.certs.ServerConfig(), g.certs.Rules()
	}
	errs = append(errs, g.buildRoutes(s, previous))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	s.Prepare()
	g.snapshot = s
	g.buildQUIC()
	return nil
}

// set compiles networks; a list that was not given is no set at all.
func set(n config.Networks) *netset.Set {
	if !n.Given() {
		return nil
	}
	prefixes := n.Prefixes
	if prefixes == nil {
		prefixes = []netip.Prefix{}
	}
	return netset.New(prefixes)
}

func (g *generation) buildRoutes(s *proxy.Snapshot, previous *generation) error {
	var errs []error
	var rules []route.Rule
	add := func(rule route.Rule, r *proxy.Route) {
		rules = append(rules, rule)
		s.Routes = append(s.Routes, r)
	}
	if g.signIn != nil {
		own, routes, err := g.signInRoutes()
		errs = append(errs, err)
		for i := range own {
			add(own[i], routes[i])
		}
	}
	if g.board != nil {
		rule, r, err := g.boardRoute()
		errs = append(errs, err)
		add(rule, r)
	}
	ours := len(rules)
	for i := range g.cfg.Routes {
		c := &g.cfg.Routes[i]
		r, err := g.buildRoute(c)
		if err != nil {
			errs = append(errs, atRoute(c, err))
		}
		add(g.rule(c), r)
	}
	g.countRoutes(s.Routes, previous)
	table, err := route.Compile(rules)
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	s.Table = table
	for _, shadow := range table.Unreachable() {
		never := &g.cfg.Routes[shadow.Rule-ours]
		g.warnings = append(g.warnings, never.Warning(fmt.Sprintf("route %q can never match: "+
			"route %q before it takes all its requests", never.Name, rules[shadow.By].Name)))
	}
	return nil
}

// countRoutes gives every route the counters that a route of its name had before.
func (g *generation) countRoutes(routes []*proxy.Route, previous *generation) {
	g.traffic = map[string]*tally.Tally{}
	for _, r := range routes {
		if previous != nil {
			r.Tally = previous.traffic[r.Name]
		}
		if r.Tally == nil {
			r.Tally = tally.New()
		}
		g.traffic[r.Name] = r.Tally
	}
}

// atRoute says that an error is about a route.
func atRoute(c *config.Route, err error) error {
	place := c.Warning("")
	place.Severity = config.Error
	return placed(place, err)
}

// rule is what the routing table must know of a route.
func (g *generation) rule(c *config.Route) route.Rule {
	return route.Rule{
		Name: c.Name, Hosts: c.Hosts, Paths: c.Paths, Methods: c.Methods,
		Headers: matchers(c.Headers.Match), Query: matchers(c.Query),
		Networks:       set(c.Networks),
		Canonical:      g.signIn != nil || c.StripPrefix != "" || c.ReplacePrefix != nil || c.Redirect != nil,
		EncodedSlashes: c.EncodedSlashes == "pass",
	}
}

func matchers(m map[string]string) []route.Matcher {
	var out []route.Matcher
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, route.Matcher{Name: name, Value: m[name]})
	}
	return out
}

func (g *generation) buildRoute(c *config.Route) (*proxy.Route, error) {
	r := &proxy.Route{
		Name: c.Name, Networks: set(c.Access.Networks), Upgrades: lower(c.Upgrades),
		Origins: lower(c.Origins), BodyBytes: int64(c.BodyBytes),
		ClientTimeout: first(c.Timeouts.Client, g.cfg.Timeouts.Client),
		Limits:        g.routeLimits(c),
		Client:        g.clientCertificate(c.ClientCertificate),
	}
	var errs [6]error
	r.Request, errs[0] = proxy.CompileChanges(true,
		proxy.ChangeList{Remove: g.clientFields},
		proxy.ChangeList{Remove: g.identityFields()},
		changes(g.cfg.Headers.Request), changes(c.Headers.Request))
	r.Answer, errs[1] = answerChanges(g.cfg, &c.Headers.Response)
	r.Pages, errs[2] = pages(c.ErrorPages)
	errs[3] = g.buildAction(c, r)
	errs[4] = buildRewrite(c, r)
	errs[5] = g.buildGate(c, r)
	return r, errors.Join(errs[:]...)
}

func lower(words []string) []string {
	if words == nil {
		return nil
	}
	out := []string{}
	for _, w := range words {
		out = append(out, strings.ToLower(w))
	}
	return out
}

// buildAction sets what the route does.
func (g *generation) buildAction(c *config.Route, r *proxy.Route) (err error) {
	switch {
	case c.Redirect != nil:
		r.Redirect = &proxy.Redirect{Status: c.Redirect.Status}
		r.Redirect.To, err = proxy.ParseTemplate(c.Redirect.To)
	case c.Respond != nil:
		r.Handler, err = newFixedAnswer(c.Respond)
	default:
		r.Backend = g.backends[c.Backend]
		if b := g.cfg.Backends[c.Backend]; b != nil {
			r.ServerTimeout = first(c.Timeouts.Server, b.Timeouts.Server)
			r.TunnelTimeout = first(c.Timeouts.Tunnel, b.Timeouts.Tunnel)
			r.Persistence = g.persistence[b.Name]
			r.CloseOnDown = b.OnDown == "close"
			r.Hash = hashKey(b.Balance)
			r.Maintenance, err = maintenancePage(b)
		}
	}
	return err
}

// hashKey is what a backend that balances by hashes goes by; nothing for others.
func hashKey(balance config.Selector) proxy.Key {
	switch balance.Kind() {
	case "source", "uri", "header", "user":
		return keyOf(balance)
	}
	return proxy.Key{}
}

func first(a, b config.Duration) time.Duration {
	if a > 0 {
		return time.Duration(a)
	}
	return time.Duration(b)
}

func buildRewrite(c *config.Route, r *proxy.Route) error {
	switch {
	case c.StripPrefix != "":
		p, err := route.ParsePrefix(c.StripPrefix)
		r.Rewrite = func(_, path []byte) []byte { return p.Strip(path) }
		return err
	case c.ReplacePrefix != nil:
		from, err1 := route.ParsePrefix(c.ReplacePrefix.From)
		to, err2 := route.ParsePrefix(c.ReplacePrefix.To)
		r.Rewrite = func(dst, path []byte) []byte { return from.Replace(dst, path, to) }
		return errors.Join(err1, err2)
	}
	return nil
}
