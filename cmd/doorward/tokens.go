package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"doorward/app"
	"doorward/config"
)

func newToken() *cobra.Command {
	return branch("token", "List, add and delete tokens for programs",
		newTokenList(), newTokenAdd(), newTokenDelete())
}

func newTokenList() *cobra.Command {
	return completing(asking("list [USER]", "List tokens, of a user or all",
		upTo(1, aUser), func(c *call) (any, func() error, error) {
			name := ""
			if len(c.args) == 1 {
				name = c.args[0]
			}
			list, err := c.client.Tokens(c.ctx, name)
			if err != nil {
				return nil, nil, err
			}
			t := newTable("TOKEN", "USER", "FOR", "ROUTES", "MADE", "LAST USED", "ENDS")
			for i := range list {
				addToken(t, &list[i])
			}
			return list, c.tabling(t, "no tokens"), nil
		}), 0)
}

func addToken(t *table, k *app.NamedToken) {
	routes := "all"
	if len(k.Routes) > 0 {
		routes = strings.Join(k.Routes, ", ")
	}
	ends, tint := "never", colour("")
	if left := time.Until(k.Expires); !k.Expires.IsZero() && left > 0 {
		ends = "in " + span(left)
	} else if !k.Expires.IsZero() {
		ends, tint = "has ended", red
	}
	r := t.add(k.ID, k.Name, orNothing(k.Title), routes, ago(k.Created), ago(k.LastUsed), ends)
	r.cells[6].colour = tint
}

// errUntitled is a token without a title.
var errUntitled = errors.New("say what the token is for: --title TITLE")

// life is a flag that holds how long something lives, as the configuration writes it.
type life struct{ config.Duration }

// Set implements pflag.Value.
func (l *life) Set(text string) error {
	if l.UnmarshalText([]byte(text)) != nil {
		return errors.New(`a time such as "90d" or "12h"`)
	}
	return nil
}

// String implements pflag.Value.
func (l *life) String() string {
	if l.Duration == 0 {
		return ""
	}
	return time.Duration(l.Duration).String()
}

// Type implements pflag.Value.
func (l *life) Type() string { return "time" }

func newTokenAdd() *cobra.Command {
	var k app.NewToken
	var expires life
	cmd := completing(asking("add USER --title TITLE [--route ROUTE]... [--expires TIME]",
		"Make a token, and print its secret this once", exactly(1, aUser),
		func(c *call) (any, func() error, error) {
			if expires.Duration > 0 {
				k.Expires = time.Now().Add(time.Duration(expires.Duration)).UTC().Round(time.Second)
			}
			made, err := c.client.AddToken(c.ctx, c.args[0], k)
			return made, func() error {
				fmt.Fprintf(c.errOut, "the secret of %s, which is kept nowhere:\n", made.ID)
				return c.saying("%s", made.Secret)()
			}, err
		}), 0)
	cmd.Long = `Makes a token of a user or a service, and prints its secret, which is not told again.
Programs send it as "Authorization: Bearer SECRET", or as the password of basic
authentication, to routes that take tokens (tokens = true, basic_auth = true).

  doorward token add backup --title 'nightly backup' --route files --expires 90d`
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if strings.TrimSpace(k.Title) == "" {
			return &usageError{errUntitled}
		}
		return nil
	}
	flags := cmd.Flags()
	flags.StringVar(&k.Title, "title", "", "what it is for (`text`)")
	flags.StringArrayVar(&k.Routes, "route", nil, "it opens this `route` alone, for each one")
	flags.Var(&expires, "expires", "it ends after this `time`; not given: never")
	return cmd
}

func newTokenDelete() *cobra.Command {
	return asking("delete TOKEN", "Delete a token, and end what it has open",
		exactly(1, "the ID of a token"), func(c *call) (any, func() error, error) {
			err := c.client.DeleteToken(c.ctx, c.args[0])
			return gone{1}, c.saying("%s is deleted", c.args[0]), err
		})
}
