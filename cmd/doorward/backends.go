package main

import (
	"cmp"

	"github.com/spf13/cobra"

	"doorward/app"
)

func newBackends() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backends",
		Short: "About backends",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newProbe())
	return cmd
}

func newProbe() *cobra.Command {
	var at instance
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "probe BACKEND",
		Short: "Check every server of a backend once, now",
		Long: `Checks every server of a backend once, as the running instance does, and shows how
long each step took. Servers that are not checked get a connection, with a TLS
handshake if they speak TLS. Nothing counts towards the health of a server.

Exits 1 when a check fails.`,
		Args: exactly(1, "the name of a backend"),
		RunE: at.run(func(c *call) error {
			found, err := c.client.Probe(c.ctx, c.args[0])
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(c.out, found)
			} else {
				err = printProbe(c, &found)
			}
			if err == nil && !found.OK {
				err = errSilent
			}
			return err
		}),
		ValidArgsFunction: at.completeBackends,
	}
	at.flags(cmd)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func printProbe(c *call, found *app.Probe) error {
	t := newTable("SERVER", "ADDRESS", "CHECK", ">RESOLVE", ">CONNECT", ">TLS", ">FIRST BYTE",
		">TOTAL", "RESULT")
	for i := range found.Servers {
		s := &found.Servers[i]
		check := s.Check
		if !s.Configured {
			check = map[string]string{"tcp": "(connect)", "tls": "(tls)"}[s.Check]
		}
		r := t.add(found.Backend+"/"+s.Server, cmp.Or(s.Address, nothing), check,
			took(s.Resolve), took(s.Connect), took(s.TLS), took(s.FirstByte), took(s.Total),
			checked(s.Status, s.Code))
		if s.OK {
			r.cells[8].colour = green
			continue
		}
		r.cells[8].colour = red
		r.note(s.Description)
	}
	return t.print(c.out)
}
