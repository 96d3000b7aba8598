package stats

import (
	"time"

	"doorward/internal/tally"
)

// panel is what opens at a row's name: all that is known of it, and for a server
// the buttons.
type panel struct {
	ID, Title, Within string
	Facts             []factGroup
	// Backend and Server are what the buttons are for; "" for none. Admin is the
	// button that is in force.
	Backend, Server string
	Admin           cell
}

// factGroup is facts under one heading.
type factGroup struct {
	Label string
	Facts []fact
}

// fact is a text with its name.
type fact struct {
	Label string
	cell
}

func frontendPanel(id string, f *FrontendRow) panel {
	kind := "plain"
	if f.TLS {
		kind = "TLS"
	}
	return panel{
		ID: id + "-panel", Title: f.Name, Within: "Frontend",
		Facts: []factGroup{
			{"Listener", []fact{
				{"Address", cell{Text: f.Name}},
				{"Connections are", cell{Text: kind}},
				{"Requests per second", cell{ID: id + "-frps", Text: rateText(f.RequestRate)}},
			}},
			classFacts(id, &f.Traffic),
			timeFacts(id, &f.Seen),
		},
	}
}

func backendPanel(id string, b *BackendRow) panel {
	about := []fact{{"Balancing", cell{Text: b.Algorithm}}}
	if b.Description != "" {
		about = append(about, fact{"Description", cell{Text: b.Description}})
	}
	if b.Cookie != "" {
		about = append(about, fact{"Persistence cookie", cell{Text: b.Cookie}})
	}
	if b.Stick != nil {
		about = append(about, fact{"Sticks on", cell{Text: b.Stick.On}})
	}
	return panel{
		ID: id + "-panel", Title: b.Name, Within: "Backend",
		Facts: []factGroup{
			{"Backend", about}, classFacts(id, &b.Traffic), timeFacts(id, &b.Seen),
		},
	}
}

func serverPanel(id string, b *BackendRow, s *ServerRow, now time.Time) panel {
	within := "Server of "
	if s.Backup {
		within = "Backup server of "
	}
	return panel{
		ID: id + "-panel", Title: s.Name, Within: within + b.Name,
		Facts: []factGroup{
			stateFacts(id, s, now),
			serverFacts(id, s),
			{"Connections", []fact{
				{"Opened", cell{ID: id + "-fopen", Text: countText(s.Connections)}},
				{"Used again", cell{ID: id + "-freuse", Text: countText(s.Reused)}},
				{"Idle now", cell{ID: id + "-fidle", Text: countText(s.Idle)}},
				{"Failed", cell{ID: id + "-ffail", Text: countText(s.Failures)}},
			}},
			classFacts(id, &s.Traffic),
			timeFacts(id, &s.Seen),
		},
		Backend: b.Name, Server: s.Name,
		Admin: cell{ID: id + "-admin", State: s.Admin},
	}
}

// stateFacts are what checks and people say of a server.
func stateFacts(id string, s *ServerRow, now time.Time) factGroup {
	h := &s.Health
	_, check := lastCheck(&s.Server)
	ended := noFigure
	if !h.At.IsZero() {
		ended = agoText(h.At, now) + " ago"
	}
	return factGroup{"State", []fact{
		{"Status", cell{ID: id + "-fstat", Text: s.Status(), State: serverState(&s.Server)}},
		{"Checks", cell{ID: id + "-fup", Text: healthText(h, now)}},
		{"Last check", cell{ID: id + "-fchk", Text: check}},
		{"It ended", cell{ID: id + "-fchkat", Text: ended}},
		{"Set by", cell{ID: id + "-fby", Text: adminText(&s.Server, now)}},
	}}
}

func serverFacts(id string, s *ServerRow) factGroup {
	g := factGroup{"Server", []fact{
		{"URL", cell{Text: s.URL}},
		{"Address", cell{ID: id + "-faddr", Text: s.Address}},
		{"Weight", cell{ID: id + "-fweight", Text: weightOf(&s.Server)}},
	}}
	if s.Cookie != "" {
		g.Facts = append(g.Facts, fact{"Cookie value", cell{Text: s.Cookie}})
	}
	return g
}

// statusClasses are the digits that a status may begin with; 0 is no status.
var statusClasses = [...]struct {
	digit int
	label string
}{{1, "1xx"}, {2, "2xx"}, {3, "3xx"}, {4, "4xx"}, {5, "5xx"}, {0, "other"}}

func classFacts(id string, t *tally.Totals) factGroup {
	g := factGroup{Label: "Answers by status"}
	for _, c := range statusClasses {
		text := countText(t.Classes[c.digit])
		g.Facts = append(g.Facts, fact{c.label, cell{ID: id + "-f" + c.label, Text: text}})
	}
	return g
}

func classesHint(t *tally.Totals) string {
	hint := countText(t.Requests) + " requests"
	for _, c := range statusClasses {
		hint += "\n" + c.label + ": " + countText(t.Classes[c.digit])
	}
	return hint
}

// timings are the four times of a row with their names.
func timings(s *Seen) [4]struct {
	label string
	Timing
} {
	return [4]struct {
		label string
		Timing
	}{
		{"Queue", s.Queue}, {"Connect", s.Connect}, {"Response", s.Response}, {"Total", s.Total},
	}
}

func timeFacts(id string, s *Seen) factGroup {
	g := factGroup{Label: "Times: mean of the last 1,024 requests · longest"}
	for _, t := range timings(s) {
		text := noFigure
		if s.Total.Max > 0 {
			text = tookText(t.Mean) + " · " + tookText(t.Max)
		}
		g.Facts = append(g.Facts, fact{t.label, cell{ID: id + "-ft" + t.label, Text: text}})
	}
	return g
}

func timesHint(s *Seen) string {
	if s.Total.Max == 0 {
		return "no times yet"
	}
	hint := "Mean and longest times"
	for _, t := range timings(s) {
		hint += "\n" + t.label + ": " + tookText(t.Mean) + ", " + tookText(t.Max)
	}
	return hint
}
