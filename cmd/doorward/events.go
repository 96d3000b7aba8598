package main

import (
	"strings"

	"github.com/spf13/cobra"
)

func newEvents() *cobra.Command {
	limit := positive(100)
	cmd := asking("events [--limit NUMBER]",
		"Show who did what: sign-ins, changes of users, refusals", noArguments,
		func(c *call) (any, func() error, error) {
			list, err := c.client.Events(c.ctx, int(limit))
			if err != nil {
				return nil, nil, err
			}
			t := newTable("TIME", "EVENT", "USER", "BY", "FROM", "DETAIL")
			for i := range list {
				e := &list[i]
				detail := strings.TrimSpace(e.Provider + " " + e.Detail)
				t.add(moment(e.At), string(e.Kind), orNothing(e.User), orNothing(e.By),
					orNothing(e.Client), orNothing(detail))
			}
			return list, c.tabling(t, "no events"), nil
		})
	cmd.Flags().Var(&limit, "limit", "show at most this `number` of events, the newest")
	return cmd
}
