package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"doorward/app"
)

// answerTime is how long an instance may take to answer at its control socket.
const answerTime = 3 * time.Minute

func newReload() *cobra.Command {
	var path, socket string
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Let the running instance read its configuration again",
		Long: `Asks the running instance to read its configuration again, waits, and prints what
changed. Exits 1 when the configuration is refused: then the old one stays in
force, and nothing at all was changed.

The instance is found through listen.control in the configuration.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := clientFor(path, socket)
			if err != nil {
				return err
			}
			return reload(cmd.Context(), client, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&socket, "control", "", "control `socket`, in place of --config")
	cmd.MarkFlagsMutuallyExclusive("config", "control")
	return cmd
}

// clientFor finds the control socket.
func clientFor(path, socket string) (app.Client, error) {
	if socket != "" {
		return app.Client{Socket: socket}, nil
	}
	socket, err := app.ControlPath(path)
	if err != nil {
		return app.Client{}, fmt.Errorf("%s: %w", path, err)
	}
	return app.Client{Socket: socket}, nil
}

func reload(ctx context.Context, client app.Client, out, errOut io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	report, err := client.Reload(ctx)
	var refused *app.RefusedError
	if errors.As(err, &refused) {
		fmt.Fprintln(errOut, refused)
		fmt.Fprintln(errOut, "doorward: reload refused, the old configuration stays in force")
		return errSilent
	}
	if err != nil {
		return err
	}
	for _, w := range report.Warnings {
		fmt.Fprintln(errOut, w)
	}
	fmt.Fprintf(out, "reloaded in %d ms\n", report.Milliseconds)
	for _, line := range report.Changes {
		fmt.Fprintln(out, "  "+line)
	}
	if len(report.Changes) == 0 {
		fmt.Fprintln(out, "  nothing changed")
	}
	return nil
}
