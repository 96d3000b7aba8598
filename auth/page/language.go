package page

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/text/language"
)

//go:embed messages/*.json
var messageFiles embed.FS

// tongue is a language of the pages.
type tongue struct {
	tag, title string
	words      map[string]string
}

// tongues are the languages, the one first that is spoken when nothing fits.
type tongues struct {
	all     []*tongue
	matcher language.Matcher
}

// mostTags is how many languages of a browser are looked at (UI-09), longestTag
// how long one may be.
const (
	mostTags   = 10
	longestTag = 64
)

func newTongues(first string) (*tongues, error) {
	t := &tongues{}
	var tags []language.Tag
	titles := map[string]string{"en": "English", "de": "Deutsch", "fr": "Français"}
	if first == "" {
		first = "en"
	}
	if titles[first] == "" {
		return nil, fmt.Errorf("brand.language: there is no %q, only en, de and fr", first)
	}
	for _, tag := range []string{first, "en", "de", "fr"} {
		if titles[tag] == "" {
			continue
		}
		data, err := messageFiles.ReadFile("messages/" + tag + ".json")
		if err != nil {
			return nil, err
		}
		words := map[string]string{}
		if err := json.Unmarshal(data, &words); err != nil {
			return nil, fmt.Errorf("messages/%s.json: %w", tag, err)
		}
		t.all = append(t.all, &tongue{tag: tag, title: titles[tag], words: words})
		tags = append(tags, language.MustParse(tag))
		delete(titles, tag)
	}
	t.matcher = language.NewMatcher(tags)
	return t, nil
}

// choose finds the language of a page: what the query says, what the user has
// chosen, what the browser asks for. Chosen is what the query says, when it is one
// of ours.
func (t *tongues) choose(r *http.Request, query url.Values, locale string) (
	best *tongue, chosen string,
) {
	if q := query.Get("lang"); q != "" {
		if found := t.match(q); found != nil {
			return found, found.tag
		}
	}
	if found := t.match(locale); found != nil {
		return found, ""
	}
	if found := t.match(r.Header.Get("Accept-Language")); found != nil {
		return found, ""
	}
	return t.all[0], ""
}

// match returns the best language for a list as browsers send it, nil for none.
func (t *tongues) match(list string) *tongue {
	type wish struct {
		tag    language.Tag
		weight float32
	}
	var wishes []wish
	seen := 0
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part == "" || len(part) > longestTag {
			continue
		}
		if seen++; seen > mostTags {
			break
		}
		// One by one: a part that is wrong takes none of the others with it.
		tags, weights, err := language.ParseAcceptLanguage(part)
		if err == nil && len(tags) == 1 && weights[0] > 0 {
			wishes = append(wishes, wish{tags[0], weights[0]})
		}
	}
	slices.SortStableFunc(wishes, func(a, b wish) int { return cmp.Compare(b.weight, a.weight) })
	wanted := make([]language.Tag, len(wishes))
	for i, w := range wishes {
		wanted[i] = w.tag
	}
	_, i, sure := t.matcher.Match(wanted...)
	if sure == language.No {
		return nil
	}
	return t.all[i]
}

// tongueLink is a language as it may be chosen.
type tongueLink struct {
	Tag, Title, Href string
	Current          bool
}
