package entratest

import (
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"time"
)

// refusal is an error of Entra's. Apps are told kind; the number is for people.
type refusal struct {
	number   int    // of AADSTS
	kind     string // the error of RFC 6749 and OpenID Connect; empty: there is a page alone
	text     string
	status   int // of JSON; 0: 400
	suberror string
	claims   string
	form     bool // the form says so and asks again
	goesBack bool // the app is told in any case
}

// message is what people see.
func (no *refusal) message() string { return fmt.Sprintf("AADSTS%05d: %s", no.number, no.text) }

// description is the message with what support asks for.
func (no *refusal) description(s *Server) string {
	return fmt.Sprintf("%s Trace ID: %s Correlation ID: %s Timestamp: %s", no.message(),
		no.trace(s), no.correlation(), s.now().UTC().Format("2006-01-02 15:04:05Z"))
}

func (no *refusal) trace(s *Server) string {
	return guid("trace", s.now().Format(time.RFC3339Nano))
}

func (no *refusal) correlation() string { return guid("correlation", no.text) }

// values are what an app is sent by redirect.
func (no *refusal) values(s *Server) url.Values {
	return url.Values{
		"error": {no.kind}, "error_description": {no.description(s)},
		"error_uri": {fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", no.number)},
	}
}

// refuseJSON is what an app is told when it asks by itself.
func (s *Server) refuseJSON(w http.ResponseWriter, no *refusal) {
	body := map[string]any{
		"error": no.kind, "error_description": no.description(s),
		"error_codes": []int{no.number}, "timestamp": s.now().UTC().Format("2006-01-02 15:04:05Z"),
		"trace_id": no.trace(s), "correlation_id": no.correlation(),
		"error_uri": fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", no.number),
	}
	if no.suberror != "" {
		body["suberror"] = no.suberror
	}
	if no.claims != "" {
		body["claims"] = no.claims
	}
	status := no.status
	if status == 0 {
		status = http.StatusBadRequest
	}
	writeJSON(w, status, body)
}

// refusePage is what people see when the app cannot be told.
func (s *Server) refusePage(w http.ResponseWriter, no *refusal) {
	s.page(w, http.StatusBadRequest, view{Kind: "error", Error: no.description(s)})
}

// view is what a page shows.
type view struct {
	Kind                    string // which page, and the name of its form
	App, Name, Scope, Error string
	Action                  string // where the form goes; empty: where the page is
	Hidden                  url.Values
	Frames                  []string
	Next                    string
}

//go:embed page.html
var files embed.FS

var pages = template.Must(template.ParseFS(files, "page.html"))

func (s *Server) page(w http.ResponseWriter, status int, v view) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store, no-cache")
	w.Header().Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	_ = pages.Execute(w, v) // the browser has gone, or a test shows the broken page
}
