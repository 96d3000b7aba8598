package portal_test

import (
	"strings"
	"time"

	"doorward/auth/directory"
	"doorward/auth/portal"
)

func formAttacks() []attack {
	return []attack{
		{"CSRF-01_login", foreignLogin},
		{"CSRF-02_no_way_around", noWayAround},
		{"CSRF-03_sign_out_asks", signOutAsks},
		{"CSRF-04_account", foreignForms},
		{"CSRF-06_no_other_origin_reads", noCORS},
		{"CSRF-07_sibling_hosts_are_foreign", siblings},
		{"LOC-01_one_answer_for_all", oneAnswer},
		{"LOC-13_forms", strangeForms},
		{"LOC-27_links_are_of_the_configuration", linkHosts},
		{"LOC-32_password_change", passwordChange},
		{"UI-01_scripts_in_what_visitors_send", scripts},
		{"UI-04_frames", frames},
		{"UI-06_head", heads},
		{"UI-07_assets", assets},
	}
}

// forms are all that change something, each with fields that would do it.
func forms() map[string][]string {
	return map[string][]string{
		"/sign_in":          {"login", "alice", "password", password},
		"/sign_in/password": {"new", "x"},
		"/sign_out":         {},
		"/account":          {"locale", "de"},
		"/account/sessions": {"end", "others"},
		"/account/tokens":   {"title", "x", "days", "0"},
		"/account/password": {"current", password, "new", "an entirely other phrase", "again",
			"an entirely other phrase"},
		"/account/identities": {"link", "azure-ad"},
		"/setup":              {"code", "x"},
		"/consent":            {"answer", "accept"},
	}
}

// refused checks that all forms are refused from a browser with these fields.
func refused(h *house, header map[string]string) {
	h.Helper()
	b := h.browser().signIn()
	h.browser().signIn()
	before := h.account(h.alice).Epoch
	b.header = header
	for path, fields := range forms() {
		b.post(path, fields...).want(h, 403, "")
		b.post(path+"?x=y", fields...).want(h, 403, "")
	}
	if b.session() == nil || h.account(h.alice).Epoch != before || len(h.sessions.All()) != 2 ||
		h.account(h.alice).Locale != "" || len(h.directory.Tokens(h.alice)) > 0 {
		h.Error("something was changed")
	}
}

