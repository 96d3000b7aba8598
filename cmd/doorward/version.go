package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"doorward/app"
)

// version is set by the linker: -ldflags "-X main.version=1.2.3".
var version = ""

func newVersion() *cobra.Command {
	var socket string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if socket != "" {
				return printRunning(cmd.Context(), app.Client{Socket: socket}, cmd.OutOrStdout())
			}
			printVersion(cmd.OutOrStdout(), cmd.ErrOrStderr())
			return nil
		},
	}
	cmd.Flags().StringVar(&socket, "control", "",
		"of the instance that answers at this control `socket`, not of this program")
	return cmd
}

func printRunning(ctx context.Context, client app.Client, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	v, err := client.Version(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "doorward %s\ngo       %s\npid      %d\nconfig   %s\nsince    %s\n",
		v.Version, v.Go, v.PID, v.Config, v.Started.Local().Format(time.DateTime))
	return err
}

func printVersion(out, errOut io.Writer) {
	fmt.Fprintf(out, "doorward %s\n", versionName())
	fmt.Fprintf(out, "go       %s %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if c := commit(); c != "" {
		fmt.Fprintf(out, "commit   %s\n", c)
	}
	if w := app.Toolchain(runtime.Version()); w != "" {
		fmt.Fprintf(errOut, "warning: %s\n", w)
	}
}

// versionName is the version, which go install knows when the linker was told
// none.
func versionName() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return cmp.Or(version, "unknown")
	}
	return cmp.Or(version, info.Main.Version, "unknown")
}

// commit is the commit that was built, with its time, and "modified" when there
// was more in the folder than that.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	vcs := map[string]string{}
	for _, s := range info.Settings {
		vcs[s.Key] = s.Value
	}
	text := vcs["vcs.revision"]
	if text == "" {
		return ""
	}
	text += " " + vcs["vcs.time"]
	if vcs["vcs.modified"] == "true" {
		text += " modified"
	}
	return text
}
