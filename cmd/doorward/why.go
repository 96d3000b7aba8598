package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"doorward/app"
)

func newWhy() *cobra.Command {
	var q app.Question
	cmd := completing(asking("why USER URL", `Tell what becomes of a request, and why`,
		exactly(2, `a user, or "-" for nobody, and an address`),
		func(c *call) (any, func() error, error) {
			q.User, q.URL = c.args[0], c.args[1]
			w, err := c.client.Why(c.ctx, q)
			return w, func() error { return printWhy(c, &w) }, err
		}), 0)
	cmd.Use = "why USER URL [--method METHOD] [--from ADDRESS]"
	cmd.Long = `Tells which route takes a request and what its rule says about a user ("-" is nobody):
who may pass, what is missing, which groups the user has and where each comes from,
the fields that the server would be told, and the servers.

Nothing is sent, and nothing changes. A request has no fields here: routes that match
by headers take none. Without --from it comes from where the rule lets people in, and
matches no route with networks.

  doorward why anna https://app.example.com/reports
  doorward why - https://app.example.com/healthz
  doorward why anna https://app.example.com/ --method POST --from 192.0.2.7`
	flags := cmd.Flags()
	flags.StringVar(&q.Method, "method", "", "the `method` of the request (GET)")
	flags.StringVar(&q.Client, "from", "", "the `address` that it comes from")
	return cmd
}

func printWhy(c *call, w *app.Why) error {
	s := newSheet(c.out)
	access := w.Access
	if w.Status != 0 {
		access = fmt.Sprintf("%s (%d)", access, w.Status)
	}
	if w.By != "" {
		access += ", by " + w.By
	}
	s.line("access", access)
	s.line("missing", missing(w))
	for _, need := range w.Needs {
		s.line("needs", need)
	}
	s.line("route", w.Route)
	s.line("path", w.Canonical)
	s.line("rule", w.Rule)
	if w.User != "" {
		s.line("user", strings.TrimSpace(w.User+" "+w.As))
	}
	s.groups(w.Groups, w.GroupsUnknown)
	s.line("roles", strings.Join(w.Roles, ", "))
	for _, f := range w.Fields {
		s.line("tells", f)
	}
	if w.Does != "backend" {
		s.line("does", w.Does)
		return s.print()
	}
	s.line("backend", fmt.Sprintf("%s, %s, %s", w.Backend, w.BackendStatus, w.Balance))
	switch {
	case w.Server != "":
		s.line("server", w.Server+": "+w.ServerBy)
	case len(w.Servers) == 0:
		s.line("server", "none takes requests; see doorward servers "+w.Backend)
	default:
		s.line("server", "one of "+strings.Join(w.Servers, ", "))
	}
	return s.print()
}

// missing is what would let the user in, each of it.
func missing(w *app.Why) string {
	var all []string
	for _, g := range w.Missing {
		all = append(all, "group "+g)
	}
	for _, r := range w.MissingRoles {
		all = append(all, "role "+r)
	}
	return strings.Join(all, ", or ")
}
