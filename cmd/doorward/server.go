package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"doorward/app"
)

func newServer() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Drain a server, put it into maintenance, change its weight",
		Long: `Changes servers of the running instance. What is said here outlives reloads and
restarts, and "doorward servers" tells who said it.

Servers are named BACKEND/SERVER; 'BACKEND/*' is every server of a backend. When one
of several names is wrong, nothing is changed.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newServerState("drain", "Give it no new clients",
			`A server that drains gets the requests of clients that belong to it by a stick
table or a cookie, and no others. Its checks go on.`),
		newServerState("maint", "Give it no requests at all",
			`A server in maintenance gets no requests and is not checked. Requests that it has
come to their end.`),
		newServerState("ready", "Give it requests again",
			`Ends drain and maintenance. After maintenance the server is checked at once.`),
		newServerWeight())
	return cmd
}

func newServerState(state, short, long string) *cobra.Command {
	var at instance
	cmd := &cobra.Command{
		Use:   state + " BACKEND/SERVER...",
		Short: short,
		Long:  long,
		Args:  atLeast(1, "the names of servers, as BACKEND/SERVER"),
		RunE: at.run(func(c *call) error {
			return changeServers(c, c.args, func(ctx context.Context, s app.ServerName) error {
				_, err := c.client.SetState(ctx, s, state)
				return err
			})
		}),
		ValidArgsFunction: at.completeServers,
	}
	at.flags(cmd)
	return cmd
}

func newServerWeight() *cobra.Command {
	var at instance
	cmd := &cobra.Command{
		Use:   "weight BACKEND/SERVER... WEIGHT",
		Short: "Change its share of the requests",
		Long: `Gives servers a weight of 0 to 256, or "default": the one in the configuration. It
stays until the one in the configuration is changed.`,
		Example: "  doorward server weight app/web1 50\n  doorward server weight 'app/*' default",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := atLeast(2, "the names of servers and a weight")(cmd, args); err != nil {
				return err
			}
			_, err := parseWeight(args[len(args)-1])
			return err
		},
		RunE: at.run(func(c *call) error {
			last := len(c.args) - 1
			weight, err := parseWeight(c.args[last])
			if err != nil {
				return err
			}
			return changeServers(c, c.args[:last], func(ctx context.Context, s app.ServerName) error {
				_, err := c.client.SetWeight(ctx, s, weight)
				return err
			})
		}),
		ValidArgsFunction: at.completeServers,
	}
	at.flags(cmd)
	return cmd
}

func parseWeight(text string) (int, error) {
	if text == "default" {
		return app.DefaultWeight, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 256 {
		return 0, &usageError{fmt.Errorf(`%q is no weight: 0 to 256, or "default"`, text)}
	}
	return n, nil
}

// changeServers changes the servers that the words name, all of them or none, and
// prints what they are then.
func changeServers(c *call, words []string,
	change func(context.Context, app.ServerName) error) error {
	list, err := c.client.Servers(c.ctx, "")
	if err != nil {
		return err
	}
	chosen, err := list.Choose(words)
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range chosen {
		if err := change(c.ctx, s); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s, err))
		}
	}
	if list, err = c.client.Servers(c.ctx, ""); err != nil {
		return errors.Join(append(errs, err)...)
	}
	warnOfNone(c, &list, chosen)
	errs = append(errs, printServers(c, &list, func(s app.ServerName) bool {
		return slices.Contains(chosen, s)
	}))
	return errors.Join(errs...)
}

// warnOfNone tells of backends that have no server left for new requests.
func warnOfNone(c *call, list *app.Servers, chosen []app.ServerName) {
	for i := range list.Backends {
		b := &list.Backends[i]
		touched := slices.ContainsFunc(chosen, func(s app.ServerName) bool {
			return s.Backend == b.Name
		})
		usable := slices.ContainsFunc(b.Servers, func(s app.ServerStatus) bool { return s.Usable })
		if touched && !usable {
			fmt.Fprintf(c.errOut, "warning: no server of %s takes new requests now\n", b.Name)
		}
	}
}
