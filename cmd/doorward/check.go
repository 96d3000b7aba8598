package main

import (
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"doorward/app"
	"doorward/config"
)

func newCheck() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say what is wrong with a configuration",
		Long: `Reads a configuration and builds everything from it that a start would build, but
listens nowhere and leaves nothing behind. Prints every mistake and every warning
as file:line:column: key: what is wrong. Exits 1 when there is a mistake.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return check(path, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	configFlag(cmd, &path)
	return cmd
}

func check(path string, out, errOut io.Writer) error {
	found := app.Check(app.Options{Path: path, Env: os.LookupEnv})
	if w := app.Toolchain(runtime.Version()); w != "" {
		found = append(found, config.Diagnostic{
			File: "doorward", Message: w, Severity: config.Warning,
		})
	}
	for _, d := range found {
		fmt.Fprintln(errOut, d)
	}
	errs, warnings := len(found.Errors()), len(found.Warnings())
	if errs > 0 {
		fmt.Fprintf(errOut, "%s: %s\n", path, counts(errs, warnings))
		return errSilent
	}
	if warnings > 0 {
		fmt.Fprintf(out, "%s is valid, with %s\n", path, count(warnings, "warning"))
		return nil
	}
	fmt.Fprintf(out, "%s is valid\n", path)
	return nil
}

func counts(errs, warnings int) string {
	if warnings == 0 {
		return count(errs, "error")
	}
	return count(errs, "error") + ", " + count(warnings, "warning")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
