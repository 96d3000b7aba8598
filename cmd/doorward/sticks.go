package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"doorward/app"
)

func newSticks() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sticks",
		Short: "Show or clear stick tables",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSticksShow(), newSticksClear())
	return cmd
}

func newSticksShow() *cobra.Command {
	var at instance
	var of app.StickChoice
	var asJSON bool
	limit := positive(100)
	cmd := &cobra.Command{
		Use:   "show BACKEND",
		Short: "Show which clients belong to which server",
		Args:  exactly(1, "the name of a backend"),
		RunE: at.run(func(c *call) error {
			of.Limit = int(limit)
			list, err := c.client.Sticks(c.ctx, c.args[0], of)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.out, list)
			}
			return printSticks(c, &list)
		}),
		ValidArgsFunction: at.completeBackends,
	}
	at.flags(cmd)
	jsonFlag(cmd, &asJSON)
	flags := cmd.Flags()
	flags.StringVar(&of.Server, "server", "", "only clients of this server (`name`)")
	flags.StringVar(&of.Key, "key", "", "only this client: an address, or the `text` of a key")
	flags.Var(&limit, "limit", "show at most this `number` of clients")
	return cmd
}

func printSticks(c *call, list *app.Sticks) error {
	fmt.Fprintf(c.out, "%s remembers clients by %s: %s of %s", list.Backend, printable(list.On),
		grouped(int64(list.Used)), grouped(int64(list.Size)))
	if list.Expire > 0 {
		fmt.Fprintf(c.out, ", each for %s", span(seconds(list.Expire)))
	}
	fmt.Fprintln(c.out)
	if len(list.Entries) > 0 {
		t := newTable("KEY", "SERVER", "EXPIRES IN")
		for _, e := range list.Entries {
			left := nothing
			if e.Expires > 0 {
				left = span(seconds(e.Expires))
			}
			t.add(e.Key, e.Server, left)
		}
		if err := t.print(c.out); err != nil {
			return err
		}
	}
	if list.More {
		fmt.Fprintln(c.out, "and more: --limit shows them")
	}
	return nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// errUnclear is a clear that does not say what.
var errUnclear = errors.New("say what to clear: --server NAME, --key KEY or --all")

func newSticksClear() *cobra.Command {
	var at instance
	var of app.StickChoice
	var all bool
	cmd := &cobra.Command{
		Use:   "clear BACKEND (--server NAME | --key KEY | --all)",
		Short: "Forget which server clients belong to",
		Long: `Forgets clients of a stick table. Their next request goes to any server, which they
then belong to. Requests and connections they have are left alone.`,
		DisableFlagsInUseLine: true,
		Args:                  exactly(1, "the name of a backend"),
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			if of.Server == "" && of.Key == "" && !all {
				return &usageError{errUnclear}
			}
			return nil
		},
		RunE: at.run(func(c *call) error {
			n, err := c.client.ClearSticks(c.ctx, c.args[0], of)
			if err == nil {
				fmt.Fprintf(c.out, "%s forgot %s\n", c.args[0], count(n, "client"))
			}
			return err
		}),
		ValidArgsFunction: at.completeBackends,
	}
	at.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&of.Server, "server", "", "clients of this server (`name`), which may be gone")
	flags.StringVar(&of.Key, "key", "", "one client: an address, or the `text` of a key")
	flags.BoolVar(&all, "all", false, "all clients")
	cmd.MarkFlagsMutuallyExclusive("server", "key", "all")
	return cmd
}
