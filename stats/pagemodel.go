package stats

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// pageModel is all that the page shows, as texts. The template writes it, and the
// event stream sends what changed of it, so both say the same.
type pageModel struct {
	// Key changes when something came, went or got another name, so that the page
	// has to be fetched again.
	Key     string
	Title   cell
	Node    *Node
	Tiles   []tile
	Charts  []chartModel
	Columns []columnGroup
	Groups  []rowGroup
	Lists   []list
	// Reload is the error of the last reload, Draining says that the end is near.
	Reload, Draining cell

	// What the request, not the instance, decides.
	Asset    func(string) string
	Filter   filter
	Actions  bool
	Token    string
	Flash    string
	Span     int    // columns of the large table
	Refresh  string // where the page is, for browsers without script
	Statuses []legend
}

// tile is one figure at the top.
type tile struct {
	Label string
	Value cell
	Note  cell
}

// rowGroup is the rows of one backend, or all frontends.
type rowGroup struct {
	ID, Name, Description, Note string
	Spark                       shape
	Rows                        []tableRow
	Hidden                      bool
}

// Opened is a row's panel with what it needs of the page.
func (m *pageModel) Opened(r tableRow) opened { return opened{r.Panel, r.ID, m} }

type opened struct {
	panel
	Row  string
	Page *pageModel
}

// legend is a state with the words that the page explains it by.
type legend struct {
	State, Text, Hint string
	Backup            bool
}

// legends explain the colours. Each state has a word of its own in the table, so
// that nobody has to know them.
var legends = []legend{
	{State: stateUp, Text: "up", Hint: "active server that takes requests"},
	{State: stateFalling, Text: "going down", Hint: "up, and its last checks failed"},
	{State: stateRising, Text: "going up", Hint: "down, and its last checks succeeded"},
	{State: stateDown, Text: "down", Hint: "checks failed: no requests"},
	{State: stateUp, Text: "backup up", Hint: "used when no active server is", Backup: true},
	{State: stateFalling, Text: "backup going down", Backup: true},
	{State: stateRising, Text: "backup going up", Backup: true},
	{State: stateDown, Text: "backup down", Backup: true},
	{State: stateDrain, Text: "drain", Hint: "keeps the clients it has, gets no new ones"},
	{State: stateMaint, Text: "maintenance", Hint: "taken out by people: no requests, no checks"},
	{State: stateNoCheck, Text: "not checked", Hint: "counts as up"},
}

// newModel makes the texts of a picture. Stamp is the Page's own.
func newModel(p *Picture, h *History, stamp string) *pageModel {
	m := &pageModel{
		Node: &p.Node, Columns: columnGroups, Statuses: legends, Span: 2,
		Tiles: tilesOf(p), Charts: chartsOf(p, &h.All), Lists: listsOf(p),
		Reload: cell{ID: "reload", Text: p.Reload.Error}, Draining: cell{ID: "draining"},
	}
	for _, g := range columnGroups {
		m.Span += len(g.Columns)
	}
	if p.Node.Draining {
		m.Draining.Text = "Draining: this instance is about to end"
	}
	m.Title = titleOf(p)
	now := p.Node.Now
	frontends := rowGroup{ID: "f", Name: "Frontends"}
	for i := range p.Frontends {
		row := frontendRowOf(fmt.Sprint("f", i), &p.Frontends[i], now)
		frontends.Rows = append(frontends.Rows, row)
	}
	m.Groups = append(m.Groups, frontends)
	for i := range p.Backends {
		b, id := &p.Backends[i], fmt.Sprint("b", i)
		g := backendGroup(id, b, now)
		g.Spark = sparkOf(id+"-spark", h.Backends[b.Name], &h.All)
		m.Groups = append(m.Groups, g)
	}
	m.Key = m.fingerprint(p, stamp)
	return m
}

func backendGroup(id string, b *BackendRow, now time.Time) rowGroup {
	g := rowGroup{ID: id, Name: b.Name, Description: b.Description, Note: b.Algorithm}
	if b.Stick != nil {
		g.Note += " · sticks on " + b.Stick.On
	}
	if b.Cookie != "" {
		g.Note += " · cookie " + b.Cookie
	}
	for i := range b.Servers {
		id := id + "s" + strconv.Itoa(i)
		g.Rows = append(g.Rows, serverRowOf(id, b, &b.Servers[i], now))
	}
	g.Rows = append(g.Rows, totalRowOf(id, b, now))
	return g
}

