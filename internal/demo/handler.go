package demo

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

//go:embed page.html style.css script.js
var files embed.FS

var page = template.Must(template.ParseFS(files, "page.html"))

// added are the fields that the edge is known for; the page marks them.
var added = []string{
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Request-Id",
}

// maxSlow bounds how long a request may be held.
const maxSlow = time.Minute

// Handler is what a server with the given name answers:
//
//	/            the request as it came in, a page for browsers, else JSON
//	/events      the time, every second, as server-sent events
//	/echo        a WebSocket that says everything twice
//	/slow?for=5s an answer that takes that long
//	/status/503  an answer with that status
func Handler(name string) http.Handler {
	mux := http.NewServeMux()
	assets := http.FileServerFS(files)
	mux.Handle("GET /style.css", assets)
	mux.Handle("GET /script.js", assets)
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) { events(w, r, name) })
	mux.HandleFunc("GET /echo", func(w http.ResponseWriter, r *http.Request) { echo(w, r, name) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) { slow(w, r, name) })
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) { status(w, r, name) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { whoami(w, r, name) })
	return mux
}

// field is one field of a request.
type field struct {
	Name, Value string
	Added       bool
}

// seen is a request as it reached the server.
type seen struct {
	Server  string      `json:"server"`
	Method  string      `json:"method"`
	URI     string      `json:"uri"`
	Host    string      `json:"host"`
	Proto   string      `json:"protocol"`
	Peer    string      `json:"peer"`
	Headers http.Header `json:"headers"`
}

// Number ends the server's name; the page gives each its colour.
func (s seen) Number() string { return s.Server[strings.LastIndexByte(s.Server, '-')+1:] }

// Stranger is a host that the edge does not know.
func (s seen) Stranger() string {
	_, port, found := strings.Cut(s.Host, ":")
	if !found {
		return "stranger.localhost"
	}
	return "stranger.localhost:" + port
}

// Client is who asked, as the edge says.
func (s seen) Client() string { return cmp.Or(s.Headers.Get("X-Forwarded-For"), s.Peer) }

// Fields are the header fields in order.
func (s seen) Fields() []field {
	var out []field
	for name, values := range s.Headers {
		for _, v := range values {
			out = append(out, field{name, v, slices.Contains(added, name)})
		}
	}
	slices.SortStableFunc(out, func(a, b field) int {
		if a.Added != b.Added {
			if a.Added {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

func whoami(w http.ResponseWriter, r *http.Request, name string) {
	s := seen{name, r.Method, r.RequestURI, r.Host, r.Proto, r.RemoteAddr, r.Header}
	w.Header().Set("Vary", "Accept")
	w.Header().Set("Cache-Control", "no-store")
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Content-Type", "application/json")
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		_ = e.Encode(s)
		return
	}
	var body bytes.Buffer
	if err := page.Execute(&body, s); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'self'; img-src data:; base-uri 'none'")
	_, _ = body.WriteTo(w)
}

func events(w http.ResponseWriter, r *http.Request, name string) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	flush := http.NewResponseController(w)
	for now := time.Now(); ; {
		fmt.Fprintf(w, "data: %s %s\n\n", now.Format(time.TimeOnly), name)
		if flush.Flush() != nil {
			return
		}
		select {
		case now = <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

func echo(w http.ResponseWriter, r *http.Request, name string) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer c.CloseNow()
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if kind == websocket.MessageText {
			message = append(message, " ("+name+")"...)
		}
		if c.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

func slow(w http.ResponseWriter, r *http.Request, name string) {
	wait, err := time.ParseDuration(cmp.Or(r.FormValue("for"), "5s"))
	if err != nil || wait < 0 || wait > maxSlow {
		http.Error(w, "for is a duration of at most "+maxSlow.String(), http.StatusBadRequest)
		return
	}
	select {
	case <-time.After(wait):
		fmt.Fprintf(w, "%s took %v\n", name, wait)
	case <-r.Context().Done():
	}
}

func status(w http.ResponseWriter, r *http.Request, name string) {
	code, err := strconv.Atoi(r.PathValue("code"))
	if err != nil || code < 200 || code > 599 {
		http.Error(w, "a status is between 200 and 599", http.StatusBadRequest)
		return
	}
	w.WriteHeader(code)
	fmt.Fprintf(w, "%s says %d\n", name, code)
}
