package portal_test

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"doorward/auth/oidc"
	"doorward/auth/portal"
	"doorward/auth/user"
)

const callbackPath = "/source/oauth/callback/azure-ad"

func providerAttacks() []attack {
	return []attack{
		{"OIDC-01_no_state", noState},
		{"OIDC-02_state_of_another_browser", foreignState},
		{"OIDC-03_state_twice", stateTwice},
		{"OIDC-04_state_too_old", oldState},
		{"OIDC-05_many_tabs", manyTabs},
		{"OIDC-07_verifier_and_nonce", verifiers},
		{"OIDC-09_code_of_another", codeOfAnother},
		{"OIDC-10_mix_up", mixUp},
		{"OIDC-22_names_and_addresses_are_nobody", notByName},
		{"OIDC-22_names_that_rules_mean", reservedNames},
		{"OIDC-24_mail_domains", mailDomains},
		{"OIDC-28_removed_at_the_provider", removed},
		{"OIDC-36_another_subject", otherSubject},
		{"OIDC-39_linking_takes_a_proof", linking},
		{"OIDC-40_provider_that_is_gone", goneProvider},
		{"OIDC-41_circles", refusalCircle},
		{"DOS-10_answers_that_sign_nobody_in", answersInVain},
	}
}

func (h *house) noneAsked() {
	h.Helper()
	if len(h.idp.codes) != 0 {
		return
	}
	h.Error("the code was redeemed")
}

func noState(h *house) {
	b := h.browser()
	b.get("/sign_in")
	h.idp.codes["x"] = bob()
	for _, query := range []string{"?code=x", "?code=x&state=", "?code=x&state=AAAA", "?state",
		"?x",
		"?code=x&state=" + strings.Repeat("A", 20<<10), "?code=%zz", "?code=x;state=y"} {
		b.get(callbackPath+query).want(h, 400, "")
		b.get(callbackPath+"/"+query).want(h, 400, "")
	}
	h.noneAsked()
}

func foreignState(h *house) {
	attacker, victim := h.browser(), h.browser()
	callback := h.idp.away(attacker, h.idp.with(), bob())
	victim.get(callback).want(h, 400, "").says(h, "ookie")
	victim.get("/sign_in")
	// It may be another tab of a browser that has just got its name: it begins again, with
	// nothing of the answer, and not for ever.
	for range 3 {
		victim.get(callback).want(h, 303, "/sign_in?provider=azure-ad")
	}
	victim.get(callback).want(h, 400, "")
	if victim.session() != nil {
		h.Error("signed in as somebody else")
	}
	h.noneAsked()
}

// answersInVain are states that a client has asked for and comes back with, each with a
// code of its own making: every one is a question to the provider, and a write.
func answersInVain(h *house) {
	b := h.browser()
	vain := func() *answer {
		callback := h.idp.away(b, h.idp.with(), nil)
		return b.get(callback)
	}
	answered := 0
	for range 300 {
		if a := vain(); a.status == 429 {
			if a.header.Get("Retry-After") == "" {
				h.Error("nothing says when to come back")
			}
			break
		}
		answered++
	}
	if answered < 100 || answered >= 300 {
		h.Errorf("%d answers were looked at", answered)
	}
	asked := h.idp.away(b, h.idp.with(), bob())
	b.get(asked).want(h, 429, "")
	if b.session() != nil || len(h.idp.codes) != 2 { // the last one in vain, and this
		h.Error("the provider was asked all the same")
	}
	other := h.browser()
	other.client = "198.51.100.7:1234"
	other.get(h.idp.away(other, h.idp.with(), bob())).want(h, 303, home)
	pass(time.Minute)
	b.get(h.idp.away(b, h.idp.with(), bob())).want(h, 303, home)
}

func stateTwice(h *house) {
	b := h.browser()
	callback := h.idp.away(b, h.idp.with()+"?return=/account", bob())
	b.get(callback).want(h, 303, home+"account")
	s := b.session()
	// Back and forth in the browser is no attack: the session goes on.
	b.get(callback).want(h, 303, home+"account")
	if b.session() != s {
		h.Error("another session")
	}
	b.post("/sign_out")
	h.idp.codes["code-"+must(url.Parse(callback))(h.T).Query().Get("state")[:20]] = bob()
	b.get(callback).want(h, 400, "")
	if b.session() != nil {
		h.Error("signed in again")
	}
	h.noneAsked()
}

func oldState(h *house) {
	b := h.browser()
	callback := h.idp.away(b, h.idp.with()+"?return=/account", bob())
	pass(11 * time.Minute)
	b.get(callback).want(h, 400, "").says(h, "/sign_in?return=%2Faccount")
	h.noneAsked()
}