func tilesOf(p *Picture) []tile {
	n := &p.Node
	c := countServers(p)
	servers := cell{ID: "t-up", Text: fmt.Sprintf("%d of %d", c.used, c.all), State: "ok"}
	switch {
	case c.dead > 0:
		servers.State = "bad"
	case c.used < c.all:
		servers.State = "warn"
	}
	tiles := []tile{
		{"Servers in use", servers, cell{ID: "t-down", Text: c.out()}},
		{
			"Requests", cell{ID: "t-rps", Text: rateText(p.All.RequestRate) + "/s"},
			cell{ID: "t-rpsm", Text: "most " + rateText(p.All.RequestRateMax) + "/s"},
		},
		{
			"Connections", cell{ID: "t-conn", Text: countText(n.Connections)},
			cell{ID: "t-connm", Text: "of " + limitText(n.MaxConnections) + ", " +
				rateText(p.All.ConnectionRate) + " new/s"},
		},
		{
			"Traffic out", cell{ID: "t-out", Text: sizeText(p.All.BytesOutRate) + "/s"},
			cell{ID: "t-in", Text: "in " + sizeText(p.All.BytesInRate) + "/s"},
		},
		{
			"Mean time", cell{ID: "t-mean", Text: p.All.tookText(p.All.Total.Mean)},
			cell{ID: "t-resp", Text: "servers " + p.All.tookText(p.All.Response.Mean)},
		},
		{
			"CPU", cell{ID: "t-cpu", Text: fmt.Sprintf("%.0f%%", 100*p.CPU)},
			cell{ID: "t-mem", Text: "memory " + sizeText(float64(n.Memory))},
		},
		{
			"Uptime", cell{ID: "t-age", Text: spanText(n.Now.Sub(n.Started))},
			cell{Text: fmt.Sprintf("pid %d", n.PID)},
		},
	}
	if s := p.SignIn; s != nil {
		tiles = append(tiles, tile{
			"Sessions", cell{ID: "t-in-n", Text: countText(int64(s.Sessions))},
			cell{ID: "t-in-u", Text: "users " + countText(int64(s.Users))},
		})
	}
	return tiles
}

// fingerprint is a hash of everything that the event stream does not send.
func (m *pageModel) fingerprint(p *Picture, stamp string) string {
	b := fmt.Appendf(nil, "%d %d", p.Node.PID, p.Node.Started.UnixNano())
	add := func(texts ...string) {
		for _, text := range texts {
			b = strconv.AppendInt(b, int64(len(text)), 10) // or two could read like two others
			b = append(append(b, ':'), text...)
		}
	}
	add(stamp, p.Node.Version, p.Node.Host)
	for _, g := range m.Groups {
		add("group", g.Name, g.Description, g.Note)
		for i := range g.Rows {
			r := &g.Rows[i]
			add("row", r.ID, r.Name, r.Find)
			for _, group := range r.Panel.Facts {
				for _, f := range group.Facts {
					add(f.Label, still(f.cell))
				}
			}
		}
	}
	for _, l := range m.Lists {
		add("list", l.Title)
		for _, row := range l.Rows {
			for _, c := range row {
				add(c.ID, still(c))
			}
		}
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

// still is the text of a cell that the event stream leaves alone.
func still(c cell) string {
	if c.ID != "" {
		return ""
	}
	return c.Text
}

// filter is what a reader wants to see.
type filter struct {
	// Text holds words, all of which a row must have; HideUp leaves out what is well.
	Text   string
	HideUp bool
}

// apply hides what the filter leaves out. The script of the page does the same.
func (m *pageModel) apply(f filter) {
	m.Filter = f
	if f.Text == "" && !f.HideUp {
		return
	}
	words := strings.Fields(strings.ToLower(f.Text))
	for i := range m.Groups {
		g := &m.Groups[i]
		g.Hidden = true
		for j := range g.Rows {
			r := &g.Rows[j]
			r.Hidden = !r.shows(words, f.HideUp)
			if !r.Hidden && r.Kind != "total" {
				g.Hidden = false
			}
		}
	}
}

func (r *tableRow) shows(words []string, hideUp bool) bool {
	if r.Kind == "total" {
		return true // it goes with its group
	}
	if hideUp && (r.State == stateUp || r.State == stateOpen) {
		return false
	}
	text := r.Find + " " + strings.ToLower(r.Status.Text)
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}
