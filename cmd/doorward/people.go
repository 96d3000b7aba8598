package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// branch is a command that only has others below it.
func branch(use, short string, below ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(below...)
	return cmd
}

// errand is what a command asks the instance for: it returns what --json prints, and
// what prints the same for people.
type errand func(c *call) (answer any, tell func() error, err error)

// asking is a command with an errand.
func asking(use, short string, args cobra.PositionalArgs, do errand) *cobra.Command {
	var at instance
	var asJSON bool
	cmd := &cobra.Command{
		Use: use, Short: short, Args: args, DisableFlagsInUseLine: true,
		RunE: at.run(func(c *call) error {
			answer, tell, err := do(c)
			switch {
			case err != nil:
				return err
			case asJSON:
				return printJSON(c.out, answer)
			}
			return tell()
		}),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	at.flags(cmd)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// saying prints a line about what was done.
func (c *call) saying(format string, args ...any) func() error {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = printable(text)
		}
	}
	return func() error {
		_, err := fmt.Fprintf(c.out, format+"\n", args...)
		return err
	}
}

// tabling prints a table, or a line when it has no rows.
func (c *call) tabling(t *table, none string) func() error {
	if len(t.rows) == 0 {
		return c.saying("%s", none)
	}
	return func() error { return t.print(c.out) }
}

// gone is the answer of what leaves nothing to say.
type gone struct {
	Done int `json:"done"`
}

// ago is how long something is past.
func ago(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return span(time.Since(at)) + " ago"
}

// orNothing is the text, or what stands where there is none.
func orNothing(text string) string {
	if text == "" {
		return nothing
	}
	return text
}

// completing lets a shell complete names of users behind the first few arguments.
func completing(cmd *cobra.Command, before int) *cobra.Command {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) (
		names []cobra.Completion, _ cobra.ShellCompDirective) {
		if len(args) == before {
			names = knownUsers(cmd)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

// completingUserFlag does so for --user.
func completingUserFlag(cmd *cobra.Command) *cobra.Command {
	_ = cmd.RegisterFlagCompletionFunc("user", func(cmd *cobra.Command, _ []string, _ string) (
		[]cobra.Completion, cobra.ShellCompDirective) {
		return knownUsers(cmd), cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

// knownUsers are the names of users that the instance has.
func knownUsers(cmd *cobra.Command) (names []cobra.Completion) {
	var at instance
	at.config, _ = cmd.Flags().GetString("config")
	at.socket, _ = cmd.Flags().GetString("control")
	client, err := at.client()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	list, _ := client.Users(ctx)
	for i := range list {
		names = append(names, list[i].Name)
	}
	return names
}
