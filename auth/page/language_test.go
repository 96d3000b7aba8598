package page_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"doorward/auth/page"
)

// spoken is the language that a page is in.
func spoken(t testing.TB, p *page.Pages, query, locale, accept string) string {
	t.Helper()
	r := httptest.NewRequest("GET", "/?lang="+url.QueryEscape(query), nil)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Accept-Language", accept)
	w := httptest.NewRecorder()
	p.Message(w, r, 0, page.Message{Kind: page.NotFound, Frame: page.Frame{Locale: locale}})
	_, lang, _ := strings.Cut(w.Body.String(), `<html lang="`)
	lang, _, _ = strings.Cut(lang, `"`)
	return lang
}

func TestLanguage(t *testing.T) {
	german := company()
	german.Language = "de"
	for _, tt := range []struct {
		name, query, locale, accept, want string
		brand                             page.Brand
	}{
		{name: "nothing said", want: "en"},
		{name: "nothing said, of a German company", brand: german, want: "de"},
		{name: "a browser", accept: "fr-CH, fr;q=0.9, en;q=0.8, *;q=0.5", want: "fr"},
		{name: "by weight", accept: "en;q=0.3, de-AT;q=0.9", want: "de"},
		{name: "not wanted", accept: "de;q=0, fr;q=0.1", want: "fr"},
		{name: "the first of ours", accept: "ja, sv;q=0.9, de;q=0.5, en;q=0.4", want: "de"},
		{name: "none of ours", accept: "ja", want: "en"},
		{name: "one wrong part", accept: "???, de", want: "de"},
		{name: "the user's own", locale: "de-DE", accept: "fr", want: "de"},
		{name: "the user's own is not ours", locale: "ja", accept: "fr", want: "fr"},
		{name: "the address before all", query: "fr", locale: "de", accept: "en", want: "fr"},
		{name: "the address is not ours", query: "ja", locale: "de", want: "de"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := spoken(t, newPages(t, tt.brand), tt.query, tt.locale, tt.accept)
			if got != tt.want {
				t.Errorf("the page speaks %q, want %q", got, tt.want)
			}
		})
	}
}

// TestLinksKeepTheLanguage looks at what a chosen language does to addresses.
func TestLinksKeepTheLanguage(t *testing.T) {
	pages := newPages(t, company())
	for address, want := range map[string]string{
		"/sign_in":                          "/sign_in?lang=de",
		"/sign_in?return=x#y":               "/sign_in?return=x&lang=de#y",
		"https://login.example.com/a":       "https://login.example.com/a?lang=de",
		"https://login.example.com.evil/":   "https://login.example.com.evil/",
		"https://shop.example.com/?q=1#top": "https://shop.example.com/?q=1#top",
		"//evil.example/":                   "//evil.example/",
	} {
		s := show{"", func(p *page.Pages, w http.ResponseWriter, r *http.Request) {
			p.SignedOut(w, r, 200, page.SignedOut{Return: address,
				Frame: page.Frame{SignIn: "https://login.example.com"}})
		}}
		doc := parse(t, pages, s, "?lang=de")
		if got := attr(elements(elements(doc, "main")[0], "a")[0], "href"); got != want {
			t.Errorf("%s becomes %s, want %s", address, got, want)
		}
	}
}

// messagesOf are the texts of a language.
func messagesOf(t *testing.T, lang string) map[string]string {
	t.Helper()
	data, err := os.ReadFile("messages/" + lang + ".json")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	if err := json.Unmarshal(data, &texts); err != nil {
		t.Fatal(err)
	}
	return texts
}

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

func TestEveryTextIsThereInEveryLanguage(t *testing.T) {
	english := messagesOf(t, "en")
	// Words that are the same in two languages.
	same := []string{"sessions.title", "tokens.title", "date", "sessions.end_which", "portal.find"}
	for _, lang := range []string{"de", "fr"} {
		texts := messagesOf(t, lang)
		for key, text := range texts {
			if english[key] == "" {
				t.Errorf("%s has %q, which is no text", lang, key)
			}
			a, b := placeholder.FindAllString(text, -1), placeholder.FindAllString(english[key], -1)
			slices.Sort(a)
			slices.Sort(b)
			if !slices.Equal(slices.Compact(a), slices.Compact(b)) {
				t.Errorf("%s: %s has %v, want %v", lang, key, a, b)
			}
			long := len(strings.Fields(text)) > 2
			if text == english[key] && long && !slices.Contains(same, key) {
				t.Errorf("%s: %s is not translated: %q", lang, key, text)
			}
		}
		for key := range english {
			if texts[key] == "" {
				t.Errorf("%s lacks %q", lang, key)
			}
		}
	}
}

// TestEveryTextIsUsed looks for the key of each text in templates and code, and for
// a text for each value that has one.
func TestEveryTextIsUsed(t *testing.T) {
	english := messagesOf(t, "en")
	used := map[string]bool{}
	named := regexp.MustCompile(`"([a-z_]+(\.[a-z_]+)*)"`)
	files, _ := filepath.Glob("templates/*.html")
	code, _ := filepath.Glob("*.go")
	for _, file := range append(files, code...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(data), -1) {
			used[m[1]], used[m[1]+".one"], used[m[1]+".other"] = true, true, true
		}
	}
	for _, name := range []string{"sign_in", "sign_out", "signed_out", "portal", "account",
		"sessions", "tokens", "password", "identities", "consent", "setup", "continue"} {
		used[name+".title"] = true
	}
	for i := range 12 {
		used["month."+strconv.Itoa(i+1)] = true
	}
	for _, key := range valueKeys(t) {
		used[key] = true
		if english[key] == "" {
			t.Errorf("there is no text %q", key)
		}
	}
	for key := range english {
		if !used[key] {
			t.Errorf("nothing says %q", key)
		}
	}
}

// valueKeys are the keys of the texts for all constants of the views.
func valueKeys(t *testing.T) []string {
	t.Helper()
	forms := map[string][]string{"Code": {"problem.*"}, "Notice": {"notice.*"}, "Told": {"tells.*"},
		"Kind": {"message.*.title", "message.*.text"}, "Cause": {"cause.*"},
		"Way": {"source.*"}}
	var keys []string
	files, _ := filepath.Glob("view*.go")
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || spec.Type == nil || len(spec.Values) != 1 {
				return true
			}
			value, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			for _, form := range forms[spec.Type.(*ast.Ident).Name] {
				if value != "" {
					keys = append(keys, strings.Replace(form, "*", value, 1))
				}
			}
			return true
		})
	}
	if len(keys) < 60 {
		t.Fatalf("only %d keys", len(keys))
	}
	return keys
}
