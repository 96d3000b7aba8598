package alert

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

const (
	maxLine     = 200 // characters of a headline, and of a reason
	maxListed   = 200 // changes in a mail
	maxBackends = 50  // backends in its summary
)

// standing is how things stand at the end of a batch.
type standing struct {
	backends []*backendStanding // in the order of their first change
	down, up int                // servers, by their last change
}

type backendStanding struct {
	name     string
	down, up int
	last     Event // the newest: its counts hold
}

func stand(b batch) standing {
	type member struct{ backend, server string }
	var s standing
	backends := map[string]*backendStanding{}
	state := map[member]bool{}
	for _, e := range b.events {
		at := backends[e.Backend]
		if at == nil {
			at = &backendStanding{name: e.Backend}
			backends[e.Backend] = at
			s.backends = append(s.backends, at)
		}
		at.last = e
		state[member{e.Backend, e.Server}] = e.Up
	}
	for m, up := range state {
		if at := backends[m.backend]; up {
			at.up++
			s.up++
		} else {
			at.down++
			s.down++
		}
	}
	return s
}

// headline is the batch in one line. It holds names from the configuration but
// no reasons: those may be a server's own words, and chats give some characters a
// meaning.
func headline(host string, b batch) string {
	title := "[" + strings.TrimSpace("doorward "+host) + "] "
	return printable(title + stand(b).String())
}

// String says how one server, one backend or several stand.
func (s standing) String() string {
	first := s.backends[0]
	switch {
	case len(s.backends) > 1:
		return fmt.Sprintf("%d backends: %s%s", len(s.backends), moved(s.down, s.up), s.gone())
	case s.down+s.up > 1:
		return first.String()
	}
	return fmt.Sprintf("%s/%s %s, %s", first.name, first.last.Server, word(first.last.Up),
		first.last.left())
}

func (s *backendStanding) String() string {
	return fmt.Sprintf("%s: %s, %s", s.name, moved(s.down, s.up), s.last.left())
}

// gone names the backends that can serve nobody any more.
func (s standing) gone() string {
	const most = 3
	var names []string
	for _, at := range s.backends {
		if at.last.Left+at.last.Backups == 0 {
			names = append(names, at.name)
		}
	}
	switch more := len(names) - most; {
	case len(names) == 0:
		return ""
	case more > 0:
		return fmt.Sprintf(", no server left in %s and %d more",
			strings.Join(names[:most], ", "), more)
	}
	return ", no server left in " + strings.Join(names, ", ")
}

func moved(down, up int) string {
	switch {
	case up == 0:
		return number(down, "server") + " DOWN"
	case down == 0:
		return number(up, "server") + " UP"
	}
	return fmt.Sprintf("%s DOWN, %d UP", number(down, "server"), up)
}

func word(up bool) string {
	if up {
		return "UP"
	}
	return "DOWN"
}

// left says what the backend can still use.
func (e Event) left() string {
	what := "left"
	if e.Up {
		what = "up"
	}
	var text string
	switch {
	case e.Left == 0:
		text = "no server left"
	case e.Servers > 0:
		text = fmt.Sprintf("%d of %s %s", e.Left, number(e.Servers, "server"), what)
	default:
		text = number(e.Left, "server") + " " + what
	}
	if e.Backups > 0 {
		text += ", " + number(e.Backups, "backup server")
	}
	return text
}

// body is the text of a mail.
func body(host string, b batch) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s on %s.\n\n", number(len(b.events), "change"), orDoorward(host))
	if s := stand(b); s.down+s.up > 1 {
		s.summarize(&text)
	}
	listed := b.events
	if before := len(listed) - maxListed; before > 0 {
		listed = listed[before:]
		fmt.Fprintf(&text, "The last %d changes:\n", maxListed)
	}
	for _, e := range listed {
		text.WriteString(e.line() + "\n")
	}
	if b.dropped > 0 {
		fmt.Fprintf(&text, "\n%s before these came too fast to be told.\n",
			number(b.dropped, "change"))
	}
	return text.String()
}

func orDoorward(host string) string {
	if host == "" {
		return "Doorward"
	}
	return host
}

// summarize says how each backend stands.
func (s standing) summarize(text *strings.Builder) {
	for i, at := range s.backends {
		if i == maxBackends {
			fmt.Fprintf(text, "and %s more\n", number(len(s.backends)-i, "backend"))
			break
		}
		text.WriteString(at.String() + "\n")
	}
	text.WriteByte('\n')
}

// line is one change:
//
//	2026-03-04 05:06:07 UTC  app/web1  DOWN: L4CON refused; was UP for 2h3m; 1 of 3 servers left
func (e Event) line() string {
	reason, before := "", ""
	if e.Reason != "" {
		reason = ": " + e.Reason
	}
	if e.LastState > 0 {
		before = fmt.Sprintf("; was %s for %s", word(!e.Up), span(e.LastState))
	}
	return fmt.Sprintf("%s  %s/%s  %s%s%s; %s", e.At.Format("2006-01-02 15:04:05 MST"),
		e.Backend, e.Server, word(e.Up), reason, before, e.left())
}

// span is a length of time with as much detail as anybody reads.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Second:
		return d.Truncate(time.Second).String()
	}
	return d.Round(time.Millisecond).String()
}

func number(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// printable makes one line of a text that comes from elsewhere.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || unicode.In(r, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > maxLine {
		text = string(runes[:maxLine-3]) + "..."
	}
	return text
}
