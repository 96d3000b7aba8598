package stats

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"go.uber.org/zap"
)

// PageOptions describes a Page.
type PageOptions struct {
	// Sampler gives what is shown; it must be there.
	Sampler *Sampler
	// Steward does what the buttons ask for. With nil, or without Actions, there are
	// none, and what asks all the same gets 403.
	Steward Steward
	Actions bool
	// Users are those who may see the page, name = password. Empty: no password is
	// asked for, and whoever routes requests here has to know who may.
	Users map[string]string
	// Listeners is how many pages may be live at a time; 0 is 64. The others stand
	// still and are fetched anew by hand.
	Listeners int
	// Log is told of refused buttons and of mistakes of the page itself; with nil,
	// only panics are written, to standard error.
	Log *zap.Logger
}

// Page is the page for people, with its event stream, its files and its buttons,
// and beside it the CSV and the JSON. It answers on a host of its own:
//
//	/                       the page; ?filter=WORDS and ?up=hide leave rows out
//	/;csv  /haproxy?stats;csv   as CSV, where exporters look for it
//	/;json /haproxy?stats;json  as JSON
//	/events                 what changes, once a second, as server-sent events
//	/servers                POST: a button
//	/assets/...             style, script and icon under names that change with them
//
// Text from outside reaches a browser through html/template or as JSON that the
// script sets as text, never as markup.
type Page struct {
	sampler *Sampler
	steward Steward
	actions bool
	gate    *gate
	hub     *hub
	files   *assets
	secret  []byte // signs the tokens of forms; a new one for each Page
	// stamp tells this Page from another one, with other buttons and tokens, in the
	// same place: browsers that show that one fetch this one.
	stamp  string
	origin *http.CrossOriginProtection
	log    *zap.Logger
}

// NewPage makes a Page. Its event streams end when ctx is done.
func NewPage(ctx context.Context, o PageOptions) *Page {
	if o.Listeners == 0 {
		o.Listeners = 64
	}
	log := o.Log
	if log == nil {
		log = zap.NewNop()
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	stamp := rand.Text()
	return &Page{
		sampler: o.Sampler, steward: o.Steward,
		actions: o.Actions && o.Steward != nil,
		gate:    newGate(o.Users),
		hub:     newHub(ctx, o, stamp),
		files:   newAssets(),
		secret:  secret,
		stamp:   stamp,
		origin:  http.NewCrossOriginProtection(),
		log:     log,
	}
}

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	user, ok := p.gate.admit(w, r)
	if !ok {
		return
	}
	path, options := view(r.URL)
	switch {
	case path == "/servers":
		p.act(w, r, user)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed)
	case path == "/" && slices.Contains(options, "csv"):
		p.sampler.ServeCSV(w, r)
	case path == "/" && slices.Contains(options, "json"):
		p.sampler.ServeJSON(w, r)
	case path == "/":
		p.show(w, shown{status: http.StatusOK, user: user, filter: filterOf(r.URL.Query())})
	case path == "/events":
		p.hub.serve(w, r)
	case strings.HasPrefix(path, assetPath):
		p.files.serve(w, strings.TrimPrefix(path, assetPath))
	default:
		refuse(w, http.StatusNotFound)
	}
}

// view splits a URL as HAProxy's page has them: options follow the path or the
// word "stats", each after a semicolon.
func view(u *url.URL) (path string, options []string) {
	path, rest, _ := strings.Cut(u.Path, ";")
	query := u.RawQuery
	if path == "/haproxy" {
		path = "/"
	}
	if after, ok := strings.CutPrefix(query, "stats;"); ok {
		rest += ";" + after
	}
	return path, strings.Split(rest, ";")
}

// secure sets the headers that every answer has.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; "+
		"img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "+
		"base-uri 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	// Not "no-referrer": with that, browsers send "Origin: null" with forms, which
	// cannot be told from the form of a stranger where they send no Sec-Fetch-Site.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// refuse answers with a status and its name alone.
func refuse(w http.ResponseWriter, status int) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(http.StatusText(status) + "\n"))
}

// shown is what a request decides of the page.
type shown struct {
	status int
	user   string
	filter filter
	flash  string // what went wrong with a button
}

func filterOf(q url.Values) filter {
	return filter{Text: q.Get("filter"), HideUp: q.Get("up") == "hide"}
}

// address is where the page shows what the filter leaves.
func (f filter) address() string {
	q := url.Values{}
	if f.Text != "" {
		q.Set("filter", f.Text)
	}
	if f.HideUp {
		q.Set("up", "hide")
	}
	if len(q) == 0 {
		return "/"
	}
	return "/?" + q.Encode()
}

var pageTemplate = template.Must(template.ParseFS(templates, "templates/*.html"))

func (p *Page) show(w http.ResponseWriter, s shown) {
	picture, history := p.sampler.Picture(), p.sampler.History()
	m := newModel(&picture, &history, p.stamp)
	m.apply(s.filter)
	m.Asset, m.Flash, m.Refresh = p.files.address, s.flash, s.filter.address()
	if m.Actions = p.actions; m.Actions {
		m.Token = p.token(s.user)
	}
	var body bytes.Buffer
	if err := pageTemplate.ExecuteTemplate(&body, "page.html", m); err != nil {
		p.log.Error("stats page", zap.Error(err))
		refuse(w, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(s.status)
	_, _ = body.WriteTo(w)
}

// token is what a form must bring along. It is bound to the process and the user,
// so a page of somebody else cannot know it.
func (p *Page) token(user string) string {
	mac := hmac.New(sha256.New, p.secret)
	mac.Write([]byte("servers\x00" + user))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// clientOf is the client's address without its port.
func clientOf(r *http.Request) netip.Addr {
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return at.Addr().Unmap()
	}
	addr, _ := netip.ParseAddr(r.RemoteAddr)
	return addr.Unmap()
}
