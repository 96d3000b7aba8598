package app

import (
	"context"
	"reflect"

	"doorward/config"
	"doorward/proxy"
	"doorward/proxy/route"
	"doorward/stats"
)

// statsRoute is the name of the route to the page, for logs and counters.
const statsRoute = "stats"

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
	c := &g.cfg.Stats
	r := &proxy.Route{
		Name: statsRoute, Handler: g.board.page, Networks: set(c.Access.Networks),
		ClientTimeout: first(0, g.cfg.Timeouts.Client), BodyBytes: maxForm,
	}
	answers, err := answerChanges(g.cfg, nil)
	r.Answer = answers
	return route.Rule{Name: statsRoute, Hosts: []string{c.Host}}, r, err
}

// maxForm is far more than the form of a button.
const maxForm = 16 << 10
