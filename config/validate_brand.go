package config

import (
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var hexColor = regexp.MustCompile(`^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$`)

// brand checks how the pages look. Whether files are pictures is seen when they are
// read.
func (v *validator) brand() {
	b, p := &v.cfg.Brand, v.root.key("brand")
	if at := p.key("title"); at.given && (b.Title == "" || hasControl(b.Title)) {
		v.errorf(at, "", "is empty or has a control character")
	}
	v.picture(b.Logo, p.key("logo"))
	v.picture(b.Favicon, p.key("favicon"))
	v.picture(b.Background, p.key("background"))
	if at := p.key("color"); b.Color != "" && !hexColor.MatchString(b.Color) {
		v.errorf(at, `write "#1b6e5c"`, "%s is not a color", at.shown())
	}
	for i, link := range b.Links {
		at := p.key("links").item(i)
		v.needed(at, need{"title", link.Title}, need{"url", link.URL})
		if link.URL != "" {
			v.link(link.URL, at.key("url"))
		}
	}
}

// link checks an address that a page leads to: nothing that a browser would run.
func (v *validator) link(text string, p place) {
	u, err := url.Parse(text)
	switch {
	case err != nil || strings.ContainsFunc(text, notPrintable) || strings.Contains(text, `\`):
	case u.Scheme == "" && strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//"),
		u.Scheme == "mailto",
		(u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil:
		return
	}
	v.errorf(p, `write "https://example.com/imprint", "/imprint" or "mailto:..."`,
		"%s is not an address for a link", p.shown())
}

// picture checks the name of a file that pages show.
func (v *validator) picture(file string, p place) {
	kinds := []string{".svg", ".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif", ".ico"}
	switch {
	case v.failed[p.path]:
	case p.given && file == "":
		v.errorf(p, "", "the name of the file is empty")
	case file != "" && !slices.Contains(kinds, strings.ToLower(filepath.Ext(file))):
		v.errorf(p, "svg, png, jpg, webp, avif, gif or ico", "%s is not a picture by its name", p.shown())
	}
}