func manyTabs(h *house) {
	b := h.browser()
	const app = "https://app.example.com/"
	var callbacks []string
	for i := range 20 {
		callbacks = append(callbacks,
			h.idp.away(b, h.visiting(app+fmt.Sprint(i))+"&provider=azure-ad", bob()))
	}
	slices.Reverse(callbacks)
	for i, callback := range callbacks {
		s, handoff := h.redeem(b.get(callback))
		if want := app + fmt.Sprint(19-i); handoff.Return != want {
			h.Errorf("lands at %q, want %q", handoff.Return, want)
		}
		if s != b.session() {
			h.Error("another session")
		}
	}
	if n := len(h.sessions.All()); n != 1 {
		h.Errorf("%d sessions", n)
	}
}

func verifiers(h *house) {
	b := h.browser()
	seen := map[string]bool{}
	for range 3 {
		h.idp.away(b, h.idp.with(), bob())
	}
	for state, asked := range h.idp.asked {
		for _, secret := range []string{asked.Nonce, asked.Verifier} {
			if len(secret) != 43 || seen[secret] || strings.Contains(state, secret) {
				h.Errorf("secret %q", secret)
			}
			seen[secret] = true
		}
	}
	for _, value := range b.cookies {
		if seen[value] {
			h.Error("a secret in a cookie")
		}
	}
}

func codeOfAnother(h *house) {
	b := h.browser()
	callback := h.idp.away(b, h.idp.with(), bob())
	clear(h.idp.codes)
	b.get(callback).want(h, 403, "")
	if b.session() != nil {
		h.Error("signed in")
	}
}

func mixUp(h *house) {
	b := h.browser()
	callback := h.idp.away(b, h.idp.with(), bob())
	other := strings.Replace(callback, "azure-ad", "other", 1)
	h.second.codes[must(url.Parse(callback))(h.T).Query().Get("code")] = bob()
	b.get(other).want(h, 400, "")
	if b.session() != nil || len(h.second.codes) == 0 {
		h.Error("the other provider was asked")
	}
}

func notByName(h *house) {
	b := h.browser()
	claims := bob()
	claims.Subject, claims.Name = "tenant/x", "Alice"
	claims.Email, claims.EmailVerified = "alice@example.com", true
	h.idp.signIn(b, claims)
	u := b.session().User()
	if u.ID == h.alice || u.Name != "alice-2" || len(h.account(h.alice).Identities) > 0 {
		h.Errorf("signed in as %+v", u)
	}
	// By an address that is a name, too.
	second := h.browser()
	claims = bob()
	claims.Subject, claims.Name = "tenant/y", "alice@example.com"
	h.idp.signIn(second, claims)
	if u := second.session().User(); u.ID == h.alice || u.Name == "alice@example.com" {
		h.Errorf("signed in as %+v", u)
	}
	// And the same subject at another provider is somebody else.
	third := h.browser()
	h.second.signIn(third, claims)
	if third.session().User().ID == second.session().User().ID {
		h.Error("one account for two providers")
	}
}

func reservedNames(h *house) {
	h.rebuild(func(o *portal.Options) {
		o.Reserved = func(name string) bool { return name == "chief" || name == "bob@example.com" }
		o.Providers[1].NamesTrusted = true
	})
	for i, test := range []struct {
		idp      *provider
		name     string
		verified bool
		want     string
	}{
		{h.idp, "chief", true, "chief-2"},
		{h.idp, "bob@example.com", false, "bob@example.com-2"},
		{h.idp, "bob@example.com", true, "bob@example.com"},
		{h.second, "chief", false, "chief"},
	} {
		claims := bob()
		claims.Subject, claims.Name, claims.EmailVerified = fmt.Sprint(i), test.name, test.verified
		b := test.idp.signIn(h.browser(), claims)
		if got := b.session().User().Name; got != test.want {
			h.Errorf("%s at %s is called %q, want %q", test.name, test.idp.name, got, test.want)
		}
	}
}

func mailDomains(h *house) {
	h.rebuild(func(o *portal.Options) {
		o.LocalUsers = false
		o.Providers[1].EmailDomains = []string{"company.com"}
	})
	b := h.browser()
	for _, login := range []string{
		"attacker@evil.com@company.com", "a@company.com.evil.com", `"a@company.com"@evil`,
		"a@company.com\x00", "a@sub.company.com", "a@cömpany.com", "company.com", "@@company.com",
		`"a"@company.com`, "a@company.com.", "a@company.com,b@evil",
	} {
		b.post("/sign_in", "login", login).want(h, 400, "")
	}
	b.goOn(b.post("/sign_in", "login", "A@COMPANY.COM")).
		want(h, 303, "https://other.example/authorize?…")
}

