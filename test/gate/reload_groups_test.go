package gate_test

import (
	"net/http"
	"strings"
	"testing"

	"doorward/internal/edgetest"
	"doorward/internal/safe"
)

// reloadGroups is the configuration of the house with a group for the staff's route, and
// who is in which group.
func (h *lastingHouse) reloadGroups(group, members string) edgetest.Config {
	site := h.site
	site.Text = strings.Replace(site.Text, "[groups.staff]", members, 1)
	site.Text = strings.Replace(site.Text, `groups = ["staff"]`, `groups = ["`+group+`"]`, 1)
	return site
}

// A group that gets another name, in its section and in the rule of a route, is the same
// people: they are let in all the time, and nothing of theirs ends.
func TestAReloadThatRenamesAGroup(t *testing.T) {
	h := newLastingHouse(t, "")
	sites := []edgetest.Config{
		h.reloadGroups("crew", "[groups.crew]\nusers = [\"bob\"]"),
		h.reloadGroups("team", "[groups.team]\nusers = [\"bob\"]"),
	}
	h.reloadTo(sites[1])
	bob := h.somebody("bob")
	open := h.reloadHold(bob, "staff.example")
	h.reloadAsked(bob, http.StatusOK, sites)
	reloadGo(t, open)
}

// Somebody whom neither the configuration of before nor that of now lets in gets in at no
// time between them, although the rules of each would with the groups of the other.
func TestAReloadMixesNoGroupsAndRules(t *testing.T) {
	h := newLastingHouse(t, "")
	sites := []edgetest.Config{
		h.reloadGroups("one", "[groups.one]\nusers = [\"bob\"]\n[groups.two]\nusers = [\"eve\"]"),
		h.reloadGroups("two", "[groups.one]\nusers = [\"eve\"]\n[groups.two]\nusers = [\"bob\"]"),
	}
	h.reloadTo(sites[1])
	h.reloadAsked(h.somebody("eve"), http.StatusForbidden, sites)
	h.reloadAsked(h.somebody("bob"), http.StatusOK, sites)
}

// reloadAsked puts the configurations in force in turn, while somebody asks for pages on
// two connections and always has to get the same answer.
func (h *lastingHouse) reloadAsked(b *browser, status int, sites []edgetest.Config) {
	h.t.Helper()
	request := "GET / HTTP/1.1⏎Host: staff.example⏎Cookie: " + b.cookies("staff.example") + "⏎⏎"
	stop, done := make(chan struct{}), make(chan map[int]int)
	for range 2 {
		c := h.DialTLS(h.t, "staff.example")
		safe.Go(nil, "requests", func() {
			got := map[int]int{}
			defer func() { done <- got }()
			for {
				select {
				case <-stop:
					return
				default:
					got[c.Send(request).Answer().Status]++
				}
			}
		})
	}
	for i := range 40 {
		h.reloadTo(sites[i%2])
	}
	close(stop)
	for range 2 {
		if got := <-done; len(got) != 1 || got[status] == 0 {
			h.t.Errorf("answers by status: %v, want %d alone", got, status)
		}
	}
}

func (h *lastingHouse) reloadTo(site edgetest.Config) {
	h.t.Helper()
	if err := h.Edge.Reload(site); err != nil {
		h.t.Fatal(err)
	}
}
