package main

import (
	"errors"

	"github.com/spf13/cobra"

	"doorward/app"
)

func newSession() *cobra.Command {
	return branch("session", "List and end sessions", newSessionList(), newSessionEnd())
}

func newSessionList() *cobra.Command {
	var name string
	cmd := asking("list [--user USER]", "List who is signed in, the one seen last first",
		noArguments, func(c *call) (any, func() error, error) {
			list, err := c.client.Sessions(c.ctx, name)
			if err != nil {
				return nil, nil, err
			}
			t := newTable("SESSION", "USER", "SIGNED IN WITH", "FROM", "BEGAN", "LAST SEEN")
			for i := range list {
				addSession(t, &list[i])
			}
			return list, c.tabling(t, "no sessions"), nil
		})
	cmd.Flags().StringVar(&name, "user", "", "only sessions of this `user`")
	return completingUserFlag(cmd)
}

func addSession(t *table, s *app.SessionStatus) {
	with := s.Provider
	if s.MFA {
		with += ", second factor"
	}
	t.add(s.ID, s.User, with, orNothing(s.Client), ago(s.Created), ago(s.LastSeen))
}

// errWhichSession is an end that does not say whose.
var errWhichSession = errors.New(
	"say which: the ID of a session, or --user USER for all of a user")

func newSessionEnd() *cobra.Command {
	var name string
	cmd := asking("end (SESSION | --user USER)", "End sessions, with all that they have open",
		upTo(1, "the ID of a session"), func(c *call) (any, func() error, error) {
			if name == "" {
				err := c.client.EndSession(c.ctx, c.args[0])
				return gone{1}, c.saying("ended 1 session"), err
			}
			n, err := c.client.EndSessions(c.ctx, name)
			return gone{n}, c.saying("ended %s", count(n, "session")), err
		})
	cmd.PreRunE = func(_ *cobra.Command, args []string) error {
		if (len(args) == 1) == (name != "") {
			return &usageError{errWhichSession}
		}
		return nil
	}
	cmd.Flags().StringVar(&name, "user", "", "all sessions of this `user`")
	return completingUserFlag(cmd)
}
