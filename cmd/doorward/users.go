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

// aUser is the argument of most commands about users.
const aUser = "the name of a user"

func newUser() *cobra.Command {
	return branch("user", "List, add and change users",
		newUserList(), newUserShow(), newUserAdd(), newUserPassword(), newUserLink(),
		newUserApprove(),
		newUserState("enable", "Let a user in who was disabled, or waits for approval", "active"),
		newUserState("disable", "Let a user in no more, and end all sessions", "disabled"),
		newUserDelete())
}

func newUserList() *cobra.Command {
	var pending bool
	cmd := asking("list", "List all users", noArguments,
		func(c *call) (any, func() error, error) {
			list, err := c.client.Users(c.ctx)
			if err != nil {
				return nil, nil, err
			}
			if pending {
				list = slices.DeleteFunc(list, func(u app.UserStatus) bool {
					return u.State != "pending"
				})
			}
			t := newTable("USER", "NAME", "STATE", "SIGNS IN WITH", "GROUPS", ">SESSIONS",
				"LAST SIGN-IN")
			for i := range list {
				addUser(t, &list[i])
			}
			return list, c.tabling(t, "no users"), nil
		})
	cmd.Flags().BoolVar(&pending, "pending", false, "only those who wait for approval")
	return cmd
}

func addUser(t *table, u *app.UserStatus) {
	r := t.add(u.Name, orNothing(u.Title), kindOf(u), orNothing(strings.Join(u.Providers, ", ")),
		orNothing(strings.Join(slices.Sorted(maps.Keys(u.Groups)), ", ")),
		strconv.Itoa(u.Sessions), ago(u.SignedIn))
	r.cells[2].colour = map[string]colour{
		"active": green, "pending": yellow, "disabled": red,
	}[u.State]
}

func kindOf(u *app.UserStatus) string {
	if u.Service {
		return u.State + " service"
	}
	return u.State
}

func newUserShow() *cobra.Command {
	return completing(asking("show USER", "Show a user, with where each group comes from",
		exactly(1, aUser), func(c *call) (any, func() error, error) {
			u, err := c.client.User(c.ctx, c.args[0])
			return u, func() error { return printUser(c, &u) }, err
		}), 0)
}

func printUser(c *call, u *app.UserStatus) error {
	s := newSheet(c.out)
	s.line("user", u.Name)
	s.line("name", u.Title)
	s.line("e-mail", u.Email)
	s.line("id", u.ID)
	s.line("state", kindOf(u))
	s.line("created", moment(u.Created))
	s.line("signs in", strings.Join(u.Providers, ", "))
	s.line("last sign-in", ago(u.SignedIn))
	for _, a := range u.Accounts {
		s.line("account", fmt.Sprintf("%s: %s %s %s", a.Provider, a.Subject, a.Name, a.Email))
	}
	s.groups(u.Groups, u.GroupsUnknown)
	s.line("roles", strings.Join(u.Roles, ", "))
	s.line("sessions", strconv.Itoa(u.Sessions))
	s.line("tokens", strconv.Itoa(u.Tokens))
	return s.print()
}

func newUserAdd() *cobra.Command {
	var u app.NewUser
	var password bool
	cmd := asking("add USER", "Add a user, and print a link to choose a password",
		exactly(1, "the name of the user"), func(c *call) (any, func() error, error) {
			u.Name = c.args[0]
			if password {
				var err error
				if u.Password, err = readPassword(c.in); err != nil {
					return nil, nil, err
				}
			}
			made, err := c.client.AddUser(c.ctx, u)
			return made, func() error { return printInvitation(c, &made) }, err
		})
	cmd.Use = "add USER [--admin] [--group GROUP]... [--title NAME] [--email ADDRESS]" +
		" [--service | --password-stdin]"
	cmd.Long = `Adds a user and prints a link, good once and for three days, by which the user chooses
a password. --password-stdin sets one instead: it is the first line of standard input.
A service has neither, but tokens: see doorward token add.

  doorward user add anna --title 'Anna Arendt' --email anna@example.com --group staff
  doorward user add root --admin --password-stdin < password
  doorward user add backup --service`
	flags := cmd.Flags()
	flags.BoolVar(&u.Admin, "admin", false, "put the user into the group admins")
	flags.StringArrayVar(&u.Groups, "group", nil, "put the user into this `group`, for each one")
	flags.StringVar(&u.Title, "title", "", "the `name` to show")
	flags.StringVar(&u.Email, "email", "", "the e-mail `address`")
	flags.BoolVar(&u.Service, "service", false, "an account for programs: it has tokens only")
	flags.BoolVar(&password, "password-stdin", false, "read the password from standard input")
	cmd.MarkFlagsMutuallyExclusive("service", "password-stdin")
	return cmd
}

func printInvitation(c *call, made *app.Invitation) error {
	if made.Link == "" {
		return c.saying("%s is there", made.User.Name)()
	}
	fmt.Fprintf(c.errOut, "%s chooses a password here, once and within %s:\n",
		printable(made.User.Name), span(time.Until(made.Expires).Round(time.Hour)))
	return c.saying("%s", made.Link)()
}

func newUserLink() *cobra.Command {
	return completing(asking("link USER",
		"Print a new link by which a user chooses a password; the one before ends",
		exactly(1, aUser), func(c *call) (any, func() error, error) {
			made, err := c.client.InviteUser(c.ctx, c.args[0])
			return made, func() error { return printInvitation(c, &made) }, err
		}), 0)
}

func newUserPassword() *cobra.Command {
	cmd := completing(asking("password USER",
		"Set a user's password to the first line of standard input",
		exactly(1, aUser), func(c *call) (any, func() error, error) {
			password, err := readPassword(c.in)
			if err != nil {
				return nil, nil, err
			}
			u, err := c.client.SetPassword(c.ctx, c.args[0], password)
			return u, c.saying("%s has another password", u.Name), err
		}), 0)
	cmd.Long = `Sets a user's password to the first line of standard input, and ends all sessions of the
user. Better is doorward user link: then nobody but the user knows the password.

  doorward user password anna < password`
	return cmd
}

func newUserApprove() *cobra.Command {
	return completing(asking("approve USER", "Let in a user who waits for approval",
		exactly(1, aUser), func(c *call) (any, func() error, error) {
			u, err := c.client.ApproveUser(c.ctx, c.args[0])
			return u, c.saying("%s is %s", u.Name, u.State), err
		}), 0)
}

func newUserState(use, short, state string) *cobra.Command {
	return completing(asking(use+" USER", short, exactly(1, aUser),
		func(c *call) (any, func() error, error) {
			u, err := c.client.SetUserState(c.ctx, c.args[0], state)
			return u, c.saying("%s is %s", u.Name, u.State), err
		}), 0)
}

func newUserDelete() *cobra.Command {
	return completing(asking("delete USER", "Delete a user, with all tokens and sessions",
		exactly(1, aUser), func(c *call) (any, func() error, error) {
			err := c.client.DeleteUser(c.ctx, c.args[0])
			return gone{1}, c.saying("%s is deleted", c.args[0]), err
		}), 0)
}
