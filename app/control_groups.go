package app

import (
	"errors"
	"net/http"
	"slices"

	"doorward/auth/audit"
	"doorward/auth/directory"
)

// The kinds of events about groups as such.
const (
	groupCreated audit.Kind = "group-created"
	groupDeleted audit.Kind = "group-deleted"
)

// GroupStatus is a group with its members of the store and of the configuration.
type GroupStatus struct {
	// Name is what rules call it, Title what people do.
	Name  string `json:"name"`
	Title string `json:"title,omitempty"`
	// Configured says that it has a section in the configuration.
	Configured bool `json:"configured"`
	// Members are all users in it by name, Sources where each of them has it from.
	Members []string          `json:"members"`
	Sources map[string]string `json:"sources"`
}

func (g *generation) groupStatus(name string) GroupStatus {
	c, configured := g.cfg.Groups[name]
	status := GroupStatus{
		Name: name, Title: c.Title, Configured: configured,
		Members: []string{}, Sources: map[string]string{},
	}
	for _, p := range g.signIn.directory.All() {
		if v := p.View(); v.In(name) {
			status.Members = append(status.Members, v.User.Name)
			status.Sources[v.User.Name] = v.Whence(name)
		}
	}
	return status
}

func (a *App) doGroups(*http.Request) (any, error) {
	g, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	list := []GroupStatus{}
	for _, name := range g.signIn.directory.Groups() {
		list = append(list, g.groupStatus(name))
	}
	return list, nil
}

// groupIn is the generation in force and the group in the path, which is there.
func (a *App) groupIn(r *http.Request) (*generation, string, error) {
	g, err := a.signInNow()
	if err != nil {
		return nil, "", err
	}
	name := r.PathValue("group")
	if known := g.signIn.directory.Groups(); !slices.Contains(known, name) {
		return nil, "", unknown("group", name, known)
	}
	return g, name, nil
}

func (a *App) doGroup(r *http.Request) (any, error) {
	g, name, err := a.groupIn(r)
	if err != nil {
		return nil, err
	}
	return g.groupStatus(name), nil
}

// doAddGroup makes a group. One that is there is what was asked for.
func (a *App) doAddGroup(r *http.Request) (any, error) {
	g, err := a.signInNow()
	if err != nil {
		return nil, err
	}
	name := r.PathValue("group")
	if !slices.Contains(g.signIn.directory.Groups(), name) {
		err := g.signIn.directory.CreateGroup(r.Context(), name)
		if err != nil && !errors.Is(err, directory.ErrTaken) {
			return nil, misused(err)
		}
		g.signIn.note(r, groupCreated, "", name)
	}
	return g.groupStatus(name), nil
}

func (a *App) doDeleteGroup(r *http.Request) (any, error) {
	g, name, err := a.groupIn(r)
	if err != nil {
		return nil, err
	}
	if _, ok := g.cfg.Groups[name]; ok {
		return nil, conflict("the group %q is in the configuration, at [groups.%s]: "+
			"it goes when that does", name, name)
	}
	if err := g.signIn.directory.DeleteGroup(r.Context(), name); err != nil {
		return nil, misused(err)
	}
	g.signIn.note(r, groupDeleted, "", name)
	return done{1}, nil
}

// doJoin puts a user into a group, which is made when there is none.
func (a *App) doJoin(r *http.Request) (any, error) {
	g, u, err := a.about(r)
	if err != nil {
		return nil, err
	}
	s, name := g.signIn, r.PathValue("group")
	if !slices.Contains(s.directory.Groups(), name) {
		err := s.directory.CreateGroup(r.Context(), name)
		if err != nil && !errors.Is(err, directory.ErrTaken) {
			return nil, misused(err)
		}
	}
	if err := s.directory.AddMember(r.Context(), name, u.ID); err != nil {
		return nil, misused(err)
	}
	s.note(r, audit.UserChanged, u.Name, "into the group "+name)
	return s.statusByID(u.ID)
}

// doPart takes a user out of a group. What the configuration and providers say is not
// for it to change: then the user is in the group still, which would be a surprise.
func (a *App) doPart(r *http.Request) (any, error) {
	g, u, err := a.about(r)
	if err != nil {
		return nil, err
	}
	s, name := g.signIn, r.PathValue("group")
	if known := s.directory.Groups(); !slices.Contains(known, name) {
		return nil, unknown("group", name, known)
	}
	if slices.Contains(u.Groups, name) {
		if err := s.directory.RemoveMember(r.Context(), name, u.ID); err != nil {
			return nil, misused(err)
		}
		s.note(r, audit.UserChanged, u.Name, "out of the group "+name)
	}
	status, err := s.statusByID(u.ID)
	if from := status.Groups[name]; err == nil && from != "" {
		return nil, conflict("%q is in the group %q by other means: %s", u.Name, name, from)
	}
	return status, err
}