// recheck lets the time of a recheck come.
func (h *house) recheck() {
	h.Helper()
	pass(2 * time.Minute)
	h.rechecks.Look(h.Context())
	pass(time.Hour)
	h.rechecks.Look(h.Context())
	pass(time.Second)
}

func removed(h *house) {
	b := h.idp.signIn(h.browser(), bob())
	h.idp.err = errors.Join(oidc.ErrRevoked, errors.New("invalid_grant"))
	h.recheck()
	if b.session() != nil {
		h.Error("the session goes on")
	}
	if len(h.idp.askedAgain()) != 1 || h.idp.askedAgain()[0] != "refresh-of-bob" {
		h.Errorf("asked with %q", h.idp.askedAgain())
	}
}

func otherSubject(h *house) {
	b := h.idp.signIn(h.browser(), bob())
	h.idp.refreshed = bob()
	h.idp.refreshed.Subject = "tenant/mallory"
	h.recheck()
	if b.session() != nil {
		h.Error("the session goes on")
	}
}

func linking(h *house) {
	b := h.browser().signIn()
	link := func() string {
		a := b.post("/account/identities", "link", "azure-ad").want(h, 200, "")
		return h.idp.back(b, onward(h, a), bob())
	}
	// It takes the session that asked.
	callback := link()
	stranger := h.browser()
	stranger.cookies["__Host-doorward-browser"] = b.cookies["__Host-doorward-browser"]
	stranger.get(callback).want(h, 400, "")
	callback = link()
	b.signIn()
	b.get(callback).want(h, 400, "")
	if h.directory.ByIdentity("azure-ad", "tenant/bob") != nil {
		h.Fatal("linked without the session")
	}
	b.get(link()).want(h, 303, "/account/identities?done=linked")
	b.get("/account/identities?done=linked").want(h, 200, "").says(h, "bob@example.com")
	if h.directory.ByIdentity("azure-ad", "tenant/bob").View().User.ID != h.alice {
		h.Error("linked to somebody else")
	}
	// From now on bob at the provider is alice.
	other := h.idp.signIn(h.browser(), bob())
	if other.session().User().ID != h.alice {
		h.Error("signed in as somebody else")
	}
	// An identity that is somebody's already is not linked.
	carol := h.browser()
	h.user(user.User{Name: "carol"}, password)
	carol.post("/sign_in", "login", "carol", "password", password).want(h, 303, home)
	a := carol.post("/account/identities", "link", "azure-ad")
	carol.get(h.idp.back(carol, onward(h, a), bob())).want(h, 409, "")
	// And it takes a sign-in of the last minutes, for all of it.
	pass(6 * time.Minute)
	b.post("/account/identities", "unlink", "azure-ad").
		want(h, 303, "/sign_in?fresh=1&return=%2Faccount%2Fidentities")
	b.get("/sign_in?fresh=1&return=%2Faccount%2Fidentities").want(h, 200, "").says(h, "password")
	b.enter("/sign_in?fresh=1&return=%2Faccount%2Fidentities").
		want(h, 303, home+"account/identities")
	b.post("/account/identities", "unlink", "azure-ad").want(h, 200, "")
	if other.session() != nil || len(h.account(h.alice).Identities) > 0 {
		h.Error("the identity is still there")
	}
	if b.session() == nil {
		h.Error("the session that asked has ended")
	}
}

func goneProvider(h *house) {
	b := h.idp.signIn(h.browser(), bob())
	tab := h.browser()
	callback := h.idp.away(tab, h.idp.with(), bob())
	h.rebuild(func(o *portal.Options) { o.Providers = o.Providers[1:] })
	if b.session() != nil {
		h.Error("its session goes on")
	}
	tab.get(callback).want(h, 400, "")
	h.browser().get(h.idp.with()).want(h, 404, "")
	local := h.browser().signIn()
	h.rebuild(func(o *portal.Options) { o.LocalUsers = false })
	if local.session() != nil {
		h.Error("local users live on")
	}
}

func refusalCircle(h *house) {
	b := h.browser()
	callback := must(url.Parse(h.idp.away(b, h.idp.with(), bob())))(h.T)
	q := url.Values{"error": {"login_required"}, "state": callback.Query()["state"]}
	a := b.get(callbackPath+"?"+q.Encode()).want(h, 403, "")
	if a.header.Get("Refresh") != "" || strings.Contains(a.body, "http-equiv") {
		h.Error("the page goes on by itself")
	}
}
