package auth

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"doorward/auth/cookie"
	"doorward/auth/page"
	"doorward/auth/session"
	"doorward/internal/gate"
)

// asker is what kind of request it is, as far as it matters to how it is turned away.
type asker uint8

const (
	program asker = iota // a script, a stream, a program: it can follow no redirect
	visit                // somebody goes to a page
	frame                // a page within another one is loaded
	form                 // somebody sends a form
)

// askerOf tells what a request is. Browsers say it themselves (Fetch Metadata); of those
// that do not, only who wants a page and changes nothing is somebody at a page.
func askerOf(q *gate.Question) asker {
	if q.GRPC || q.Upgrade != nil || accepts(q.Fields, "text/event-stream") {
		return program
	}
	safe := string(q.Method) == http.MethodGet || string(q.Method) == http.MethodHead
	if mode, ok := q.Fields.Field("sec-fetch-mode", 0); ok {
		if string(mode) != "navigate" {
			return program
		}
	} else if by, ok := q.Fields.Field("x-requested-with", 0); ok &&
		bytes.EqualFold(by, []byte("XMLHttpRequest")) || !accepts(q.Fields, "text/html") {
		return program
	}
	dest, told := q.Fields.Field("sec-fetch-dest", 0)
	switch {
	case told && string(dest) != "document":
		return frame
	case !safe:
		return form
	default:
		return visit
	}
}

func accepts(fields gate.Fields, media string) bool {
	for n := 0; ; n++ {
		value, more := fields.Field("accept", n)
		if !more {
			return false
		}
		if bytes.Contains(bytes.ToLower(value), []byte(media)) {
			return true
		}
	}
}

// challenge is the answer to those who are nobody.
func (g *Gate) challenge(q *gate.Question, c cookie.Found) gate.Verdict {
	kind, at := askerOf(q), g.d.placeOf(q)
	// A ticket that is none any more is taken away where a new one is on its way.
	drop := hopeless(c) || c.Given && kind == visit
	browser := isBrowser(q.Fields)
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if drop {
			g.d.giveTicket(w, at.host, "")
		}
		unstored(w)
		w.Header().Set("Vary", "Cookie, Accept, Authorization, Sec-Fetch-Mode, Sec-Fetch-Dest")
		g.invite(w, r, at, kind, browser)
	})
	if kind == visit {
		return gate.Verdict{Answer: answer}
	}
	return gate.Verdict{Answer: answer, Status: http.StatusUnauthorized}
}

// hopeless tells whether a cookie can never be a ticket, so that there is no doubt about
// taking it away: one that merely is no session may be about to be replaced by another
// tab.
func hopeless(c cookie.Found) bool { return c.Given && !session.Plausible(c.Value()) }

// invite tells somebody how to sign in.
func (g *Gate) invite(w http.ResponseWriter, r *http.Request, at place, kind asker, browser bool) {
	id := cookie.Bind(w, r)
	switch kind {
	case visit:
		w.Header().Set("Location", g.d.start(id, at.address(), "provider", g.o.Provider))
		w.WriteHeader(http.StatusFound)
	case frame:
		g.demand(w, at, "", browser)
		g.d.Pages.Message(w, r, http.StatusUnauthorized, page.Message{
			Frame: page.Frame{SignIn: g.d.signIn, Framed: true}, Kind: page.InFrame, App: g.o.App,
			Begin: g.d.start(id, at.address(), "provider", g.o.Provider),
		})
	case form:
		g.demand(w, at, "", browser)
		g.d.Pages.Message(w, r, http.StatusUnauthorized, page.Message{
			Frame: page.Frame{SignIn: g.d.signIn}, Kind: page.FormLost, App: g.o.App,
			Begin: g.d.start(id, at.page(r), "provider", g.o.Provider),
		})
	default:
		g.demand(w, at, "", browser)
		writeJSON(w, r, http.StatusUnauthorized, problem{
			Error: "unauthenticated",
			Login: g.d.start(id, at.page(r), "provider", g.o.Provider),
		})
	}
}

// isBrowser tells whether browsers' own fields are there.
func isBrowser(fields gate.Fields) bool {
	_, ok := fields.Field("sec-fetch-mode", 0)
	return ok
}

// demand says by which means one may pass (RFC 9110, section 11.6.1). Browsers are not
// told of passwords: they would ask for one in a window of their own.
func (g *Gate) demand(w http.ResponseWriter, at place, fault string, browser bool) {
	realm := ` realm="` + strings.ReplaceAll(at.host, `"`, "") + `"`
	if fault != "" {
		realm += `, error="` + fault + `"`
	}
	said := false
	if g.o.Tokens || len(g.o.Bearer) > 0 {
		w.Header().Add("WWW-Authenticate", "Bearer"+realm)
		said = true
	}
	if g.o.Basic && !browser {
		w.Header().Add("WWW-Authenticate",
			`Basic realm="`+strings.ReplaceAll(at.host, `"`, "")+`", charset="UTF-8"`)
		said = true
	}
	if !said {
		w.Header().Add("WWW-Authenticate", "Doorward"+realm)
	}
}

// badCredential is the answer to Authorization that opens nothing.
func (g *Gate) badCredential(q *gate.Question, fault string) gate.Verdict {
	at, browser, status := g.d.placeOf(q), isBrowser(q.Fields), credentialStatus(fault)
	return gate.Verdict{Status: status, Answer: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			unstored(w)
			if status != http.StatusBadRequest {
				g.demand(w, at, fault, browser)
			}
			writeJSON(w, r, status, problem{Error: fault})
		})}
}

// later is the answer when nobody can tell whether a token is good.
func (g *Gate) later(*gate.Question) gate.Verdict {
	return gate.Verdict{Status: http.StatusServiceUnavailable, Answer: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			unstored(w)
			w.Header().Set("Retry-After", "10")
			writeJSON(w, r, http.StatusServiceUnavailable,
				problem{Error: "temporarily_unavailable"})
		})}
}

// insistStatus is the status of insist: 0 is a redirect.
func insistStatus(q *gate.Question) int {
	if string(q.Method) == http.MethodGet || string(q.Method) == http.MethodHead {
		return 0
	}
	return http.StatusForbidden
}

// insist sends those who come over plain HTTP to HTTPS. Their cookies are neither read
// nor written, and what they sent along is not asked for again.
func insist(at place) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		unstored(w)
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			writeJSON(w, r, http.StatusForbidden, problem{Error: "https_only"})
			return
		}
		w.Header().Set("Location", at.origin()+at.target)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
}

// problem is the answer to programs.
type problem struct {
	Error string `json:"error"`
	// Login is where a browser signs in, and Consent where its user agrees.
	Login   string `json:"login_url,omitempty"`
	Consent string `json:"consent_url,omitempty"`
	// Reason is a policy.Decision, Rule the route's name; Missing and MissingRoles are
	// groups and roles of which one would do.
	Reason       string   `json:"reason,omitempty"`
	Rule         string   `json:"rule,omitempty"`
	Missing      []string `json:"missing_groups,omitempty"`
	MissingRoles []string `json:"missing_roles,omitempty"`
}

func writeJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"error":"failed"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		// Whoever went away needs no answer.
		_, _ = w.Write(append(data, '\n'))
	}
}

// unstored keeps an answer out of caches, and its address out of others' logs.
func unstored(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
}
