package stats

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"
)

// list is a small table below the large one. The first cell of a row is its name.
type list struct {
	Title string
	// Heads are the columns, the first Words of which hold words and the others
	// numbers.
	Heads []string
	Words int
	Rows  [][]cell
	// Facts says that each row is a name and a value, and there are no heads.
	Facts bool
}

func listsOf(p *Picture) []list {
	all := []list{processList(p), reloadList(p)}
	for _, l := range []list{routeList(p), stickList(p), limitList(p), certificateList(p)} {
		if len(l.Rows) > 0 {
			all = append(all, l)
		}
	}
	return all
}

func processList(p *Picture) list {
	n := &p.Node
	l := list{Title: "Process", Facts: true}
	add := func(label, id, text string) {
		l.Rows = append(l.Rows, []cell{{Text: label}, {ID: id, Text: text}})
	}
	add("Doorward", "", n.Version)
	add("Built with", "", n.Go)
	add("Process", "", fmt.Sprintf("%d on %s", n.PID, n.Host))
	add("Started", "n-start", momentText(n.Started, n.Now))
	add("Processors", "", fmt.Sprint(n.Processors))
	add("Processor time", "n-cpu", spanText(n.CPU))
	add("Goroutines", "n-go", countText(int64(n.Goroutines)))
	add("Connections since then", "n-conn", countText(n.ConnectionsTotal))
	add("Most connections", "n-connmax", countText(p.All.SessionsMax))
	add("Refused, over a limit", "n-refused", countText(n.Refused))
	add("Failed TLS handshakes", "n-tls", countText(n.FailedHandshakes))
	add("Abused HTTP/2 connections", "n-abuse", countText(n.Abuses))
	add("Panics", "n-panic", countText(n.Panics))
	return l
}

func reloadList(p *Picture) list {
	r := &p.Reload
	l := list{Title: "Configuration", Facts: true}
	add := func(label, id, text string) {
		l.Rows = append(l.Rows, []cell{{Text: label}, {ID: id, Text: text}})
	}
	add("In force since", "r-at", momentText(r.At, p.Node.Now))
	add("Reloads", "r-done", countText(r.Done))
	add("Refused reloads", "r-refused", countText(r.Refused))
	add("Last refused", "r-failed", momentText(r.FailedAt, p.Node.Now))
	return l
}

func routeList(p *Picture) list {
	l := list{Title: "Routes", Words: 2, Heads: []string{
		"Route", "Backend", "Requests", "Rate", "4xx", "5xx", "Mean time",
	}}
	for i := range p.Routes {
		r := &p.Routes[i]
		id := fmt.Sprint("r", i)
		l.Rows = append(l.Rows, []cell{
			{Text: r.Name}, {Text: cmp.Or(r.Backend, noFigure)},
			{ID: id + "-req", Text: countText(r.Traffic.Requests)},
			{ID: id + "-rate", Text: rateText(r.RequestRate) + "/s"},
			{ID: id + "-4xx", Text: countText(r.Traffic.Classes[4])},
			{ID: id + "-5xx", Text: countText(r.Traffic.Classes[5])},
			{ID: id + "-mean", Text: r.tookText(r.Total.Mean)},
		})
	}
	return l
}

func stickList(p *Picture) list {
	l := list{Title: "Stick tables", Words: 2, Heads: []string{
		"Backend", "On", "Used", "Size", "Expires", "Known", "New", "Evicted", "Refused",
	}}
	for i := range p.Backends {
		b := &p.Backends[i]
		if b.Stick == nil {
			continue
		}
		id, s := fmt.Sprint("k", i), b.Stick
		used := cell{ID: id + "-used", Text: countText(s.Used), State: "ok"}
		if s.Size > 0 && s.Used >= s.Size {
			used.State = "warn"
		}
		l.Rows = append(l.Rows, []cell{
			{Text: b.Name}, {Text: s.On}, used,
			{Text: countText(s.Size)}, {Text: spanText(s.Expire)},
			{ID: id + "-hit", Text: countText(s.Matched)},
			{ID: id + "-new", Text: countText(s.Stored)},
			{ID: id + "-out", Text: countText(s.Evicted)},
			{ID: id + "-no", Text: countText(s.Refused)},
		})
	}
	return l
}

func limitList(p *Picture) list {
	l := list{Title: "Rate limits", Words: 2, Heads: []string{
		"Limit", "By", "Keys", "Passed", "Refused", "Delayed", "Waiting",
	}}
	for i := range p.Limits {
		limit, id := &p.Limits[i], fmt.Sprint("l", i)
		name := limit.Name
		if limit.LogOnly {
			name += " (only logged)"
		}
		l.Rows = append(l.Rows, []cell{
			{Text: name}, {Text: limit.By},
			{ID: id + "-keys", Text: countText(limit.Keys)},
			{ID: id + "-pass", Text: countText(limit.Passed)},
			{ID: id + "-no", Text: countText(limit.Refused)},
			{ID: id + "-late", Text: countText(limit.Delayed)},
			{ID: id + "-wait", Text: countText(limit.Queued)},
		})
	}
	return l
}

// A certificate is pointed at when it should have been replaced by now, and once
// more when hardly any time is left.
const (
	renewWithin = 21 * 24 * time.Hour
	lateWithin  = 7 * 24 * time.Hour
)

func certificateList(p *Picture) list {
	l := list{Title: "Certificates", Words: 3, Heads: []string{
		"For", "Issuer", "From", "Ends", "Days left", "State",
	}}
	for i := range p.Certificates {
		c := &p.Certificates[i]
		ends := noFigure
		if !c.NotAfter.IsZero() {
			ends = c.NotAfter.Format(time.DateOnly)
		}
		l.Rows = append(l.Rows, []cell{
			{Text: strings.Join(c.Names, ", ")}, {Text: issuerText(c.Issuer)},
			{Text: cmp.Or(c.Source, noFigure)}, {Text: ends},
			daysLeft(fmt.Sprint("c", i), c.NotAfter, p.Node.Now), orderState(fmt.Sprint("o", i), c),
		})
	}
	return l
}

// daysLeft is for how long a certificate is good.
func daysLeft(id string, end, now time.Time) cell {
	left := end.Sub(now)
	days := cell{ID: id, State: "ok", Text: fmt.Sprint(int(math.Floor(left.Hours() / 24)))}
	switch {
	case end.IsZero():
		days.Text, days.State = noFigure, "warn"
	case left <= 0:
		days.Text, days.State = "ended", "bad"
	case left < lateWithin:
		days.State = "bad"
	case left < renewWithin:
		days.State = "warn"
	}
	return days
}

// orderState is how it stands with a certificate that is ordered.
func orderState(id string, c *Certificate) cell {
	state := cell{ID: id, Text: cmp.Or(c.State, noFigure)}
	switch {
	case c.Error != "":
		state.State, state.Text = "bad", c.State+": "+c.Error
	case c.State == "ordering":
		state.State = "warn"
	case c.State != "":
		state.State = "ok"
	}
	if !c.NextTry.IsZero() && c.Error != "" {
		state.Text += "; next try at " + c.NextTry.Format(time.TimeOnly)
	}
	return state
}

// issuerText is the common name of an issuer when its name begins with it, as most
// do.
func issuerText(name string) string {
	if common, ok := strings.CutPrefix(name, "CN="); ok {
		common, _, _ = strings.Cut(common, ",")
		return common
	}
	return name
}
