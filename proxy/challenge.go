package proxy

import (
	"bytes"
	"net/http"
)

// challengePath is where a certificate authority asks for the answer to its HTTP-01
// challenge (RFC 8555, section 8.3).
const challengePath = "/.well-known/acme-challenge/"

// challenged answers such a question on plain HTTP. One that nobody here waits for
// goes on to the routes; a listener that only redirects knows nothing of it.
func (x *exchange) challenged() bool {
	ask := x.snap.Challenge
	if ask == nil || x.c.l.TLS || !bytes.HasPrefix(x.req.Path, []byte(challengePath)) {
		return false
	}
	text, pending := "", false
	if m := string(x.req.Method); m == http.MethodGet || m == http.MethodHead {
		text, pending = ask(string(x.host), string(x.req.Path))
	}
	switch {
	case pending:
		x.end('L', 'R')
		x.local(http.StatusOK, "Content-Type: text/plain; charset=utf-8\r\n"+
			"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n", []byte(text))
	case x.c.l.RedirectPort != "":
		x.end('L', 'R')
		x.fail(http.StatusNotFound)
	default:
		return false
	}
	return true
}
