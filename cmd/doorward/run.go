package main

import (
	"os"

	"github.com/spf13/cobra"

	"doorward/app"
)

func newRun() *cobra.Command {
	var path, state string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Serve",
		Long: `Serves until it is told to stop.

  SIGHUP            read the configuration again, as "doorward reload" does
  SIGTERM, SIGINT   stop: take no more connections, let requests in flight finish for
                    timeouts.drain, exit 0; a second one ends at once, with exit code 1
  SIGUSR1           open the log files again, after they were rotated`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			app.TuneMemory(os.LookupEnv)
			signals := catchSignals()
			a, err := app.New(app.Options{
				Path: path, Env: os.LookupEnv, StateDir: state, Version: versionName(),
			})
			if err != nil {
				return explained(err)
			}
			if err := a.Start(); err != nil {
				return err
			}
			return signals.serve(a)
		},
	}
	configFlag(cmd, &path)
	// systemd names the folder of StateDirectory= so.
	cmd.Flags().StringVar(&state, "state", os.Getenv("STATE_DIRECTORY"),
		"`folder` for what outlives the process, such as the internal CA (default: memory)")
	_ = cmd.MarkFlagDirname("state")
	return cmd
}
