package portal_test

import (
	"net/http"
	"strings"
	"time"

	"doorward/auth/user"
)

func cookieAttacks() []attack {
	return []attack{
		{"COOK-01_a_new_ticket_at_each_sign_in", fixation},
		{"COOK-03_exact_names", exactNames},
		{"COOK-04_attributes", attributes},
		{"COOK-05_plain_http", plainHTTP},
		{"COOK-10_password_change_ends_all", changeEndsAll},
		{"COOK-14_half_signed_in", halfSignedIn},
		{"COOK-16_only_cookies_count", onlyCookies},
		{"COOK-21_flow_cookies_do_not_grow", flowCookies},
		{"COOK-22_broken_cookies_are_removed", brokenCookie},
		{"COOK-23_nothing_is_cached", notCached},
	}
}

func fixation(h *house) {
	b := h.browser()
	b.cookies["__Host-doorward"] = "1" + strings.Repeat("A", 43)
	before := b.cookies["__Host-doorward"]
	b.signIn()
	if b.cookies["__Host-doorward"] == before {
		h.Fatal("the ticket is the attacker's")
	}
	old := b.session()
	b.signIn()
	if old.Valid() || b.session() == nil {
		h.Error("the session before lives on")
	}
	old = b.session()
	b.get(h.idp.with()).want(h, 303, home) // with a session there is nothing to do
	if b.session() != old {
		h.Error("another session for a sign-in that was not needed")
	}
	b.get(h.idp.away(b, h.idp.with()+"?fresh=1", bob())).want(h, 303, home)
	if old.Valid() {
		h.Error("the session before lives on")
	}
}

func exactNames(h *house) {
	b := h.browser().signIn()
	ticket := b.cookies["__Host-doorward"]
	delete(b.cookies, "__Host-doorward")
	for _, line := range []string{
		"\u2000__Host-doorward=" + ticket, "__host-doorward=" + ticket,
		"=__Host-doorward=" + ticket,
		"__Host-doorward = " + ticket, `__Host-doorward="` + ticket + `"`, "__Host-doorward",
		"a=b, __Host-doorward=" + ticket, "__Host-doorward=x; __Host-doorward=" + ticket,
		"__Secure-doorward=" + ticket, "__Host-doorward=" + ticket + "=",
	} {
		b.header["Cookie"] = line
		if a := b.get("/account"); a.status != 303 {
			h.Errorf("Cookie %q: answered %d", line, a.status)
		}
	}
	b.header["Cookie"] = "a=b;\t__Host-doorward=" + ticket + ";c=d"
	b.get("/account").want(h, 200, "")
}

func attributes(h *house) {
	b := h.browser()
	answers := []*answer{
		b.get("/sign_in"), b.enter("/sign_in"),
		b.post("/sign_out"),
	}
	seen := map[string]bool{}
	for _, a := range answers {
		for _, c := range a.cookies {
			seen[c.Name] = true
			if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" ||
				c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-doorward") {
				h.Errorf("the cookie %v", c)
			}
			if c.Name == "__Host-doorward" && c.MaxAge >= 0 &&
				(len(c.Value) != 44 || c.MaxAge != 0) {
				h.Errorf("the ticket %v", c)
			}
		}
	}
	for _, name := range []string{"__Host-doorward", "__Host-doorward-browser",
		"__Host-doorward-device"} {
		if !seen[name] {
			h.Errorf("%s was not set", name)
		}
	}
}

func plainHTTP(h *house) {
	b := h.browser().signIn()
	b.plain = true
	a := b.get("/account?x=y").want(h, 308, "https://login.example.com/account?x=y")
	second := b.enter("/sign_in").want(h, 403, "")
	if len(a.cookies)+len(second.cookies) > 0 {
		h.Error("cookies over plain HTTP")
	}
}

func changeEndsAll(h *house) {
	b, other := h.browser().signIn(), h.browser().signIn()
	const next = "an entirely other phrase"
	b.post("/account/password", "current", password, "new", next, "again", next).want(h, 200, "")
	if other.session() != nil || b.session() == nil {
		h.Error("want one session, that of who changed the password")
	}
}

func halfSignedIn(h *house) {
	_, err := h.directory.Update(h.Context(), h.alice, func(u *user.User) error {
		u.MustChange = true
		return nil
	})
	if err != nil {
		h.Fatal(err)
	}
	b := h.browser()
	a := b.enter("/sign_in").want(h, 200, "")
	action := formAction(h.T, a)
	for _, path := range []string{"/", "/account", "/account/tokens", "/whoami",
		h.visiting("https://app.example.com/")} {
		if a := b.get(path); a.status == 200 && !strings.Contains(a.body, `name="password"`) ||
			strings.Contains(a.location, "handoff") {
			h.Errorf("%s: answered %d to %q", path, a.status, a.location)
		}
	}
	pass(11 * time.Minute)
	const next = "an entirely other phrase"
	b.post(action, "current", password, "new", next, "again", next).want(h, 400, "")
}

func onlyCookies(h *house) {
	b := h.browser().signIn()
	ticket := b.cookies["__Host-doorward"]
	stranger := h.browser()
	stranger.header["X-Session"], stranger.header["Authorization"] = ticket, "Bearer "+ticket
	stranger.get("/account?__Host-doorward="+ticket).want(h, 303, "/sign_in?return=…")
	// A ticket of another host is none of ours.
	other := must(h.sessions.Ticket(h.Context(), b.session(), appHost))(h.T)
	stranger.cookies["__Host-doorward"] = other
	stranger.get("/account").want(h, 303, "/sign_in?return=…")
}

func flowCookies(h *house) {
	b := h.browser()
	for range 100 {
		b.get(h.idp.with())
		b.get("/sign_in")
	}
	if len(b.cookies) != 1 {
		h.Errorf("cookies: %v", b.cookies)
	}
}

func brokenCookie(h *house) {
	b := h.browser()
	b.cookies["__Host-doorward"] = "broken"
	a := b.get("/sign_in").want(h, 200, "")
	for _, c := range a.cookies {
		if c.Name == "__Host-doorward" && c.MaxAge < 0 && c.Secure && c.Path == "/" &&
			c.Domain == "" {
			return
		}
	}
	h.Errorf("cookies %v", a.cookies)
}

func notCached(h *house) {
	b := h.browser()
	pages := []string{"/sign_in", "/whoami", "/none", callbackPath + "?code=x"}
	for range 2 {
		for _, path := range pages {
			if got := b.get(path).header.Get("Cache-Control"); got != "no-store" {
				h.Errorf("%s: Cache-Control %q", path, got)
			}
		}
		b.signIn()
		pages = append(pages, "/", "/account", "/account/sessions", "/account/tokens",
			"/account/password", "/account/identities", "/sign_out")
	}
	sheet := b.get("/sign_in?another=1").body
	_, rest, _ := strings.Cut(sheet, `href="/assets/`)
	name, _, _ := strings.Cut(rest, `"`)
	a := b.get("/assets/"+name).want(h, 200, "")
	if len(a.cookies) > 0 || !strings.Contains(a.header.Get("Cache-Control"), "immutable") {
		h.Errorf("the asset %s came with %v", name, a.header)
	}
}
