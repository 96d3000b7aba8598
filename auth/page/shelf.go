package page

import (
	"net/url"
	"strconv"
	"strings"
)

// shelf is a group of applications on the portal.
type shelf struct {
	ID, Title string
	Apps      []shelved
	Hidden    bool
}

// shelved is an application on it. Find is what the search looks through.
type shelved struct {
	App
	Host, Find string
	Hidden     bool
}

// shelves are all of them, and how many applications the search leaves.
type shelves struct {
	all   []*shelf
	shown int
}

// Shelves are the applications by their groups, in the order that these come in;
// those without a group go before all.
func (s *sheet) Shelves() []*shelf { return s.arrange().all }

// Shown is how many applications the search leaves.
func (s *sheet) Shown() int { return s.arrange().shown }

func (s *sheet) arrange() *shelves {
	v, ok := s.V.(*Portal)
	if !ok || s.portal != nil {
		return s.portal
	}
	s.portal = &shelves{}
	words := strings.Fields(strings.ToLower(v.Query))
	byTitle := map[string]*shelf{}
	for _, app := range v.Apps {
		put := byTitle[app.Group]
		if put == nil {
			put = &shelf{Title: app.Group, Hidden: true,
				ID: "shelf-" + strconv.Itoa(len(byTitle))}
			byTitle[app.Group] = put
			s.portal.put(put)
		}
		placed := newShelved(app, words)
		if !placed.Hidden {
			put.Hidden = false
			s.portal.shown++
		}
		put.Apps = append(put.Apps, placed)
	}
	return s.portal
}

// put adds a shelf: behind the others, unless it has no title.
func (s *shelves) put(added *shelf) {
	if added.Title == "" {
		s.all = append([]*shelf{added}, s.all...)
		return
	}
	s.all = append(s.all, added)
}

func newShelved(app App, words []string) shelved {
	s := shelved{App: app}
	if u, err := url.Parse(app.URL); err == nil {
		s.Host = u.Host
	}
	s.Find = strings.ToLower(strings.Join(
		[]string{app.Title, app.Description, app.Group, s.Host}, " "))
	for _, w := range words {
		s.Hidden = s.Hidden || !strings.Contains(s.Find, w)
	}
	return s
}
