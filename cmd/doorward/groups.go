package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"doorward/app"
)

// aGroup is the argument of most commands about groups.
const aGroup = "the name of a group"

func newGroup() *cobra.Command {
	return branch("group", "List and change groups, and who is in them",
		newGroupList(), newGroupMembers(), newGroupAdd(), newGroupRemove(), newGroupDelete())
}

func newGroupList() *cobra.Command {
	return asking("list", "List groups with their members", noArguments,
		func(c *call) (any, func() error, error) {
			list, err := c.client.Groups(c.ctx)
			if err != nil {
				return nil, nil, err
			}
			t := newTable("GROUP", "NAME", "FROM", "MEMBERS")
			for i := range list {
				g := &list[i]
				from := "store"
				if g.Configured {
					from = "configuration"
				}
				t.add(g.Name, orNothing(g.Title), from, orNothing(strings.Join(g.Members, ", ")))
			}
			return list, c.tabling(t, "no groups"), nil
		})
}

func newGroupMembers() *cobra.Command {
	return asking("members GROUP", "Show who is in a group, and by what",
		exactly(1, aGroup), func(c *call) (any, func() error, error) {
			g, err := c.client.Group(c.ctx, c.args[0])
			if err != nil {
				return nil, nil, err
			}
			t := newTable("USER", "BY")
			for _, name := range g.Members {
				t.add(name, g.Sources[name])
			}
			return g, c.tabling(t, "nobody is in "+g.Name), nil
		})
}

func newGroupAdd() *cobra.Command {
	return asking("add GROUP [USER]...", "Put users into a group, which is made if there is none",
		atLeast(1, aGroup+", and of users"), func(c *call) (any, func() error, error) {
			group, users := c.args[0], c.args[1:]
			for _, name := range users {
				if _, err := c.client.JoinGroup(c.ctx, group, name); err != nil {
					return nil, nil, err
				}
			}
			g, err := c.client.AddGroup(c.ctx, group)
			return g, c.nowIn(&g), err
		})
}

func newGroupRemove() *cobra.Command {
	return asking("remove GROUP USER...", "Take users out of a group",
		atLeast(2, aGroup+", and of users"), func(c *call) (any, func() error, error) {
			for _, name := range c.args[1:] {
				if _, err := c.client.LeaveGroup(c.ctx, c.args[0], name); err != nil {
					return nil, nil, err
				}
			}
			// A group that was never made is gone with its last member.
			g := app.GroupStatus{Name: c.args[0]}
			list, err := c.client.Groups(c.ctx)
			for i := range list {
				if list[i].Name == g.Name {
					g = list[i]
				}
			}
			return g, c.nowIn(&g), err
		})
}

// nowIn tells who is in a group.
func (c *call) nowIn(g *app.GroupStatus) func() error {
	names := "nobody"
	if len(g.Members) > 0 {
		names = strings.Join(g.Members, ", ")
	}
	return c.saying("%s", fmt.Sprintf("in %s: %s", g.Name, names))
}

func newGroupDelete() *cobra.Command {
	return asking("delete GROUP", "Take all users out of a group, and the group away",
		exactly(1, aGroup), func(c *call) (any, func() error, error) {
			err := c.client.DeleteGroup(c.ctx, c.args[0])
			return gone{1}, c.saying("%s is deleted", c.args[0]), err
		})
}
