package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed icons/*.svg
var iconFiles embed.FS

// pageNames are the pages, each in a template file of that name.
var pageNames = []string{
	"sign_in", "sign_out", "signed_out", "portal", "account", "sessions", "tokens",
	"password", "identities", "consent", "setup", "continue", "message",
}

// newSheets parses the templates: one set for each page, so that each can define
// its content.
func newSheets() (map[string]*template.Template, error) {
	base, err := template.ParseFS(templateFiles,
		"templates/layout.html", "templates/account_parts.html")
	if err != nil {
		return nil, err
	}
	sheets := map[string]*template.Template{}
	for _, name := range pageNames {
		set, err := base.Clone()
		if err != nil {
			return nil, err
		}
		if sheets[name], err = set.ParseFS(templateFiles, "templates/"+name+".html"); err != nil {
			return nil, err
		}
	}
	return sheets, nil
}

// newIcons are pictures that stand in the page itself, so that they have its
// colours. They are ours: nothing from outside is ever taken for markup.
func newIcons() (map[string]template.HTML, error) {
	entries, err := fs.ReadDir(iconFiles, "icons")
	if err != nil {
		return nil, err
	}
	icons := map[string]template.HTML{}
	for _, entry := range entries {
		data, err := iconFiles.ReadFile("icons/" + entry.Name())
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(entry.Name(), path.Ext(entry.Name()))
		icons[name] = template.HTML(bytes.TrimSpace(data))
	}
	return icons, nil
}

// answer is a page to be written.
type answer struct {
	name   string
	title  string // the key of the title; empty is the one of the name
	status int
	frame  *Frame
	view   any
	// alone is a page of one card, without a menu.
	alone bool
	// watch lets the script ask our host.
	watch   bool
	without Without
	wait    time.Duration
}

// sheet makes what the templates see of an answer.
func (p *Pages) sheet(r *http.Request, a answer) *sheet {
	s := &sheet{Frame: a.frame, V: a.view, Brand: &p.brand, Alone: a.alone, pages: p,
		name: a.name, without: a.without, now: p.now(), query: r.URL.Query()}
	s.tongue, s.Chosen = p.tongues.choose(r, s.query, a.frame.Locale)
	s.Lang = s.tongue.tag
	if a.title == "" {
		a.title = a.name + ".title"
	}
	s.Title = s.Say(a.title)
	return s
}

// write renders a page and sends it as a whole: a mistake in a template leaves no
// half of one behind.
func (p *Pages) write(w http.ResponseWriter, r *http.Request, a answer) {
	var body bytes.Buffer
	if err := p.sheets[a.name].ExecuteTemplate(&body, "layout", p.sheet(r, a)); err != nil {
		panic(fmt.Sprintf("auth/page: %s: %v", a.name, err))
	}
	h := w.Header()
	secure(h, a)
	h.Set("Content-Type", "text/html; charset=utf-8")
	send(w, r, a, body.Bytes())
}

func send(w http.ResponseWriter, r *http.Request, a answer, body []byte) {
	h := w.Header()
	h.Set("Content-Length", strconv.Itoa(len(body)))
	wait := a.wait
	for _, problem := range a.frame.Problems {
		wait = max(wait, problem.Wait)
	}
	if wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// secure sets the headers that every page has (UI-01, UI-04, UI-05).
func secure(h http.Header, a answer) {
	policy := "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
	if a.watch {
		policy += "connect-src 'self'; "
	}
	policy += "form-action 'self'"
	for _, lead := range a.frame.Leads {
		if origin := originOf(lead); origin != "" {
			policy += " " + origin
		}
	}
	if !a.frame.Framed { // what may be framed has nothing to click but a way out
		policy += "; frame-ancestors 'none'"
		h.Set("X-Frame-Options", "DENY")
	}
	h.Set("Content-Security-Policy", policy+"; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// originOf is the origin of an address as a policy names it, "" when it has none
// that could stand there.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	const fine = "abcdefghijklmnopqrstuvwxyz0123456789.-:[]"
	host := strings.ToLower(u.Host)
	if strings.Trim(host, fine) != "" {
		return ""
	}
	return u.Scheme + "://" + host
}

// wantsHTML tells browsers from programs: every browser names HTML when it opens a
// page, and hardly anything else does.
func wantsHTML(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept") {
		line = strings.ToLower(line)
		if strings.Contains(line, "text/html") || strings.Contains(line, "application/xhtml") {
			return true
		}
	}
	return false
}

// plain writes a message for those who do not read HTML.
func (p *Pages) plain(w http.ResponseWriter, r *http.Request, m *Message, a answer) {
	s := p.sheet(r, a)
	var b strings.Builder
	b.WriteString(s.Title + "\n\n")
	for _, piece := range s.Told() {
		b.WriteString(piece.Text)
	}
	b.WriteString("\n")
	line := func(label, value string) {
		if value != "" {
			b.WriteString("\n" + label + ": " + oneLine(value))
		}
	}
	line(s.Say("message.rule"), m.Rule)
	line(s.Say("message.missing_any"), s.List(m.Missing))
	line(s.Say("message.detail"), m.Detail)
	line(s.Say("message.request"), m.RequestID)
	b.WriteString("\n")
	secure(w.Header(), a)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	send(w, r, a, []byte(b.String()))
}

// oneLine is a text without what terminals and logs would take for more than text.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}
