package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"doorward/app"
)

func newReload() *cobra.Command {
	var at instance
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Let the running instance read its configuration again",
		Long: `Asks the running instance to read its configuration again, waits, and prints what
changed. Exits 1 when the configuration is refused: then the old one stays in
force, and nothing at all was changed.

The instance is found through listen.control in the configuration.`,
		Args: noArguments,
		RunE: at.run(reload),
	}
	at.flags(cmd)
	return cmd
}

func reload(c *call) error {
	report, err := c.client.Reload(c.ctx)
	var refused *app.RefusedError
	if errors.As(err, &refused) {
		fmt.Fprintln(c.errOut, refused)
		fmt.Fprintln(c.errOut, "doorward: reload refused, the old configuration stays in force")
		return errSilent
	}
	if err != nil {
		return err
	}
	for _, w := range report.Warnings {
		fmt.Fprintln(c.errOut, w)
	}
	fmt.Fprintf(c.out, "reloaded in %d ms\n", report.Milliseconds)
	for _, line := range report.Changes {
		fmt.Fprintln(c.out, "  "+line)
	}
	if len(report.Changes) == 0 {
		fmt.Fprintln(c.out, "  nothing changed")
	}
	return nil
}
