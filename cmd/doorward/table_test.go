package main

import (
	"bytes"
	"testing"
	"time"
)

func TestTableIsAligned(t *testing.T) {
	table := newTable("NAME", ">COUNT", "STATE")
	table.add("a", "1,000", "UP").note("a note that is far longer than any column")
	table.add("a long näme", "7", "DOWN 1/2")
	want := `NAME         COUNT  STATE
a            1,000  UP
    a note that is far longer than any column
a long näme      7  DOWN 1/2
`
	var out bytes.Buffer
	if err := table.print(&out); err != nil || out.String() != want {
		t.Errorf("%v, got\n%swant\n%s", err, out.String(), want)
	}
}

// What a name, a key or a server's answer holds reaches the terminal as text.
func TestTableShowsNoControlCharacters(t *testing.T) {
	hostile := "a\x1b[2J\r\n\tb\x00\u009b31m\u2028\u202e\xff"
	table := newTable("NAME")
	table.add(hostile).note(hostile)
	var out bytes.Buffer
	if err := table.print(&out); err != nil {
		t.Fatal(err)
	}
	if want := "NAME\na?[2J???b??31m??\ufffd\n    a?[2J???b??31m??\ufffd\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestPainter(t *testing.T) {
	plain, coloured := painter{}, painter{coloured: true}
	for _, p := range []*painter{&plain, &coloured} {
		p.paint("UP", green)
		p.paint(" 1", "")
		p.paint("note\n", dim)
	}
	if got, want := plain.String(), "UP 1note\n"; got != want {
		t.Errorf("plain: %q, want %q", got, want)
	}
	if got, want := coloured.String(), "\x1b[32mUP\x1b[0m 1\x1b[2mnote\x1b[0m\n"; got != want {
		t.Errorf("coloured: %q, want %q", got, want)
	}
	if takesColours(&bytes.Buffer{}) {
		t.Error("a buffer takes colours")
	}
}

func TestFigures(t *testing.T) {
	for got, want := range map[string]string{
		grouped(0): "0", grouped(999): "999", grouped(1000): "1,000", grouped(-1000): "-1,000",
		grouped(1234567): "1,234,567", ofLimit(3, 0): "3", ofLimit(3, 1000): "3/1,000",
		span(-1): "0s", span(59 * time.Second): "59s", span(61 * time.Second): "1m1s",
		span(2 * time.Hour): "2h", span(49*time.Hour + time.Minute): "2d1h",
		took(0): "-", took(0.00004): "0.0ms", took(0.0012): "1.2ms", took(0.0123): "12ms",
		took(0.9994): "999ms", took(0.9996): "1.0s", took(12.34): "12.3s",
		checked("L4OK", 0): "L4OK", checked("L7STS", 503): "L7STS/503",
		since(time.Time{}, time.Now()): "-",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestWeights(t *testing.T) {
	for text, want := range map[string]int{"0": 0, "256": 256, "default": -1} {
		if got, err := parseWeight(text); got != want || err != nil {
			t.Errorf("%s is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "257", "-1", "1.5", "Default", "50%"} {
		if got, err := parseWeight(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}
