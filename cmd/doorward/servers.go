package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"doorward/app"
)

func newServers() *cobra.Command {
	var at instance
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "servers [BACKEND]",
		Short: "Show the servers: health, state, load",
		Long: `Shows the servers of the running instance, those of one backend or all.

  STATUS      UP, DOWN, DRAIN, MAINT, no check. UP 2/3: two more failed checks of
              three bring it down. DOWN 1/2: one good check of two has been seen
  SINCE       for how long
  LAST CHECK  HAProxy's word, the status code of the answer, how long it took
  WEIGHT      its share; 100 (40%) while slow start allows 40 percent of it
  ACTIVE      requests it has, and how many it may have
  QUEUED      requests that wait for this very server
  ERRORS      requests that got no connection or no whole answer

Below a server: why its last check failed, and who changed its state or weight.`,
		Args: upTo(1, "the name of one backend"),
		RunE: at.run(func(c *call) error {
			list, err := c.client.Servers(c.ctx, strings.Join(c.args, ""))
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.out, list)
			}
			return printServers(c, &list, func(app.ServerName) bool { return true })
		}),
		ValidArgsFunction: at.completeBackends,
	}
	at.flags(cmd)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// printServers prints the servers that are wanted.
func printServers(c *call, list *app.Servers, wanted func(app.ServerName) bool) error {
	t := newTable("SERVER", "STATUS", "SINCE", "LAST CHECK", ">WEIGHT", ">ACTIVE", ">QUEUED",
		">REQUESTS", ">ERRORS")
	for i := range list.Backends {
		b := &list.Backends[i]
		var last *row
		for j := range b.Servers {
			s := &b.Servers[j]
			if wanted(app.ServerName{Backend: b.Name, Server: s.Name}) {
				last = addServer(t, b.Name, s, list.Now)
			}
		}
		if last != nil && b.Queued > 0 {
			last.note(fmt.Sprintf("%s more wait for any server of %s, at most %s",
				grouped(b.Queued), b.Name, grouped(b.QueueLimit)))
		}
	}
	if len(t.rows) == 0 {
		_, err := fmt.Fprintln(c.out, "no servers")
		return err
	}
	return t.print(c.out)
}

func addServer(t *table, backendName string, s *app.ServerStatus, now time.Time) *row {
	name := backendName + "/" + s.Name
	if s.Backup {
		name += " (backup)"
	}
	r := t.add(name, s.Status, since(s.Since, now), lastCheck(s.Check), weight(s),
		ofLimit(s.Active, s.ActiveLimit), ofLimit(s.Queued, s.QueueLimit), grouped(s.Requests),
		grouped(s.Errors))
	r.cells[1].colour = statusColour(s)
	if s.Errors > 0 {
		r.cells[8].colour = yellow
	}
	if c := s.Check; c != nil && failed(c.Status) && s.Admin != "maint" {
		r.cells[3].colour = red
		r.note("check: " + cmp.Or(c.Description, c.Status))
	}
	if text := changed(s); text != "" {
		r.note(fmt.Sprintf("%s by %s, %s", text, cmp.Or(s.AdminBy, "somebody"), moment(s.AdminAt)))
	}
	return r
}

func lastCheck(c *app.CheckStatus) string {
	switch {
	case c == nil:
		return nothing
	case c.At.IsZero():
		return "none yet"
	}
	return checked(c.Status, c.Code) + " " + took(c.Took)
}

func failed(status string) bool { return !strings.HasSuffix(status, "OK") && status != "INI" }

func weight(s *app.ServerStatus) string {
	if s.SlowStart < 100 && s.Usable {
		return fmt.Sprintf("%d (%d%%)", s.Weight, s.SlowStart)
	}
	return fmt.Sprint(s.Weight)
}

// changed says what people made of the server; "" when it is as in the file.
func changed(s *app.ServerStatus) string {
	var is []string
	if s.Admin != "ready" {
		is = append(is, s.Admin)
	}
	if s.Weight != s.ConfiguredWeight {
		is = append(is, fmt.Sprintf("weight %d in place of %d", s.Weight, s.ConfiguredWeight))
	}
	return strings.Join(is, ", ")
}

func statusColour(s *app.ServerStatus) colour {
	switch {
	case s.Admin == "maint":
		return magenta
	case s.Admin == "drain" && s.Up:
		return blue
	case s.Check == nil:
		return dim
	case strings.Contains(s.Status, "/"):
		return yellow
	case s.Up:
		return green
	}
	return red
}
