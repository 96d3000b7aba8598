package entratest

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// asked is a request to sign in that names an app and a place to go back to.
type asked struct {
	base, tenant string // tenant is empty where several may sign in
	app          *App
	redirect     string
	mode, state  string
	nonce, scope string
	challenge    string
	method       string
	prompt, hint string
}

// grant is what a person lets an app do: a code, a refresh or an access token.
type grant struct {
	*asked
	account *account
	session *session
	scopes  []string
	epoch   int
	made    time.Time
	expires time.Time
	used    bool
}

// session is a browser that is signed in.
type session struct {
	id      string
	account *account
	mfa     bool
	since   time.Time
	apps    []*App
}

// authorize answers the authorization endpoint: with a page, or with a redirect
// back to the app.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, no := s.ask(r)
	if no != nil {
		s.refusePage(w, no)
		return
	}
	if no := q.check(r.URL.Query()); no != nil {
		s.back(w, r, q, no.values(s))
		return
	}
	s.signIn(w, r, q)
}

// ask reads a request up to where answers may be sent to. Before that is known,
// errors are pages: a redirect would make an open redirector of the provider.
func (s *Server) ask(r *http.Request) (*asked, *refusal) {
	v := r.URL.Query()
	id, known := s.tenantID(r.PathValue("tenant"))
	if !known {
		return nil, noTenant(r.PathValue("tenant"))
	}
	q := &asked{
		base: base(r), tenant: id, app: s.app(v.Get("client_id")), redirect: v.Get("redirect_uri"),
		mode: v.Get("response_mode"), state: markup.ReplaceAllString(v.Get("state"), ""),
		nonce: v.Get("nonce"), scope: v.Get("scope"), challenge: v.Get("code_challenge"),
		method: v.Get("code_challenge_method"), prompt: v.Get("prompt"), hint: v.Get("login_hint"),
	}
	if no := s.admit(q, v.Get("client_id")); no != nil {
		return nil, no
	}
	if !q.app.redirects(q.redirect) {
		return nil, &refusal{number: 50011, text: "The redirect URI '" + q.redirect +
			"' specified in the request does not match the redirect URIs configured for the" +
			" application '" + q.app.ClientID + "'."}
	}
	if !slices.Contains([]string{"", "query", "fragment", "form_post"}, q.mode) {
		return nil, &refusal{number: 90023,
			text: "Unsupported 'response_mode' value '" + q.mode + "'."}
	}
	if q.prompt == "select_account" && q.hint != "" {
		return nil, &refusal{number: 90023,
			text: "'login_hint' cannot be used together with 'prompt=select_account'."}
	}
	return q, nil
}

func noTenant(name string) *refusal {
	return &refusal{number: 90002, kind: "invalid_request",
		text: "Tenant '" + name + "' not found."}
}

// markup is what Entra takes out of a state.
var markup = regexp.MustCompile(`<[^>]*>`)

// admit says whether the app is known where it asks.
func (s *Server) admit(q *asked, clientID string) *refusal {
	switch {
	case q.app == nil, q.tenant != "" && !q.app.Multi && q.app.Tenant != q.tenant:
		return &refusal{number: 700016, kind: "unauthorized_client", text: "Application with" +
			" identifier '" + clientID + "' was not found in the directory."}
	case q.tenant == "" && !q.app.Multi:
		return &refusal{number: 50194, kind: "invalid_request", text: "Application '" + clientID +
			"' is not configured as a multi-tenant application. Usage of the /common endpoint" +
			" is not supported for such applications."}
	}
	return nil
}

// redirects says whether an app may be gone back to at an address: one that is
// registered letter by letter, but for the port of localhost.
func (a *App) redirects(address string) bool {
	return slices.ContainsFunc(a.RedirectURIs, func(registered string) bool {
		return address == registered || address+"/" == registered && noPath(address) ||
			address != "" && noPort(address) == noPort(registered)
	})
}

func noPath(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Path == "" && u.RawQuery == ""
}

// noPort is an address of localhost without its port, any other as it is.
func noPort(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || u.Port() == "" {
		return address
	}
	if name := u.Hostname(); name == "localhost" || name == "127.0.0.1" {
		return strings.Replace(address, ":"+u.Port(), "", 1)
	}
	return address
}

// check finds what the app did wrong that it may be told itself.
func (q *asked) check(v url.Values) *refusal {
	for name, values := range v {
		if len(values) > 1 {
			return &refusal{number: 90023, kind: "invalid_request",
				text: "The parameter '" + name + "' is given more than once."}
		}
	}
	switch kind := v.Get("response_type"); {
	case kind != "code":
		return &refusal{number: 700054, kind: "unsupported_response_type",
			text: "response_type '" + kind + "' is not enabled for the application."}
	case q.scope == "":
		return &refusal{number: 900144, kind: "invalid_request",
			text: "The request body must contain the following parameter: 'scope'."}
	case q.challenge != "" && q.method != "S256" && q.method != "plain" && q.method != "":
		return &refusal{number: 501491, kind: "invalid_request",
			text: "Invalid code_challenge_method."}
	case q.challenge != "" && (len(q.challenge) < 43 || len(q.challenge) > 128):
		return &refusal{number: 501491, kind: "invalid_request",
			text: "Invalid size of Code_Challenge parameter."}
	}
	return nil
}

// back sends the browser to the app with values, as the app wants them.
func (s *Server) back(w http.ResponseWriter, r *http.Request, q *asked, v url.Values) {
	if q.state != "" {
		v.Set("state", q.state)
	}
	w.Header().Set("Cache-Control", "no-store, no-cache")
	switch q.mode {
	case "form_post":
		s.page(w, http.StatusOK, view{Kind: "callback", Action: q.redirect, Hidden: v})
	case "fragment":
		http.Redirect(w, r, q.redirect+"#"+v.Encode(), http.StatusFound)
	default:
		between := "?"
		if strings.Contains(q.redirect, "?") {
			between = "&"
		}
		http.Redirect(w, r, q.redirect+between+v.Encode(), http.StatusFound)
	}
}