func foreignLogin(h *house) {
	b := h.browser()
	for _, header := range []map[string]string{
		{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
		{"Sec-Fetch-Site": "", "Origin": "null"}, {"Sec-Fetch-Site": "none of these"},
	} {
		b.header = header
		b.enter("/sign_in").want(h, 403, "")
		if len(h.sessions.All()) > 0 {
			h.Errorf("signed in with %v", header)
		}
	}
}

func noWayAround(h *house) {
	b := h.browser().signIn()
	b.header["Sec-Fetch-Site"] = "cross-site"
	for _, path := range []string{"/account/", "//account", "/./account", "/assets/../account",
		"/account/x/.."} {
		if a := b.post(path, "locale", "de"); a.status < 400 {
			h.Errorf("%s: answered %d", path, a.status)
		}
	}
	b.header["X-HTTP-Method-Override"] = "POST"
	b.get("/account?locale=de").want(h, 200, "")
	if h.account(h.alice).Locale != "" {
		h.Error("the account was changed")
	}
}

func signOutAsks(h *house) {
	b := h.browser().signIn()
	for range 2 {
		b.get("/sign_out").want(h, 200, "").says(h, `action="/sign_out`)
	}
	if b.session() == nil {
		h.Fatal("signed out by a GET")
	}
	s := b.session()
	ticket := must(h.sessions.Ticket(h.Context(), s, appHost))(h.T)
	b.post("/sign_out").want(h, 200, "")
	if s.Valid() || h.sessions.Find([]byte(ticket), []byte(appHost)) != nil ||
		b.cookies["__Host-doorward"] != "" {
		h.Error("not signed out everywhere")
	}
	b.post("/sign_out").want(h, 200, "")
}

func foreignForms(h *house) {
	for _, header := range []map[string]string{
		{"Sec-Fetch-Site": "cross-site"},
		{"Sec-Fetch-Site": "", "Origin": "null"},
		{"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
		{"Sec-Fetch-Site": "", "Origin": ""},
	} {
		refused(h, header)
		for _, s := range h.sessions.All() {
			h.sessions.End(h.Context(), s, "next case")
		}
	}
	b := h.browser().signIn()
	for _, kind := range []string{"text/plain", "application/json",
		"multipart/form-data; boundary=x", ""} {
		b.send("POST", "/account", strings.NewReader("locale=de"), kind).want(h, 400, "")
	}
}

func noCORS(h *house) {
	b := h.browser().signIn()
	for _, origin := range []string{"https://evil.example", "null",
		"https://login.example.com.evil"} {
		b.header["Origin"] = origin
		for _, path := range []string{"/whoami", "/account", "/sign_in"} {
			for name := range b.get(path).header {
				if strings.HasPrefix(name, "Access-Control-") {
					h.Errorf("%s for %s: %s", path, origin, name)
				}
			}
		}
		b.send("OPTIONS", "/account", nil, "").want(h, 405, "")
	}
}

func siblings(h *house) {
	refused(h, map[string]string{"Sec-Fetch-Site": "same-site",
		"Origin": "https://other.example.com"})
}

func oneAnswer(h *house) {
	var before *answer
	for _, login := range []string{"alice", "mallory", "alice@example.com", "ALICE"} {
		a := h.browser().post("/sign_in", "login", login, "password", "a wrong one, of course")
		a.body = strings.ReplaceAll(a.body, login, "NAME")
		if before != nil && (a.status != before.status || a.body != before.body ||
			len(a.cookies) != len(before.cookies)) {
			h.Errorf("%s: %d %s\nbefore: %s", login, a.status, a.body, before.body)
		}
		before = a
	}
}

func strangeForms(h *house) {
	b := h.browser()
	form := "application/x-www-form-urlencoded"
	for body, kind := range map[string]string{
		"": form, "login=alice": form, "login=alice&password=": form, "password=x": form,
		"login=alice&login=mallory&password=x": form, "login=alice&password=x&password=y": form,
		"login[]=alice&password[]=" + password: form, "login=%zz&password=x": form,
		`{"login":"alice","password":"` + password + `"}`: "application/json",
		"login=alice;password=x":                          form,
		"login=alice&password=" + password:                "text/plain",
		"login=alice&password=y":                          form + ", text/plain",
		"login=alice&password=z":                          "",
		"--x\r\n\r\n--x--":                                "multipart/form-data; boundary=x",
	} {
		a := b.send("POST", "/sign_in", strings.NewReader(body), kind)
		if a.status != 400 {
			h.Errorf("%q as %q: answered %d", body, kind, a.status)
		}
	}
	huge := strings.NewReader("login=alice&password=" + strings.Repeat("x", 1<<20))
	b.send("POST", "/sign_in", huge, form).want(h, 413, "")
	if read := 1<<20 - huge.Len(); read > 65<<10+32 {
		h.Errorf("%d bytes were read", read)
	}
	if len(h.sessions.All()) > 0 {
		h.Error("signed in")
	}
}

func linkHosts(h *house) {
	secret := must(h.directory.CreateLink(h.Context(), directory.Link{
		Purpose: portal.InvitePurpose, UserID: h.alice, Expires: time.Now().Add(time.Hour),
	}))(h.T)
	b := h.browser()
	b.header["X-Forwarded-Host"] = "evil.example"
	b.header["Forwarded"] = "host=evil.example;proto=http"
	for _, path := range []string{"/setup?code=" + secret, "/sign_in", "/none"} {
		if a := b.get(path); strings.Contains(a.body+a.location, "evil.example") {
			h.Errorf("%s: %s", path, a.body)
		}
	}
	b.host = "evil.example"
	b.get("/setup?code="+secret).want(h, 404, "")
}

func passwordChange(h *house) {
	b := h.browser().signIn()
	const next = "an entirely other phrase"
	for _, test := range []struct {
		current, new, again string
		status              int
	}{
		{"", next, next, 403},
		{"wrong", next, next, 403},
		{password, "short", "short", 400},
		{password, "passwordpassword", "passwordpassword", 400},
		{password, next, next + "x", 400},
		{password, "", "", 400},
		{password, password, password, 400},
	} {
		a := b.post("/account/password", "current", test.current, "new", test.new, "again",
			test.again)
		if a.status != test.status {
			h.Errorf("%+v: answered %d", test, a.status)
		}
	}
	h.browser().signIn()
	// Who has no password has no such page: it would be a way past the provider.
	c := h.idp.signIn(h.browser(), bob())
	c.get("/account/password").want(h, 404, "")
	c.post("/account/password", "new", next, "again", next).want(h, 404, "")
}

func scripts(h *house) {
	b := h.browser()
	const script = `"><script>alert(1)</script>`
	b.header["User-Agent"] = script
	b.post("/sign_in", "login", script, "password", "x").want(h, 403, "")
	for _, a := range []*answer{
		b.post("/sign_in", "login", script, "password", ""),
		b.get("/none/%22%3E%3Cscript%3Ealert(1)%3C/script%3E"),
		b.signIn().get("/account/sessions"),
		b.get("/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"),
	} {
		if strings.Contains(a.body, "<script>alert") {
			h.Errorf("a script in %s", a.body)
		}
	}
}

func frames(h *house) {
	b := h.browser()
	for range 2 {
		for _, path := range []string{"/sign_in?another=1", "/sign_out", "/none", "/account"} {
			a := b.get(path)
			if a.status == 303 {
				continue
			}
			if a.header.Get("X-Frame-Options") != "DENY" ||
				!strings.Contains(a.header.Get("Content-Security-Policy"),
					"frame-ancestors 'none'") {
				h.Errorf("%s: %v", path, a.header)
			}
		}
		b.signIn()
	}
}

func heads(h *house) {
	b := h.browser().signIn()
	b.header["If-None-Match"], b.header["Range"] = "*", "bytes=0-0"
	b.get("/account").want(h, 200, "").says(h, "alice")
	b.send("HEAD", "/account", nil, "").want(h, 200, "")
}

func assets(h *house) {
	b := h.browser()
	for _, path := range []string{"/assets/../config.toml", "/assets/%2e%2e/portal.go",
		"/assets/..%5cx",
		"/assets//etc/passwd", "/assets/", "/assets"} {
		if a := b.get(path); a.status != 404 {
			h.Errorf("%s: answered %d", path, a.status)
		}
	}
}
