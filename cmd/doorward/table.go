package main

import (
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// colour is a way to print (ECMA-48, section 8.3.117); "" is the usual one.
type colour string

const (
	bold    colour = "1"
	dim     colour = "2"
	red     colour = "31"
	green   colour = "32"
	yellow  colour = "33"
	blue    colour = "34"
	magenta colour = "35"
)

// cell is a field of a table.
type cell struct {
	text   string
	colour colour
}

// row is a line of a table, with lines below it that say more.
type row struct {
	cells []cell
	notes []string
}

// table is printed with its columns aligned. A column whose title begins with ">"
// holds numbers, which stand at its right.
type table struct {
	titles []string
	rows   []row
}

const (
	columnGap  = "  "
	noteIndent = "    "
	// nothing stands where a row has no such thing.
	nothing = "-"
)

func newTable(titles ...string) *table { return &table{titles: titles} }

// add appends a row of plain cells and returns it.
func (t *table) add(texts ...string) *row {
	r := row{}
	for _, text := range texts {
		r.cells = append(r.cells, cell{text: text})
	}
	t.rows = append(t.rows, r)
	return &t.rows[len(t.rows)-1]
}

func (r *row) note(text string) { r.notes = append(r.notes, text) }

// print writes the table, in colours if out takes them. What comes from elsewhere
// cannot do anything to the terminal.
func (t *table) print(out io.Writer) error {
	head := row{}
	for _, title := range t.titles {
		head.cells = append(head.cells, cell{strings.TrimPrefix(title, ">"), bold})
	}
	rows := append([]row{head}, t.rows...)
	widths := make([]int, len(t.titles))
	for _, r := range rows {
		for i := range r.cells {
			r.cells[i].text = printable(r.cells[i].text)
			widths[i] = max(widths[i], utf8.RuneCountInString(r.cells[i].text))
		}
	}
	p := painter{coloured: takesColours(out)}
	for _, r := range rows {
		for i, c := range r.cells {
			t.printCell(&p, i, c, widths[i])
		}
		p.WriteString("\n")
		for _, note := range r.notes {
			p.paint(noteIndent+printable(note)+"\n", dim)
		}
	}
	_, err := io.WriteString(out, p.String())
	return err
}

func (t *table) printCell(p *painter, column int, c cell, width int) {
	if column > 0 {
		p.WriteString(columnGap)
	}
	space := strings.Repeat(" ", width-utf8.RuneCountInString(c.text))
	right := strings.HasPrefix(t.titles[column], ">")
	if right {
		p.WriteString(space)
	}
	p.paint(c.text, c.colour)
	if !right && column < len(t.titles)-1 {
		p.WriteString(space)
	}
}

// painter gathers text with colours, or without.
type painter struct {
	strings.Builder
	coloured bool
}

func (p *painter) paint(text string, c colour) {
	if !p.coloured || c == "" {
		p.WriteString(text)
		return
	}
	body, end := strings.CutSuffix(text, "\n")
	p.WriteString("\x1b[" + string(c) + "m" + body + "\x1b[0m")
	if end {
		p.WriteString("\n")
	}
}

// takesColours tells whether somebody looks at out who wants colours, see
// https://no-color.org.
func takesColours(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// printable replaces what a terminal would obey.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}
