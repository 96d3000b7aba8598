package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// defaultConfig is where the unit and the image expect the configuration.
const defaultConfig = "/etc/doorward/doorward.toml"

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "doorward",
		Short: "The edge of a network in one program: TLS, routing, balancing",
		Long: `Doorward stands at the edge of a network: it terminates TLS, routes requests by
host and path, and balances them over servers.

  doorward demo                      try it here and now
  doorward check --config FILE       what is wrong with a configuration
  doorward run --config FILE         serve
  doorward servers                   what the running instance thinks of its servers`,
		Args:          noArguments,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       versionName(),
	}
	root.SetVersionTemplate("doorward {{.Version}}\n")
	root.AddCommand(newRun(), newCheck(), newReload(), newServers(), newServer(), newSticks(),
		newUser(), newGroup(), newSession(), newToken(), newEvents(), newWhy(),
		newConnections(), newBackends(), newCerts(), newVersion(), newDemo(), newConfig())
	for _, cmd := range append(root.Commands(), root) {
		cmd.SuggestionsMinimumDistance = 2
		cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
			return &usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
		})
	}
	return root
}

// noArguments refuses arguments, and guesses what was meant.
func noArguments(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case !cmd.HasSubCommands():
		text := fmt.Sprintf("%s takes no argument %q", cmd.Name(), args[0])
		if cmd.Flags().Lookup("config") != nil {
			text += " (did you mean --config " + args[0] + "?)"
		}
		return &usageError{errors.New(text + "; see " + cmd.CommandPath() + " --help")}
	}
	text := fmt.Sprintf("unknown command %q", args[0])
	if close := cmd.SuggestionsFor(args[0]); len(close) > 0 {
		text += fmt.Sprintf(" (did you mean %q?)", close[0])
	}
	return &usageError{errors.New(text + "; see " + cmd.CommandPath() + " --help")}
}

// exactly, atLeast and upTo ask for a number of arguments.
func exactly(n int, what string) cobra.PositionalArgs {
	return arguments(func(got int) bool { return got == n }, what)
}

func atLeast(n int, what string) cobra.PositionalArgs {
	return arguments(func(got int) bool { return got >= n }, what)
}

func upTo(n int, what string) cobra.PositionalArgs {
	return arguments(func(got int) bool { return got <= n }, "at most "+what)
}

func arguments(enough func(int) bool, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if enough(len(args)) {
			return nil
		}
		return &usageError{fmt.Errorf("%s takes %s; see %s --help",
			strings.TrimPrefix(cmd.CommandPath(), "doorward "), what, cmd.CommandPath())}
	}
}

// configFlag adds --config to a command.
func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", defaultConfig, "configuration `file`")
	_ = cmd.MarkFlagFilename("config", "toml")
}
