package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"doorward/app"
)

func newConnections() *cobra.Command {
	var at instance
	var asJSON bool
	limit := positive(100)
	cmd := &cobra.Command{
		Use:   "connections",
		Short: "Show client connections, the oldest first",
		Long: `Shows client connections of the running instance, the oldest first.

  STATE      idle: waits for a request; request: has one; tunnel: was upgraded, as
             WebSockets are
  REQUESTS   how many were answered on it
  ROUTE      the one of the last request`,
		Args: noArguments,
		RunE: at.run(func(c *call) error {
			list, err := c.client.Connections(c.ctx, int(limit))
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.out, list)
			}
			return printConnections(c, &list)
		}),
	}
	at.flags(cmd)
	jsonFlag(cmd, &asJSON)
	cmd.Flags().Var(&limit, "limit", "show at most this `number` of connections")
	return cmd
}

func printConnections(c *call, list *app.Connections) error {
	if len(list.Connections) == 0 {
		_, err := fmt.Fprintln(c.out, "no connections")
		return err
	}
	t := newTable("CLIENT", "LISTENER", "TLS", "STATE", "AGE", ">REQUESTS", "ROUTE", "TUNNEL TO")
	for _, conn := range list.Connections {
		tls, route, to := nothing, nothing, nothing
		if conn.TLS {
			tls = "yes"
		}
		if conn.Route != "" {
			route = conn.Route
		}
		if conn.Backend != "" {
			to = conn.Backend + "/" + conn.Server
		}
		r := t.add(conn.Peer, conn.Listener, tls, conn.State, since(conn.Opened, list.Now),
			grouped(conn.Requests), route, to)
		r.cells[3].colour = map[string]colour{"idle": dim, "tunnel": blue}[conn.State]
	}
	if err := t.print(c.out); err != nil {
		return err
	}
	if shown := int64(len(list.Connections)); shown < list.Open {
		fmt.Fprintf(c.out, "the oldest %s of %s: --limit shows more\n",
			grouped(shown), grouped(list.Open))
	}
	return nil
}
