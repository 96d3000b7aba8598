package stats

import (
	"fmt"
	"strings"
)

// serverCount is how many servers there are, over all backends. One that is in
// none of the states counts as used.
type serverCount struct {
	all, used                      int
	down, drained, maint, weighted int // weighted have a weight of 0
	dead                           int // backends that take no requests
}

func countServers(p *Picture) serverCount {
	var c serverCount
	for i := range p.Backends {
		b := &p.Backends[i]
		c.all += len(b.Servers)
		if !b.Up {
			c.dead++
		}
		for j := range b.Servers {
			switch s := &b.Servers[j]; {
			case s.Usable():
				c.used++
			case s.Admin == "maint":
				c.maint++
			case !s.IsUp():
				c.down++
			case s.Admin == "drain":
				c.drained++
			default:
				c.weighted++
			}
		}
	}
	return c
}

// out says what became of those that are not used. A number and its word stay on
// one line.
func (c *serverCount) out() string {
	var parts []string
	for _, part := range []struct {
		n    int
		word string
	}{{c.down, "down"}, {c.drained, "drain"}, {c.maint, "maint"}, {c.weighted, "weight\u00a00"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d\u00a0%s", part.n, part.word))
		}
	}
	if len(parts) == 0 {
		return "all of them"
	}
	return strings.Join(parts, ", ")
}

// titleOf is what a tab of a browser says, which is seen when the page is not.
func titleOf(p *Picture) cell {
	title := cell{ID: "title", Text: p.Node.Host + " · Doorward"}
	if c := countServers(p); c.down > 0 {
		title.Text = fmt.Sprintf("%d down · ", c.down) + title.Text
	}
	return title
}
