package page

import (
	"hash/fnv"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// sheet is what the templates see: a view with all that is said about it. Its
// exported fields and methods are for them.
type sheet struct {
	*Frame
	V      any
	Brand  *Brand
	Lang   string
	Chosen string // the language that the query asks for
	Title  string
	Alone  bool

	pages   *Pages
	tongue  *tongue
	name    string
	without Without
	now     time.Time
	query   url.Values
	portal  *shelves
}

// part is a sheet with one thing on it that a template is about.
type part struct {
	*sheet
	It any
}

// With is the sheet with one thing.
func (s *sheet) With(it any) part { return part{s, it} }

// To is the address of a page of ours.
func (s *sheet) To(path string) string { return s.Link(s.SignIn + path) }

// Link is an address that a view gives: "" unless it is a relative one or one of
// the web, wherever it stands in the page. Ours keep the language that was asked for.
func (s *sheet) Link(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "" && u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	ours := u.Host == "" || s.SignIn != "" && u.Scheme+"://"+u.Host == s.SignIn
	if !ours || s.Chosen == "" {
		return address
	}
	mark := "?"
	if u.RawQuery != "" || u.ForceQuery {
		mark = "&"
	}
	address, fragment, cut := strings.Cut(address, "#")
	address += mark + "lang=" + s.Chosen
	if cut {
		address += "#" + fragment
	}
	return address
}

// Asset is the address of a file, by its plain name.
func (s *sheet) Asset(name string) string {
	return s.pages.prefix + s.pages.files.names[name]
}

// Picture is an icon in the page.
func (s *sheet) Picture(name string) template.HTML { return s.pages.icons[name] }

// File is the address of an icon of the configuration, "" when it has none of that
// name.
func (s *sheet) File(icon string) string {
	if name, ok := s.pages.files.names["icon-"+icon]; ok && icon != "" {
		return s.pages.prefix + name
	}
	return ""
}

// Mark is the icon of a provider: one of ours by name, else by type, else a key.
func (s *sheet) Mark(p Provider) template.HTML {
	byType := map[string]string{"entra": "microsoft", "github": "github"}
	switch p.Icon {
	case "microsoft", "github", "google", "gitlab", "key":
		return s.pages.icons[p.Icon]
	}
	if name, ok := byType[p.Type]; ok {
		return s.pages.icons[name]
	}
	return s.pages.icons["key"]
}

// Tongues are the languages, with where this page is in each.
func (s *sheet) Tongues() []tongueLink {
	var links []tongueLink
	query := url.Values{}
	for key, values := range s.query {
		query[key] = values
	}
	for _, t := range s.pages.tongues.all {
		query.Set("lang", t.tag)
		links = append(links, tongueLink{Tag: t.tag, Title: t.title,
			Href: "?" + query.Encode(), Current: t == s.tongue})
	}
	return links
}

// Languages are those that a user may choose for good.
func (s *sheet) Languages() []tongueLink {
	var links []tongueLink
	chosen := s.pages.tongues.match(s.Locale)
	for _, t := range s.pages.tongues.all {
		links = append(links, tongueLink{Tag: t.tag, Title: t.title, Current: t == chosen})
	}
	return links
}

// toneCount is how many tones assets/page.css has.
const toneCount = 10

// Tone is a class that gives a name a colour, always the same.
func (s *sheet) Tone(name any) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(text(name)))
	return "tone-" + strconv.Itoa(int(h.Sum32()%toneCount))
}

// Monogram is one or two letters for a name: those that its first and its last
// word begin with.
func (s *sheet) Monogram(name any) string {
	words := strings.FieldsFunc(text(name), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	if len(words) == 0 {
		return "·"
	}
	letters := initial(words[0])
	if len(words) > 1 {
		letters += initial(words[len(words)-1])
	}
	return letters
}

func initial(word string) string {
	for _, r := range word {
		return string(unicode.ToUpper(r))
	}
	return ""
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// First is the name to greet somebody by: the first word, unless it is the family
// name of "Lovelace, Ada".
func (s *sheet) First(name string) string {
	if _, given, ok := strings.Cut(name, ","); ok && strings.TrimSpace(given) != "" {
		name = given
	}
	if words := strings.Fields(name); len(words) > 0 {
		return words[0]
	}
	return name
}

// Paragraphs are a text parted at its blank lines.
func (s *sheet) Paragraphs(text string) []string {
	var all []string
	text = strings.ReplaceAll(text, "\r\n", "\n")
	for p := range strings.SplitSeq(text, "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			all = append(all, p)
		}
	}
	return all
}

// List is names with commas between.
func (s *sheet) List(names []string) string { return strings.Join(names, ", ") }
