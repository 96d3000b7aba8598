package portal_test

import (
	"fmt"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"time"

	"doorward/auth/directory"
	"doorward/auth/portal"
)

func TestAStoreThatIsAwayLetsNobodyIn(t *testing.T) {
	in(t, func(h *house) {
		b, tab := h.browser().signIn(), h.browser()
		callback := h.idp.away(tab, h.idp.with(), bob())
		code := must(h.directory.CreateLink(t.Context(), directory.Link{
			Purpose: portal.SetupPurpose, Expires: time.Now().Add(time.Hour),
		}))(t)
		_ = h.store.Close()
		tab.get(callback).want(t, 500, "")
		tab.enter("/sign_in").want(t, 500, "")
		tab.get("/setup?code="+code).want(t, 500, "")
		if tab.session() != nil {
			t.Error("signed in")
		}
		// Who is in stays in, but gets nothing new.
		b.get("/").want(t, 200, "")
		b.get(h.visiting("https://app.example.com/")).want(t, 500, "")
		b.post("/account", "locale", "de").want(t, 500, "")
		b.post("/account/tokens", "title", "x", "days", "1").want(t, 500, "")
		const next = "an entirely other phrase"
		b.post("/account/password", "current", password, "new", next, "again", next).
			want(t, 500, "")
		b.post("/sign_out").want(t, 200, "")
		if b.session() != nil {
			t.Error("the session goes on")
		}
	})
}

func TestTabsThatComeForTheFirstTimeMakeOneAccount(t *testing.T) {
	in(t, func(h *house) {
		var tabs sync.WaitGroup
		for range 8 {
			b := h.browser()
			callback := h.idp.away(b, h.idp.with(), bob())
			tabs.Go(func() {
				if a := b.get(callback); a.status != 303 {
					t.Errorf("answered %d: %s", a.status, a.body)
				}
			})
		}
		tabs.Wait()
		if n := len(h.directory.All()); n != 2 { // alice is the other
			t.Errorf("%d accounts", n)
		}
	})
}

func TestALinkMakesOneUserHoweverManyComeAtOnce(t *testing.T) {
	in(t, func(h *house) {
		code := must(h.directory.CreateLink(t.Context(), directory.Link{
			Purpose: portal.SetupPurpose, Expires: time.Now().Add(time.Hour),
		}))(t)
		const good = "tall trees in the wind"
		var all sync.WaitGroup
		for i := range 4 {
			b := h.browser()
			all.Go(func() {
				b.post("/setup", "code", code, "name", fmt.Sprint("root", i),
					"password", good, "again", good)
			})
		}
		all.Wait()
		if n := len(h.directory.All()); n != 2 {
			t.Errorf("%d accounts", n)
		}
	})
}

func TestOneUseOfAStateHoweverManyComeAtOnce(t *testing.T) {
	in(t, func(h *house) {
		b := h.browser()
		callback := h.idp.away(b, h.idp.with(), bob())
		var all sync.WaitGroup
		for range 8 {
			twin := h.browser()
			twin.cookies["__Host-doorward-browser"] = b.cookies["__Host-doorward-browser"]
			all.Go(func() { twin.get(callback) })
		}
		all.Wait()
		if n := len(h.sessions.All()); n != 1 {
			t.Errorf("%d sessions", n)
		}
	})
}

func TestAnswersThatAreRefused(t *testing.T) {
	in(t, func(h *house) {
		b := h.browser()
		callback := must(url.Parse(h.idp.away(b, h.idp.with(), bob())))(t)
		q := callback.Query()
		q.Set("error", "access_denied")
		q.Set("error_description", "Nobody knows why")
		q.Del("code")
		b.get(callbackPath+"?"+q.Encode()).want(t, 403, "").
			says(t, "access_denied").says(t, "Nobody knows why").says(t, "/sign_in")
	})
}

func TestCountersAreBounded(t *testing.T) {
	loops, floods := portal.NewLoops(nil), portal.NewFloods(nil)
	for i := range 40_000 {
		loops.Circles(fmt.Sprint(i), "x")
		if !floods.Allow(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})) {
			t.Fatal("an address that never called is refused")
		}
	}
	for range 3 {
		if loops.Circles("me", "x") {
			t.Fatal("too early")
		}
	}
	if !loops.Circles("me", "x") || loops.Circles("you", "x") || loops.Circles("me", "y") {
		t.Error("the wrong one goes in circles")
	}
	// One subscriber of IPv6 is one client, whatever address is used.
	refused := 0
	for i := range 1000 {
		at := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 14: byte(i >> 8), 15: byte(i)})
		if !floods.Allow(at) {
			refused++
		}
	}
	if refused < 700 {
		t.Errorf("%d of 1000 were refused", refused)
	}
}
