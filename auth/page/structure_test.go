package page_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"doorward/auth/page"

	"golang.org/x/net/html"
)

var update = flag.Bool("update", false, "write testdata/outline.txt anew")

// parse reads a page as a browser does.
func parse(t testing.TB, p *page.Pages, s show, query string) *html.Node {
	t.Helper()
	w := render(t, p, s, query)
	doc, err := html.Parse(strings.NewReader(w.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// elements are those of a tag, all with "".
func elements(n *html.Node, tag string) []*html.Node {
	var found []*html.Node
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && (tag == "" || d.Data == tag) {
			found = append(found, d)
		}
	}
	return found
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

// words are the text of an element, its spaces made one.
func words(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// TestEveryPageIsAccessible reads every page in every language as a screen reader
// would, and looks for what it could not tell.
func TestEveryPageIsAccessible(t *testing.T) {
	pages := newPages(t, company())
	for _, s := range shows() {
		for _, lang := range []string{"en", "de", "fr"} {
			doc := parse(t, pages, s, "?lang="+lang)
			for _, wrong := range audit(doc, lang) {
				t.Errorf("%s in %s: %s", s.name, lang, wrong)
			}
		}
	}
}

// audit tells what is wrong with a page.
func audit(doc *html.Node, lang string) []string {
	var wrong []string
	complain := func(format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf(format, args...))
	}
	if got := attr(elements(doc, "html")[0], "lang"); got != lang {
		complain("lang is %q", got)
	}
	for _, tag := range []string{"h1", "main", "title"} {
		if all := elements(doc, tag); len(all) != 1 || words(all[0]) == "" {
			complain("%d elements %s", len(all), tag)
		}
	}
	if text := words(doc); strings.ContainsAny(text, "⟦{}") {
		complain("a text is missing: %s", text)
	}
	ids := map[string]bool{}
	for _, e := range elements(doc, "") {
		if id := attr(e, "id"); id != "" {
			if ids[id] {
				complain("two elements are %q", id)
			}
			ids[id] = true
		}
	}
	labels := map[string]bool{}
	for _, l := range elements(doc, "label") {
		labels[attr(l, "for")] = words(l) != ""
	}
	for _, e := range elements(doc, "") {
		for _, name := range []string{"for", "aria-describedby", "aria-labelledby"} {
			for ref := range strings.FieldsSeq(attr(e, name)) {
				if !ids[ref] {
					complain("%s=%q leads nowhere", name, ref)
				}
			}
		}
		if what := nameless(e, labels); what != "" {
			complain("%s has no name", what)
		}
	}
	focus := 0
	for _, e := range elements(doc, "") {
		if has(e, "autofocus") {
			focus++
		}
	}
	if focus > 2 {
		complain("%d elements want the focus", focus)
	}
	return wrong
}

// nameless describes an element that people would not know the purpose of.
func nameless(e *html.Node, labels map[string]bool) string {
	named := attr(e, "aria-label") != "" || attr(e, "aria-labelledby") != ""
	switch e.Data {
	case "input", "select":
		inLabel := e.Parent.Data == "label" && words(e.Parent) != ""
		if attr(e, "type") == "hidden" || labels[attr(e, "id")] || inLabel {
			named = true
		}
	case "button", "a", "summary":
		named = named || words(e) != ""
	case "img":
		named = has(e, "alt")
	case "svg":
		named = attr(e, "aria-hidden") == "true"
	case "nav", "section":
		// Landmarks of one kind are told apart by their names.
	default:
		return ""
	}
	if named {
		return ""
	}
	return fmt.Sprintf("<%s %v>", e.Data, e.Attr)
}

// TestOutline compares what each page has to do with what testdata/outline.txt
// says. The callers of this package are written against it.
func TestOutline(t *testing.T) {
	pages := newPages(t, page.Brand{})
	all := shows()
	slices.SortFunc(all, func(a, b show) int { return strings.Compare(a.name, b.name) })
	var b strings.Builder
	for _, s := range all {
		outline(&b, s.name, parse(t, pages, s, ""))
	}
	const file = "testdata/outline.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(b.String(), "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if i >= len(got) || got[i] != line {
			t.Fatalf("line %d is %q, want %q (go test -update writes it anew)",
				i+1, got[min(i, len(got)-1)], line)
		}
	}
}

// outline writes the headings, links and forms of a page.
func outline(b *strings.Builder, name string, doc *html.Node) {
	fmt.Fprintf(b, "%s: %s\n", name, words(elements(doc, "title")[0]))
	for _, e := range elements(elements(doc, "main")[0], "") {
		switch e.Data {
		case "h1", "h2":
			fmt.Fprintf(b, "  %s %s\n", e.Data, words(e))
		case "a":
			fmt.Fprintf(b, "  link %s: %s\n", attr(e, "href"), words(e))
		case "form":
			fmt.Fprintf(b, "  %s %s:%s\n", attr(e, "method"), attr(e, "action"), fields(e))
		}
		if role := attr(e, "role"); role == "alert" || role == "status" {
			fmt.Fprintf(b, "  %s %s\n", role, words(e))
		}
	}
}

// fields are those that a form sends.
func fields(form *html.Node) string {
	text := ""
	for _, e := range elements(form, "") {
		if name := attr(e, "name"); name != "" {
			text += " " + name
			if value := attr(e, "value"); value != "" {
				text += "=" + value
			}
		}
	}
	return text
}

// TestSecurity_Fields looks at what browsers fill in and where links lead.
func TestSecurity_Fields(t *testing.T) {
	pages := newPages(t, company())
	for _, s := range shows() {
		t.Run("UI-08_"+s.name, func(t *testing.T) {
			doc := parse(t, pages, s, "")
			for _, e := range elements(doc, "input") {
				kind := attr(e, "type")
				want := kind == "text" || kind == "password" || kind == "email"
				if want && attr(e, "autocomplete") == "" {
					t.Errorf("%v says nothing about completion", e.Attr)
				}
				if kind == "password" && !strings.HasSuffix(attr(e, "autocomplete"), "-password") {
					t.Errorf("the password %v is completed as something else", e.Attr)
				}
			}
			for _, e := range elements(doc, "a") {
				outside := strings.HasPrefix(attr(e, "href"), "http")
				if (outside || has(e, "target")) && !strings.Contains(attr(e, "rel"), "noopener") {
					t.Errorf("the link %v gives its page away", e.Attr)
				}
			}
		})
	}
}
