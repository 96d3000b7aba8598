package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// sheet says things about one thing, each on a line of its own behind what it is. What
// comes from elsewhere cannot do anything to the terminal.
type sheet struct {
	out   io.Writer
	lines [][2]string
}

func newSheet(out io.Writer) *sheet { return &sheet{out: out} }

// line adds a line, unless there is nothing to say.
func (s *sheet) line(what, text string) {
	if text = strings.TrimSpace(text); text != "" {
		s.lines = append(s.lines, [2]string{what, printable(text)})
	}
}

// groups adds a line for each group, with where it comes from.
func (s *sheet) groups(from map[string]string, unknown bool) {
	for _, name := range slices.Sorted(maps.Keys(from)) {
		s.line("group", name+": "+from[name])
	}
	if unknown {
		s.line("group", "others perhaps, which the provider could not tell")
	}
}

func (s *sheet) print() error {
	width := 0
	for _, l := range s.lines {
		width = max(width, utf8.RuneCountInString(l[0]))
	}
	p := painter{coloured: takesColours(s.out)}
	for _, l := range s.lines {
		p.paint(fmt.Sprintf("%-*s", width, l[0]), bold)
		p.WriteString(columnGap + l[1] + "\n")
	}
	_, err := io.WriteString(s.out, p.String())
	return err
}
