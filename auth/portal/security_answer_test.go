package portal_test

import (
	"net/url"
	"strings"

	"doorward/auth/oidc"
)

func answerAttacks() []attack {
	return []attack{
		{"OIDC-32_scripts_in_errors", scriptsInErrors},
		{"OIDC-33_modes_and_duplicates", responseModes},
		{"OIDC-34_forged_host", forgedCallback},
		{"OIDC-35_nothing_secret_in_logs", secretsInLogs},
		{"OIDC-38_logout_by_picture", logoutByPicture},
		{"COOK-09_front_channel_by_sid_alone", frontChannel},
		{"COOK-09_back_channel", backChannel},
	}
}

func scriptsInErrors(h *house) {
	b := h.browser()
	state := must(url.Parse(h.idp.away(b, h.idp.with(), bob())))(h.T).Query().Get("state")
	const script = "<script>alert(1)</script>"
	q := url.Values{"error": {script}, "error_description": {"<img src=x onerror=alert(1)>"}}
	a := b.get(callbackPath+"?"+q.Encode()).want(h, 400, "")
	if strings.Contains(a.body, "alert(1)") {
		h.Error("an answer without a state is shown")
	}
	q.Set("state", state)
	a = b.get(callbackPath+"?"+q.Encode()).want(h, 403, "").says(h, "&lt;script&gt;alert(1)")
	csp := a.header.Get("Content-Security-Policy")
	if strings.Contains(a.body, script) || strings.Contains(a.body, "<img src=x") ||
		!strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		h.Errorf("with policy %q: %s", csp, a.body)
	}
}

func responseModes(h *house) {
	b := h.browser()
	callback := must(url.Parse(h.idp.away(b, h.idp.with(), bob())))(h.T)
	q := callback.Query()
	b.post(callbackPath, "code", q.Get("code"), "state", q.Get("state")).want(h, 405, "")
	for _, more := range []string{"&code=other", "&state=other", "&error=x", "&x=1&x=2",
		"&x=" + strings.Repeat("A", 1<<20)} {
		b.get(callback.String()+more).want(h, 400, "")
	}
	h.noneAsked()
	// What providers add on their own is no harm.
	b.get(callback.String()+"&session_state=y&client_info=z").want(h, 303, home)
}

func forgedCallback(h *house) {
	b := h.browser()
	b.header["X-Forwarded-Host"] = "evil.example"
	b.get(h.idp.with())
	b.host = "LOGIN.example.com:443"
	b.get(h.idp.with()).want(h, 303, "https://azure-ad.example/…")
	for _, asked := range h.idp.asked {
		if asked.RedirectURL != home+"source/oauth/callback/azure-ad" {
			h.Errorf("the redirect URI is %q", asked.RedirectURL)
		}
	}
	b.host = "evil.example"
	b.get(h.idp.with()).want(h, 404, "")
}

func secretsInLogs(h *house) {
	b := h.browser()
	callback := h.idp.away(b,
		h.visiting("https://app.example.com/private?token=1")+"&provider=azure-ad", bob())
	q := must(url.Parse(callback))(h.T).Query()
	a := b.get(callback)
	code := must(url.Parse(a.location))(h.T).Query().Get("code")
	h.browser().get(callback) // refused, with a line in the log
	b.get(callbackPath + "?error=x&state=" + q.Get("state"))
	pass(1)
	asked := h.idp.asked[q.Get("state")]
	for _, line := range h.logs.All() {
		text := line.Message
		for _, field := range line.Context {
			text += " " + field.String
			if err, ok := field.Interface.(error); ok {
				text += " " + err.Error()
			}
		}
		for _, secret := range []string{q.Get("code"), q.Get("state"), code, asked.Nonce,
			asked.Verifier, b.cookies["__Host-doorward"], b.cookies["__Host-doorward-browser"],
			"refresh-of-bob", "id-token-of-bob", "token=1"} {
			if strings.Contains(text, secret) {
				h.Errorf("the log says %q", text)
			}
		}
	}
	for _, path := range []string{"/sign_in", "/", callbackPath + "?x", "/none"} {
		if got := b.get(path).header.Get("Referrer-Policy"); got != "no-referrer" {
			h.Errorf("%s: Referrer-Policy %q", path, got)
		}
	}
}

func logoutByPicture(h *house) {
	b := h.browser().signIn()
	b.header["Sec-Fetch-Site"], b.header["Sec-Fetch-Dest"] = "cross-site", "image"
	b.get("/sign_out").want(h, 200, "")
	b.get("/source/oauth/frontchannel/azure-ad").want(h, 400, "")
	b.get("/source/oauth/frontchannel/azure-ad?sid=guess").want(h, 200, "")
	if b.session() == nil {
		h.Error("signed out")
	}
}

func frontChannel(h *house) {
	b, second := h.idp.signIn(h.browser(), bob()), h.browser().signIn()
	frame := h.browser()
	frame.header["Sec-Fetch-Site"] = "cross-site"
	const at = "/source/oauth/frontchannel/"
	frame.get(at+"other?sid=sid-of-bob").want(h, 200, "")
	frame.get(at+"azure-ad?sid=sid-of-bob&sid=x").want(h, 400, "")
	frame.get(at+"nobody?sid=sid-of-bob").want(h, 404, "")
	if b.session() == nil {
		h.Fatal("signed out by others")
	}
	a := frame.get(at+"azure-ad?sid=sid-of-bob").want(h, 200, "")
	if b.session() != nil || second.session() == nil {
		h.Error("not the session that was meant")
	}
	if csp := a.header.Get("Content-Security-Policy"); a.header.Get("X-Frame-Options") != "" ||
		!strings.Contains(csp, "frame-ancestors https://azure-ad.example") ||
		a.header.Get("Cache-Control") != "no-store" || len(a.cookies) > 0 {
		h.Errorf("answered with %v", a.header)
	}
	for range 1000 {
		if frame.get(at+"azure-ad?sid=guess").status == 429 {
			return
		}
	}
	h.Error("1000 guesses")
}

func backChannel(h *house) {
	const at = "/source/oauth/backchannel/azure-ad"
	server := h.browser() // a program: no cookies, no Origin
	server.header["Sec-Fetch-Site"] = ""
	first, second := h.idp.signIn(h.browser(), bob()), h.idp.signIn(h.browser(), bob())
	h.idp.tokens["by-subject"] = oidc.LogoutToken{Subject: "tenant/bob", ID: "1"}
	h.idp.tokens["by-sid"] = oidc.LogoutToken{Subject: "tenant/bob", SID: "another", ID: "2"}
	server.post(at, "logout_token", "forged").want(h, 400, "").says(h, "invalid_request")
	server.post(at, "logout_token", "by-sid", "logout_token", "by-subject").want(h, 400, "")
	server.post(at).want(h, 400, "")
	server.get(at+"?logout_token=by-subject").want(h, 405, "")
	server.post("/source/oauth/backchannel/nobody", "logout_token", "by-sid").want(h, 404, "")
	server.post(at, "logout_token", "by-sid").want(h, 200, "")
	if first.session() == nil || second.session() == nil {
		h.Fatal("signed out by another's sid")
	}
	a := server.post(at, "logout_token", "by-subject").want(h, 200, "")
	if first.session() != nil || second.session() != nil ||
		a.header.Get("Cache-Control") != "no-store" {
		h.Error("not signed out")
	}
	h.idp.signIn(first, bob())
	server.post(at, "logout_token", "by-subject").want(h, 400, "")
	if first.session() == nil {
		h.Error("a token that was used signs out again")
	}
}
