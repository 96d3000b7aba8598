package page

import (
	"strconv"
	"strings"
	"time"
)

// piece is a part of a text; a strong one is a name from outside.
type piece struct {
	Text   string
	Strong bool
}

// Say is a text in the language of the page, with {placeholders} replaced: names
// and values take turns. A text that is missing shows its key, which tests look for.
func (s *sheet) Say(key string, pairs ...string) string {
	var b strings.Builder
	for _, p := range s.Marked(key, pairs...) {
		b.WriteString(p.Text)
	}
	return b.String()
}

// Marked is Say in pieces, so that the values stand out.
func (s *sheet) Marked(key string, pairs ...string) []piece {
	words, ok := s.tongue.words[key]
	if !ok {
		return []piece{{Text: "⟦" + key + "⟧"}}
	}
	var pieces []piece
	for words != "" {
		before, rest, found := strings.Cut(words, "{")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			return append(pieces, piece{Text: words})
		}
		if before != "" {
			pieces = append(pieces, piece{Text: before})
		}
		pieces = append(pieces, piece{Text: value(name, pairs), Strong: true})
		words = after
	}
	return pieces
}

func value(name string, pairs []string) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == name {
			return pairs[i+1]
		}
	}
	return "⟦" + name + "⟧"
}

// Count is a text about a number of things.
func (s *sheet) Count(key string, n int) string {
	form := ".other"
	if n == 1 || n == 0 && s.Lang == "fr" {
		form = ".one"
	}
	return s.Say(key+form, "n", strconv.Itoa(n))
}

// Problem is a text about what was wrong with a form.
func (s *sheet) Problem(p Problem) string {
	return s.Say("problem."+string(p.Code), "n", strconv.Itoa(p.Count), "wait", s.wait(p.Wait))
}

// Notices is a text about what was done.
func (s *sheet) Notices() string { return s.Say("notice." + string(s.Notice)) }

// Tells is what an application is told.
func (s *sheet) Tells(t Told) string { return s.Say("tells." + string(t)) }

// AtLeast is the hint about the length of a password, "" for none.
func (s *sheet) AtLeast(n int) string {
	if n <= 0 {
		return ""
	}
	return s.Say("password.at_least", "n", strconv.Itoa(n))
}

// wait is a time to wait, rounded up.
func (s *sheet) wait(d time.Duration) string {
	switch {
	case d <= 0:
		return s.Say("wait.moment")
	case d <= 90*time.Second:
		return s.Count("wait.seconds", int((d+time.Second-1)/time.Second))
	case d <= 90*time.Minute:
		return s.Count("wait.minutes", int((d+time.Minute-1)/time.Minute))
	}
	return s.Count("wait.hours", int((d+time.Hour-1)/time.Hour))
}

// moment is a time as pages show it.
type moment struct{ ISO, Exact, Text string }

func newMoment(t time.Time, text string) moment {
	t = t.UTC()
	return moment{ISO: t.Format(time.RFC3339), Exact: t.Format("2006-01-02 15:04 UTC"), Text: text}
}

// Ago is how long ago something was.
func (s *sheet) Ago(t time.Time) moment {
	d := s.now.Sub(t)
	switch {
	case d < time.Minute:
		return newMoment(t, s.Say("time.now"))
	case d < time.Hour:
		return newMoment(t, s.Count("ago.minutes", int(d/time.Minute)))
	case d < 24*time.Hour:
		return newMoment(t, s.Count("ago.hours", int(d/time.Hour)))
	case d < 7*24*time.Hour:
		return newMoment(t, s.Count("ago.days", int(d/(24*time.Hour))))
	}
	return s.Day(t)
}

// Until is how long it is until something.
func (s *sheet) Until(t time.Time) moment {
	d := t.Sub(s.now)
	// What has just begun lasts as long as was said: "24 hours", not 23.
	minutes, hours := int(d.Round(time.Minute)/time.Minute), int(d.Round(time.Hour)/time.Hour)
	switch {
	case d < time.Minute:
		return newMoment(t, s.Say("time.now"))
	case minutes < 60:
		return newMoment(t, s.Count("until.minutes", minutes))
	case hours < 48:
		return newMoment(t, s.Count("until.hours", hours))
	}
	return s.Day(t)
}

// Day is the day of something.
func (s *sheet) Day(t time.Time) moment {
	t = t.UTC()
	return newMoment(t, s.Say("date", "day", strconv.Itoa(t.Day()),
		"month", s.Say("month."+strconv.Itoa(int(t.Month()))), "year", strconv.Itoa(t.Year())))
}

// Over tells whether an end has come.
func (s *sheet) Over(t time.Time) bool { return !t.IsZero() && !s.now.Before(t) }
