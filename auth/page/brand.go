package page

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Brand is what makes the pages a company's own. The zero Brand is Doorward's.
type Brand struct {
	// Title is the name on all pages; empty is Doorward.
	Title string
	// Logo, Favicon and Background are pictures; zero ones are ours. The background
	// lies behind the pages that stand alone, such as sign-in.
	Logo, Favicon, Background File
	// Color is the accent, "#rrggbb" or "#rgb"; empty is ours. Shades that can be
	// read on light and dark grounds are made of it.
	Color string
	// Links are at the foot of every page: imprint, privacy, help.
	Links []Link
	// Language is that of users whose browser asks for none of ours: en, de or fr;
	// empty is English.
	Language string
}

// File is a picture. The zero File is none.
type File struct {
	// Name ends in what the picture is: svg, png, jpg, webp, avif, gif or ico.
	Name string
	// Data is the picture itself.
	Data []byte
}

// Link is a link at the foot.
type Link struct {
	// Title is what it says, URL where it leads: https, http, mailto, or a path.
	Title, URL string
}

// ourColor is the accent of pages without a brand.
const ourColor = "#1b6e5c"

// style is the part of the style that differs between brands. It holds colours and
// a name of our making only, nothing that somebody wrote.
func (b *Brand) style(background string) ([]byte, error) {
	color := b.Color
	if color == "" {
		color = ourColor
	}
	accent, err := parseColor(color)
	if err != nil {
		return nil, fmt.Errorf("brand.color: %w", err)
	}
	var s strings.Builder
	fmt.Fprintf(&s, ":root{%s}\n", lightGround.shades(accent))
	fmt.Fprintf(&s, "@media (prefers-color-scheme:dark){:root{%s}}\n",
		darkGround.shades(accent))
	if background != "" {
		fmt.Fprintf(&s, "@media screen{.alone{background-image:url(%q)}\n"+
			".alone .emblem,.alone .foot{background:var(--card);box-shadow:var(--shadow)}}\n",
			background)
	}
	return []byte(s.String()), nil
}

// check tells what is wrong with the links.
func (b *Brand) check() error {
	for _, l := range b.Links {
		if l.Title == "" {
			return fmt.Errorf("brand.links: the link to %q has no title", l.URL)
		}
		if err := checkLink(l.URL); err != nil {
			return fmt.Errorf("brand.links: %q: %w", l.URL, err)
		}
	}
	return nil
}

var errLink = errors.New("a link begins with https://, http://, mailto: or /")

func checkLink(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return errors.Unwrap(err)
	case u.Scheme == "https" || u.Scheme == "http":
		if u.Host == "" {
			return errLink
		}
	case u.Scheme == "mailto":
	case u.Scheme != "" || !strings.HasPrefix(address, "/") || u.Host != "":
		return errLink
	}
	return nil
}
