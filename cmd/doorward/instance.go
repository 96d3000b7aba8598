package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"doorward/app"
)

// answerTime is how long an instance may take to answer at its control socket.
const answerTime = 3 * time.Minute

// instance says which running instance a command talks to.
type instance struct{ config, socket string }

// flags adds what the instance is found by.
func (i *instance) flags(cmd *cobra.Command) {
	configFlag(cmd, &i.config)
	cmd.Flags().StringVar(&i.socket, "control", "", "control `socket`, in place of --config")
	cmd.MarkFlagsMutuallyExclusive("config", "control")
}

// client finds the control socket.
func (i *instance) client() (app.Client, error) {
	if i.socket != "" {
		return app.Client{Socket: i.socket}, nil
	}
	socket, err := app.ControlPath(i.config)
	if err != nil {
		return app.Client{}, fmt.Errorf("%s: %w", i.config, err)
	}
	return app.Client{Socket: socket}, nil
}

// call is one command at work with an instance.
type call struct {
	ctx         context.Context
	client      app.Client
	in          io.Reader
	out, errOut io.Writer
	args        []string
}

// run is the RunE of a command that talks to the instance.
func (i *instance) run(do func(*call) error) func(*cobra.Command, []string) error {
	return i.runFor(answerTime, do)
}

// runFor is run for a command that takes its time.
func (i *instance) runFor(
	most time.Duration, do func(*call) error,
) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		client, err := i.client()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), most)
		defer cancel()
		return do(&call{
			ctx: ctx, client: client, in: cmd.InOrStdin(), out: cmd.OutOrStdout(),
			errOut: cmd.ErrOrStderr(), args: args,
		})
	}
}

// jsonFlag adds --json.
func jsonFlag(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "print what the control socket answers")
}

// positive is a flag that holds a number from 1.
type positive int

// Set implements pflag.Value.
func (p *positive) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return errors.New("a number from 1")
	}
	*p = positive(n)
	return nil
}

// String implements pflag.Value.
func (p *positive) String() string { return strconv.Itoa(int(*p)) }

// Type implements pflag.Value.
func (p *positive) Type() string { return "number" }

func printJSON(out io.Writer, v any) error {
	to := json.NewEncoder(out)
	to.SetIndent("", "  ")
	to.SetEscapeHTML(false)
	return to.Encode(v)
}

// completionTime bounds how long a shell waits for names to complete.
const completionTime = 2 * time.Second

// completeBackends and completeServers let a shell complete names that the instance
// has.
func (i *instance) completeBackends(cmd *cobra.Command, args []string, _ string) (
	names []cobra.Completion, _ cobra.ShellCompDirective) {
	if len(args) == 0 {
		for _, b := range i.known(cmd.Context()) {
			names = append(names, b.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (i *instance) completeServers(cmd *cobra.Command, _ []string, _ string) (
	names []cobra.Completion, _ cobra.ShellCompDirective) {
	for _, b := range i.known(cmd.Context()) {
		for _, s := range b.Servers {
			names = append(names, b.Name+"/"+s.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (i *instance) known(ctx context.Context) []app.BackendStatus {
	client, err := i.client()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	list, _ := client.Servers(ctx, "")
	return list.Backends
}
