package app

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"doorward/config"
	"doorward/proxy"
	"doorward/proxy/route"
	"doorward/stats"
)

// boardName is the name of the route to the page, for logs and counters: one that no
// route of the configuration has, since counters go by name.
func (g *generation) boardName() string {
	name := "stats"
	for n := 2; slices.ContainsFunc(g.cfg.Routes, func(r config.Route) bool {
		return r.Name == name
	}); n++ {
		name = fmt.Sprintf("stats#%d", n)
	}
	return name
}

// board is the statistics page of a generation.
type board struct {
	page *stats.Page
	// close ends its event streams.
	close context.CancelFunc
	cfg   config.Stats
}

// buildBoard makes the page, if there is to be one. One whose configuration is the
// same goes on, so that a reload does not disturb who looks at it.
func (g *generation) buildBoard(o Options, previous *generation) {
	c := g.cfg.Stats
	switch {
	case c.Host == "":
		return
	case previous != nil && previous.board != nil && reflect.DeepEqual(previous.board.cfg, c):
		g.board = previous.board
		return
	}
	users := map[string]string{}
	for name, password := range c.Users {
		users[name] = password.Reveal()
	}
	ctx, cancel := context.WithCancel(context.Background())
	g.board = &board{close: cancel, cfg: c, page: stats.NewPage(ctx, stats.PageOptions{
		Sampler: o.sampler, Steward: o.steward, Actions: c.Actions, Users: users, Log: g.log,
	})}
}

// closeBoard ends the page, unless the next generation has it.
func (g *generation) closeBoard(next *generation) {
	if g.board != nil && (next == nil || next.board != g.board) {
		g.board.close()
	}
}

// boardRoute is the rule and the route of the page. It stands before all others, and
// has a host to itself.
func (g *generation) boardRoute() (route.Rule, *proxy.Route, error) {
	c, name := &g.cfg.Stats, g.boardName()
	r := &proxy.Route{
		Name: name, Handler: g.board.page, Networks: set(c.Access.Networks),
		ClientTimeout: first(0, g.cfg.Timeouts.Client), BodyBytes: maxForm,
	}
	answers, err := answerChanges(g.cfg, nil)
	r.Answer = answers
	gated := g.buildGate(&config.Route{
		Name: name, Hosts: []string{c.Host}, Access: c.Access, Preflight: "deny",
		App: &config.App{Title: "Statistics", Hidden: true},
	}, r)
	rule := route.Rule{Name: name, Hosts: []string{c.Host}, Canonical: g.signIn != nil}
	return rule, r, errors.Join(err, gated)
}

// maxForm is far more than the form of a button.
const maxForm = 16 << 10
