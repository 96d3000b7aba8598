package gate_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"doorward/internal/edgetest"
	"doorward/internal/entratest"
)

// manyTabs is how many a browser opens at once when it comes back.
const manyTabs = 20

// Acceptance 3: twenty tabs that are opened at once after the session has expired all end
// at the address that was theirs, in full, and have signed in.
func TestAcceptance03TwentyTabs(t *testing.T) {
	t.Run("after_expiry", func(t *testing.T) {
		h := newEntraHouse(t, startEntra(t, nil), entraShowing)
		v := h.visitor(entraOfAnn)
		if p := v.enter("https://app.example/"); p.status != http.StatusOK {
			t.Fatalf("%d at %s\n%s", p.status, p.url, p.body)
		}
		v.enter("https://admin.example/")
		h.expire(v)
		v.openTabs()
	})
	t.Run("in_a_browser_that_never_was_here", func(t *testing.T) {
		entra := startEntra(t, nil)
		entra.Present(entraOfAnn)
		h := newEntraHouse(t, entra, entraShowing)
		h.visitor(entraOfAnn).openTabs()
	})
}

// expire lets every session come to its end, as the night does.
func (h *entraHouse) expire(v *visitor) {
	h.t.Helper()
	socket := v.socket("app.example")
	night := h.site(entraShowing)
	night.Text = strings.Replace(night.Text, "local_users = false",
		"local_users = false\nidle = \"1s\"\nlifetime = \"1s\"", 1)
	if err := h.Reload(night); err != nil {
		h.t.Fatal(err)
	}
	if !comesBack(edgetest.Patience, func() { _, _, _ = socket.Read(h.t.Context()) }) {
		h.t.Fatal("the session does not expire")
	}
	if err := h.Reload(h.site(entraShowing)); err != nil {
		h.t.Fatal(err)
	}
	whoami, err := v.Get("https://app.example/.doorward/whoami")
	if err != nil {
		h.t.Fatal(err)
	}
	_ = whoami.Body.Close()
	if whoami.StatusCode != http.StatusUnauthorized {
		h.t.Fatalf("the session has not expired: %d", whoami.StatusCode)
	}
}

// openTabs opens addresses of two hosts at once, and fails the test unless each is shown
// in the end, to whom it is meant for.
func (v *visitor) openTabs() {
	v.t.Helper()
	var addresses []string
	for i := range manyTabs {
		host := []string{"app.example", "admin.example"}[i%2]
		address := fmt.Sprintf("https://%s/tab/%d?q=%d&back=%s&plus=a+b%%2Fc", host, i, i,
			url.QueryEscape("https://other.example/?x=1&y=2#z"))
		addresses = append(addresses, address)
	}
	for one := range v.atOnce(addresses) {
		if one.error != nil || one.status != http.StatusOK || one.url != one.address ||
			!strings.Contains(one.body, entraOfAnn) {
			v.t.Errorf("%s: %d at %s, %v\n%s", one.address, one.status, one.url, one.error,
				one.body)
		}
	}
	for _, host := range []string{"app.example", "admin.example"} {
		if p := v.enter("https://" + host + "/"); p.status != http.StatusOK || p.hops != 0 {
			v.t.Errorf("%s afterwards: %d after %d redirects", host, p.status, p.hops)
		}
	}
}

// tab is what became of one.
type tab struct {
	address string
	page
	error
}

// atOnce opens each address in a tab of its own. As with a browser that brings back its
// tabs, all have asked before one of them goes on from the first answer.
func (v *visitor) atOnce(addresses []string) <-chan tab {
	done := make(chan tab, len(addresses))
	var asking, open sync.WaitGroup
	asking.Add(len(addresses))
	for _, address := range addresses {
		var once sync.Once
		mine := &visitor{browser: v.browser, typed: v.typed, answered: func() {
			once.Do(asking.Done)
			asking.Wait()
		}}
		open.Go(func() {
			p, err := mine.try(address)
			once.Do(asking.Done) // where nothing led on
			done <- tab{address, p, err}
		})
	}
	go func() {
		open.Wait()
		close(done)
	}()
	return done
}

// Scripts lead on with the part of the address that stays in the browser, and it is there
// again in the end, in each of several tabs.
func TestAcceptance03Fragment(t *testing.T) {
	entra := startEntra(t, nil)
	entra.Present(entraOfAnn)
	h := newEntraHouse(t, entra, entraShowing)
	v := h.visitor(entraOfAnn)
	var addresses []string
	for i := range 3 {
		addresses = append(addresses,
			fmt.Sprintf("https://app.example/book?page=%d#/chapter/%d?x=ä&y=%%2F", i, i))
	}
	for one := range v.atOnce(addresses) {
		want, _ := url.Parse(one.address)
		got, err := url.Parse(one.url)
		if err != nil || one.error != nil || got.Fragment != want.Fragment ||
			got.RequestURI() != want.RequestURI() || got.Host != want.Host {
			t.Errorf("%s: %d at %q, %v\n%s", one.address, one.status, one.url, one.error, one.body)
		}
	}
	if n := entra.Count(entratest.TokenPart); n == 0 {
		t.Error("nobody has signed in")
	}
}
