package stats

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"doorward/internal/tally"
)

// cell is a text on the page that changes while it is looked at. Its ID is that of
// the element, "" for one that never changes after all; Hint is its tool tip, State
// what it is coloured by. A cell that has either at some time has it always.
type cell struct {
	ID, Text, Hint, State string
}

// tableCell is a cell of the large table.
type tableCell struct {
	cell
	Column *placed
}

// Dim says that the cell holds nothing worth a look.
func (c tableCell) Dim() bool {
	return c.Text == "0" || c.Text == "0 B" || c.Text == "0s" || c.Text == noFigure
}

// tableRow is a row of the large table: a frontend, a server, or the total of a
// backend.
type tableRow struct {
	// ID begins the IDs of all that belongs to the row.
	ID string
	// Kind is "frontend", "server" or "total".
	Kind   string
	Name   string
	Backup bool
	State  string // what it is coloured by
	Status cell
	Cells  []tableCell
	Panel  panel
	// Find is what the filter looks at, in lower case; the status is looked at too.
	Find string
	// Hidden says that the filter of the request leaves it out.
	Hidden bool
}

// figures are the texts of a row by the key of their column. What is missing does
// not apply to that row.
type figures map[string]string

// newRow puts a row together.
func newRow(id, kind, name string, f figures, hints figures) tableRow {
	r := tableRow{ID: id, Kind: kind, Name: name}
	r.Cells = make([]tableCell, len(columns))
	for i, column := range columns {
		r.Cells[i] = tableCell{
			cell:   cell{ID: id + "-" + column.Key, Text: f[column.Key], Hint: hints[column.Key]},
			Column: column,
		}
	}
	return r
}

// trafficFigures are those that every kind of row has.
func trafficFigures(t *tally.Totals) figures {
	return figures{
		"bin": sizeText(float64(t.BytesIn)), "bout": sizeText(float64(t.BytesOut)),
		"dreq": countText(t.Of(tally.Denied)), "dresp": "0",
		"ereq": countText(t.Of(tally.Invalid)), "econ": countText(t.Of(tally.ConnectFailed)),
		"eresp": countText(t.Of(tally.AnswerFailed)),
		"wretr": countText(t.Of(tally.Retried)), "wredis": countText(t.Of(tally.Redispatched)),
	}
}

func frontendRowOf(id string, f *FrontendRow, now time.Time) tableRow {
	v := trafficFigures(&f.Traffic)
	for _, key := range []string{"econ", "eresp", "wretr", "wredis"} {
		delete(v, key) // a listener has no servers
	}
	v["rcur"], v["rmax"] = rateText(f.ConnectionRate), rateText(f.ConnectionRateMax)
	v["rlim"] = noFigure
	v["scur"], v["smax"] = countText(f.Connections), countText(f.SessionsMax)
	v["slim"], v["stot"] = limitText(f.Limit), countText(f.ConnectionsTotal)
	v["last"] = agoText(f.LastSession, now)
	r := newRow(id, "frontend", f.Name, v, figures{
		"stot": classesHint(&f.Traffic), "rcur": rateText(f.RequestRate) + " requests/s",
	})
	r.Status, r.State = cell{ID: id + "-status", Text: f.Status()}, stateOpen
	if !f.Open {
		r.State = stateDown
	}
	r.Find = strings.ToLower("frontend " + f.Name)
	r.Panel = frontendPanel(id, f)
	return r
}

func serverRowOf(id string, b *BackendRow, s *ServerRow, now time.Time) tableRow {
	v, h := trafficFigures(&s.Traffic), &s.Health
	delete(v, "ereq") // a wrong request never gets to a server
	v["qcur"], v["qmax"], v["qlim"] = countText(s.Queued), countText(s.QueuedMax), limitText(s.QueueLimit)
	v["rcur"], v["rmax"] = rateText(s.RequestRate), rateText(s.RequestRateMax)
	v["scur"], v["smax"], v["slim"] = countText(s.Active), countText(s.SessionsMax), limitText(s.Limit)
	v["stot"] = countText(s.Claims)
	v["lbtot"] = countText(max(0, s.Claims-s.Traffic.Of(tally.Sticky)))
	v["last"] = agoText(s.LastSession, now)
	v["weight"] = weightOf(&s.Server)
	v["act"], v["bck"] = "Y", noFigure
	if s.Backup {
		v["act"], v["bck"] = noFigure, "Y"
	}
	short, long := lastCheck(&s.Server)
	v["lastchk"] = short
	if h.Checked {
		v["chk"], v["dwn"] = countText(h.Fails), countText(h.Downs)
		v["dwntme"] = spanText(h.Downtime)
	}
	v["thrtle"] = noFigure
	if s.Share < 100 {
		v["thrtle"] = fmt.Sprintf("%d%%", s.Share)
	}
	r := newRow(id, "server", s.Name, v, figures{
		"stot": classesHint(&s.Traffic), "lastchk": long, "last": timesHint(&s.Seen),
	})
	r.State = serverState(&s.Server)
	r.Status = cell{ID: id + "-status", Text: s.Status(), Hint: statusHint(&s.Server, now)}
	r.Backup = s.Backup
	r.Find = strings.ToLower(strings.Join([]string{b.Name, b.Description, s.Name, s.Address}, " "))
	if s.Backup {
		r.Find += " backup"
	}
	r.Panel = serverPanel(id, b, s, now)
	return r
}

func weightOf(s *Server) string {
	if s.Weight != s.ConfiguredWeight {
		return fmt.Sprintf("%d/%d", s.Weight, s.ConfiguredWeight)
	}
	return strconv.Itoa(s.Weight)
}

func totalRowOf(id string, b *BackendRow, now time.Time) tableRow {
	v := trafficFigures(&b.Traffic)
	v["qcur"], v["qmax"], v["qlim"] = countText(b.Queued), countText(b.QueuedMax), limitText(b.QueueLimit)
	v["rcur"], v["rmax"] = rateText(b.RequestRate), rateText(b.RequestRateMax)
	v["scur"], v["smax"] = countText(b.Active), countText(b.SessionsMax)
	v["stot"] = countText(b.Traffic.Requests)
	v["lbtot"] = countText(max(0, b.Traffic.Requests-b.Traffic.Of(tally.Sticky)))
	v["last"] = agoText(b.LastSession, now)
	var weight, fails int64
	for i := range b.Servers {
		s := &b.Servers[i]
		fails += s.Health.Fails
		if s.Usable() && !s.Backup {
			weight += int64(s.Weight)
		}
	}
	active, backup := b.Usable()
	v["weight"] = countText(weight)
	v["act"], v["bck"] = strconv.Itoa(active), strconv.Itoa(backup)
	v["chk"], v["dwn"], v["dwntme"] = countText(fails), countText(b.Downs), spanText(b.Downtime)
	r := newRow(id, "total", "Total", v, figures{
		"stot": classesHint(&b.Traffic), "last": timesHint(&b.Seen),
	})
	r.Status = cell{ID: id + "-status", Text: b.Status(), Hint: strings.ToLower(b.Status()) + " for " + agoText(b.LastChange, now)}
	r.State = stateUp
	if !b.Up {
		r.State = stateDown
	}
	r.Panel = backendPanel(id, b)
	return r
}
