package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"doorward/app"
)

func newSession() *cobra.Command {
	return branch("session", "List and end sessions", newSessionList(), newSessionEnd())
}

func newSessionList() *cobra.Command {
	var name string
	cmd := asked("list [--user USER]", "List who is signed in", noArguments, func(c *call, asJSON bool) error {
		list, err := c.client.Sessions(c.ctx, name)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.out, list)
		}
		t := newTable("SESSION", "USER", "SIGNED IN WITH", "FROM", "BEGAN", "LAST USED")
		for i := range list {
			s := &list[i]
			t.add(s.ID, s.User, s.Provider, s.Client, ago(s.Created), ago(s.LastSeen))
		}
		return t.print(c.out)
	})
	cmd.Flags().StringVar(&name, "user", "", "only sessions of this `user`")
	return cmd
}

// errWhichSession is an end that does not say whose.
var errWhichSession = errors.New("say which: the ID of a session, or --user USER for all of a user")

func newSessionEnd() *cobra.Command {
	var name string
	cmd := asked("end (SESSION | --user USER)", "End sessions, with all that they have open",
		cobra.MaximumNArgs(1), func(c *call, _ bool) error {
			if (len(c.args) == 1) == (name != "") {
				return &usageError{errWhichSession}
			}
			if name == "" {
				return c.client.EndSession(c.ctx, c.args[0])
			}
			n, err := c.client.EndSessions(c.ctx, name)
			if err == nil {
				fmt.Fprintf(c.out, "ended %s\n", count(n, "session"))
			}
			return err
		})
	cmd.Flags().StringVar(&name, "user", "", "all sessions of this `user`")
	return cmd
}

func newToken() *cobra.Command {
	return branch("token", "List, add and delete tokens for programs", newTokenList(), newTokenAdd(),
		asked("delete TOKEN", "Delete a token", exactly(1, "the ID of a token"), func(c *call, _ bool) error {
			return c.client.DeleteToken(c.ctx, c.args[0])
		}))
}

func newTokenList() *cobra.Command {
	return asked("list USER", "List the tokens of a user", exactly(1, "the name of a user"),
		func(c *call, asJSON bool) error {
			list, err := c.client.Tokens(c.ctx, c.args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.out, list)
			}
			t := newTable("TOKEN", "TITLE", "ROUTES", "MADE", "LAST USED", "ENDS")
			for i := range list {
				k := &list[i]
				ends := "never"
				if !k.Expires.IsZero() {
					ends = "in " + span(time.Until(k.Expires))
				}
				t.add(k.ID, k.Title, strings.Join(k.Routes, ", "), ago(k.Created), ago(k.LastUsed), ends)
			}
			return t.print(c.out)
		})
}

func newTokenAdd() *cobra.Command {
	var k app.NewToken
	var life time.Duration
	cmd := asked("add USER --title TITLE [--route ROUTE] [--expires TIME]",
		"Make a token, and print its secret this once", exactly(1, "the name of a user"),
		func(c *call, asJSON bool) error {
			if life > 0 {
				k.Expires = time.Now().Add(life)
			}
			made, err := c.client.AddToken(c.ctx, c.args[0], k)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.out, made)
			}
			_, err = fmt.Fprintf(c.out, "%s\n", made.Secret)
			return err
		})
	flags := cmd.Flags()
	flags.StringVar(&k.Title, "title", "", "what it is for (`text`)")
	flags.StringSliceVar(&k.Routes, "route", nil, "it opens this `route` only; may be given again")
	flags.DurationVar(&life, "expires", 0, "it ends after this `time` (2160h); not given: never")
	_ = cmd.MarkFlagRequired("title")
	return cmd
}

func newEvents() *cobra.Command {
	limit := positive(100)
	cmd := asked("events", "Show who did what: sign-ins, changes of users, refusals", noArguments,
		func(c *call, asJSON bool) error {
			list, err := c.client.Events(c.ctx, int(limit))
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.out, list)
			}
			t := newTable("TIME", "EVENT", "USER", "BY", "FROM", "DETAIL")
			for i := range list {
				e := &list[i]
				t.add(e.At.Local().Format(time.DateTime), string(e.Kind), e.User, e.By, e.Client, e.Detail)
			}
			return t.print(c.out)
		})
	cmd.Flags().Var(&limit, "limit", "show at most this `number` of events")
	return cmd
}

func newWhy() *cobra.Command {
	return asked("why USER URL", `Tell what becomes of a request, and why ("-" is nobody)`,
		exactly(2, "a user and an address"), func(c *call, asJSON bool) error {
			w, err := c.client.Why(c.ctx, c.args[0], c.args[1])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.out, w)
			}
			return printWhy(c, &w)
		})
}

func printWhy(c *call, w *app.Why) error {
	var b strings.Builder
	line := func(what, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-9s %s\n", what, printable(text))
		}
	}
	line("route", w.Route)
	line("path", w.Canonical)
	line("access", w.Access)
	line("missing", strings.Join(w.Missing, " or "))
	for _, g := range slices.Sorted(maps.Keys(w.Groups)) {
		line("group", g+": "+w.Groups[g])
	}
	for _, f := range w.Fields {
		line("field", f)
	}
	if w.Backend != "" {
		line("backend", w.Backend+", "+strconv.Itoa(len(w.Servers))+" usable: "+strings.Join(w.Servers, ", "))
	}
	_, err := c.out.Write([]byte(b.String()))
	return err
}
