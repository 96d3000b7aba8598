package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"doorward/app"
)

// branch is a command that only has others below it.
func branch(use, short string, below ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(below...)
	return cmd
}

// asked is a command that asks the instance, with --json.
func asked(use, short string, args cobra.PositionalArgs, do func(*call, bool) error) *cobra.Command {
	var at instance
	var asJSON bool
	cmd := &cobra.Command{
		Use: use, Short: short, Args: args, DisableFlagsInUseLine: true,
		RunE: at.run(func(c *call) error { return do(c, asJSON) }),
	}
	at.flags(cmd)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func newUser() *cobra.Command {
	return branch("user", "List, add and change users",
		newUserList(), newUserShow(), newUserAdd(), newUserLink(),
		newUserState("enable", "Let a user sign in: one that waits for approval, or was disabled", "active"),
		newUserState("disable", "Let a user in no more, and end all sessions", "disabled"),
		newUserDelete())
}

func newUserList() *cobra.Command {
	return asked("list", "List all users", noArguments, func(c *call, asJSON bool) error {
		list, err := c.client.Users(c.ctx)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.out, list)
		}
		t := newTable("USER", "NAME", "STATE", "SIGNS IN WITH", "GROUPS", "SESSIONS", "LAST SIGN-IN")
		for i := range list {
			u := &list[i]
			t.add(u.Name, u.Title, kindOf(u), strings.Join(u.Providers, ", "),
				strings.Join(slices.Sorted(maps.Keys(u.Groups)), ", "),
				strconv.Itoa(u.Sessions), ago(u.SignedIn))
		}
		return t.print(c.out)
	})
}

func kindOf(u *app.UserStatus) string {
	if u.Service {
		return u.State + " service"
	}
	return u.State
}

// ago is how long something is past.
func ago(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return span(time.Since(at)) + " ago"
}

func newUserShow() *cobra.Command {
	return asked("show USER", "Show a user, with where each group comes from",
		exactly(1, "the name of a user"), func(c *call, asJSON bool) error {
			u, err := c.client.User(c.ctx, c.args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.out, u)
			}
			return printUser(c, &u)
		})
}

func printUser(c *call, u *app.UserStatus) error {
	fmt.Fprintf(c.out, "%s (%s), %s\n", printable(u.Name), printable(u.Title), kindOf(u))
	fmt.Fprintf(c.out, "  mail      %s\n  signs in  %s\n", printable(u.Email), strings.Join(u.Providers, ", "))
	for _, g := range slices.Sorted(maps.Keys(u.Groups)) {
		fmt.Fprintf(c.out, "  group     %s: %s\n", printable(g), printable(u.Groups[g]))
	}
	_, err := fmt.Fprintf(c.out, "  sessions  %d, tokens %d, last sign-in %s\n", u.Sessions, u.Tokens, ago(u.SignedIn))
	return err
}

func newUserAdd() *cobra.Command {
	var u app.NewUser
	cmd := asked("add USER [--admin] [--group GROUP]", "Add a user, and print a link to choose a password",
		exactly(1, "the name of the user"), func(c *call, asJSON bool) error {
			u.Name = c.args[0]
			made, err := c.client.AddUser(c.ctx, u)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.out, made)
			}
			return printInvitation(c, &made)
		})
	flags := cmd.Flags()
	flags.BoolVar(&u.Admin, "admin", false, "put the user into the group admins")
	flags.StringSliceVar(&u.Groups, "group", nil, "put the user into this `group`; may be given again")
	flags.StringVar(&u.Title, "title", "", "the `name` to show")
	flags.StringVar(&u.Email, "email", "", "the e-mail `address`")
	flags.BoolVar(&u.Service, "service", false, "an account for programs: it has tokens only")
	return cmd
}

func printInvitation(c *call, made *app.Invitation) (err error) {
	if made.Link == "" {
		_, err = fmt.Fprintf(c.out, "%s is there\n", made.User.Name)
		return err
	}
	_, err = fmt.Fprintf(c.out, "%s chooses a password here, within %s:\n%s\n",
		made.User.Name, span(time.Until(made.Expires).Round(time.Hour)), made.Link)
	return err
}

func newUserLink() *cobra.Command {
	return asked("link USER", "Print a new link by which a user chooses a password",
		exactly(1, "the name of a user"), func(c *call, asJSON bool) error {
			made, err := c.client.InviteUser(c.ctx, c.args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.out, made)
			}
			return printInvitation(c, &made)
		})
}

func newUserState(use, short, state string) *cobra.Command {
	return asked(use+" USER", short, exactly(1, "the name of a user"), func(c *call, asJSON bool) error {
		u, err := c.client.SetUserState(c.ctx, c.args[0], state)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.out, u)
		}
		_, err = fmt.Fprintf(c.out, "%s is %s\n", u.Name, u.State)
		return err
	})
}

func newUserDelete() *cobra.Command {
	return asked("delete USER", "Delete a user, with all tokens and sessions",
		exactly(1, "the name of a user"), func(c *call, _ bool) error {
			return c.client.DeleteUser(c.ctx, c.args[0])
		})
}

func newGroup() *cobra.Command {
	list := asked("list", "List groups with their members", noArguments, func(c *call, asJSON bool) error {
		list, err := c.client.Groups(c.ctx)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.out, list)
		}
		t := newTable("GROUP", "MEMBERS")
		for _, g := range list {
			t.add(g.Name, strings.Join(g.Members, ", "))
		}
		return t.print(c.out)
	})
	member := func(use, short, what string, do func(*call) (app.UserStatus, error)) *cobra.Command {
		return asked(use+" GROUP USER", short, exactly(2, "a group and a user"), func(c *call, asJSON bool) error {
			u, err := do(c)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.out, u)
			}
			_, err = fmt.Fprintf(c.out, "%s is %s %s\n", u.Name, what, c.args[0])
			return err
		})
	}
	return branch("group", "List groups, and who is in them", list,
		member("add", "Put a user into a group", "in", func(c *call) (app.UserStatus, error) {
			return c.client.JoinGroup(c.ctx, c.args[0], c.args[1])
		}),
		member("remove", "Take a user out of a group", "no member of", func(c *call) (app.UserStatus, error) {
			return c.client.LeaveGroup(c.ctx, c.args[0], c.args[1])
		}))
}
