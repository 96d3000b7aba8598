package auth

import (
	"bytes"
	"html/template"
	"net/http"
	"strconv"
)

// noteKind is what a note says.
type noteKind uint8

const (
	noteFrame     noteKind = iota // sign in, out of this frame
	noteForm                      // sign in, then send the form again
	noteForbidden                 // no way in
)

// note is a small page that stands within another one, or in place of the answer to a
// form: it needs nothing but itself.
type note struct {
	Kind noteKind
	App  string
	Link string
}

// Text is what it says.
func (n note) Text() string {
	switch n.Kind {
	case noteFrame:
		return "You have to sign in to see " + n.App + " here."
	case noteForm:
		return "Your session has ended, and what you sent to " + n.App + " was not taken. " +
			"Sign in in the other window, come back to this one, go back one page, and " +
			"send it again."
	default:
		return "You may not see " + n.App + "."
	}
}

// Action is what the link is called.
func (n note) Action() string {
	if n.Kind == noteForbidden {
		return "See why"
	}
	return "Sign in"
}

// Window is where the link opens: a form keeps what is in it while its page stays.
func (n note) Window() string {
	if n.Kind == noteForm {
		return "_blank"
	}
	return "_top"
}

var noteTemplate = template.Must(template.New("note").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{.App}}</title>
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"></head>
<body><main><h1>{{.App}}</h1><p>{{.Text}}</p>
<p><a href="{{.Link}}" target="{{.Window}}" rel="noopener noreferrer">{{.Action}}</a></p>
</main></body></html>
`))

// writeNote writes a note. It may stand in any frame, since there is nothing on it but
// a link to a page that may stand in none.
func writeNote(w http.ResponseWriter, r *http.Request, status int, n note) {
	var body bytes.Buffer
	if err := noteTemplate.Execute(&body, n); err != nil {
		http.Error(w, n.Text(), status)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		// Whoever went away needs no answer.
		_, _ = w.Write(body.Bytes())
	}
}
