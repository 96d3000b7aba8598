package proxy

import (
	"net/http"
	"strconv"

	"doorward/proxy/h1"
	"doorward/proxy/route"
)

// changes are those that the answer of this exchange gets.
func (x *exchange) changes() *Changes {
	all := &x.snap.Answers
	if x.route != nil {
		all = &x.route.Answer
	}
	if x.scheme == "https" {
		return all[1]
	}
	return all[0]
}

// local sends an answer of our own. A field given in extra is a whole line.
func (x *exchange) local(status int, extra string, body []byte) {
	x.afterLocal()
	b := appendStatusLine(x.out[:0], status, []byte(http.StatusText(status)))
	if status != http.StatusNoContent {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, extra...)
	b = appendDate(b, x.changes())
	b = x.appendOurs(b, x.changes(), 0)
	if x.isHead() {
		body = nil
	}
	x.rec.Status = status
	x.answered = true
	if x.stream != nil {
		x.out = b
		x.answer(b, body, true)
		return
	}
	x.out = append(b, body...)
	if !x.write(x.out) {
		x.keep, x.linger = false, false
	}
}

// afterLocal decides what becomes of the connection after an answer for which
// the body of the request was not read: what is not here already would have to
// be waited for, so the connection ends.
func (x *exchange) afterLocal() {
	if x.head == 0 || x.up.waiting && !x.up.sent.Load() {
		x.keep = false
	}
	if !x.keep {
		x.linger = true
	}
}

// redirect sends the client elsewhere.
func (x *exchange) redirect(r *Redirect) {
	b := append(x.rewriteBuf[:0], "Location: "...)
	b = r.To.append(b, x)
	b = append(b, "\r\n"...)
	x.rewriteBuf = b
	x.local(r.Status, string(b), nil)
}

// permanently is the status of a lasting redirect: the one that everybody knows
// where no client can take it for leave to change the method (RFC 9110, section
// 15.4.2).
func (x *exchange) permanently() int {
	switch string(x.req.Method) {
	case http.MethodGet, http.MethodHead:
		return http.StatusMovedPermanently
	}
	return http.StatusPermanentRedirect
}

// redirectToHTTPS answers on a listener that only redirects. The host is one
// that a route knows and the path the canonical one, so that nobody is sent
// where we are not.
func (x *exchange) redirectToHTTPS() {
	x.end('L', 'R')
	path, _, ok := route.CanonicalPath(x.rewriteBuf[:0], x.req.Path)
	if !ok || len(x.host) == 0 || x.req.Form == h1.AsteriskForm {
		x.fail(http.StatusBadRequest)
		return
	}
	b := append([]byte("Location: https://"), x.host...)
	if x.c.l.RedirectPort != "443" {
		b = append(append(b, ':'), x.c.l.RedirectPort...)
	}
	b = append(b, path...)
	if x.req.HasQuery {
		b = append(append(b, '?'), x.req.Query...)
	}
	x.local(x.permanently(), string(append(b, "\r\n"...)), nil)
}

// fail answers with an error page: the route's, the configured one, or a plain
// one of our own that tells the request id and nothing else.
func (x *exchange) fail(status int) {
	seconds := 0
	if status == http.StatusServiceUnavailable {
		seconds = retryAfter
	}
	x.failUntil(status, seconds)
}

// retryAfter is after how many seconds a client may try again that found no server.
const retryAfter = 5

// failUntil is fail with the number of seconds after which another try is of use; 0
// is not said.
func (x *exchange) failUntil(status, seconds int) {
	x.failWith(status, seconds, x.page(status))
}

func (x *exchange) failWith(status, seconds int, page Page) {
	switch status {
	case http.StatusBadRequest, http.StatusRequestTimeout, http.StatusMethodNotAllowed,
		http.StatusExpectationFailed, http.StatusRequestEntityTooLarge:
		x.keep = false
	}
	if x.grpcFailure(status) {
		return
	}
	extra := "Cache-Control: no-store\r\n"
	if seconds > 0 {
		extra += "Retry-After: " + strconv.Itoa(seconds) + "\r\n"
	}
	x.local(status, extra+"Content-Type: "+page.ContentType+"\r\n", page.Body)
}

func (x *exchange) page(status int) Page {
	if x.route != nil {
		if p, ok := x.route.Pages[status]; ok {
			return p
		}
	}
	if p, ok := x.snap.Pages[status]; ok {
		return p
	}
	return plainPage(status, x.requestID())
}

// plainPage is an error page for those who configured none.
func plainPage(status int, id []byte) Page {
	title := strconv.Itoa(status) + " " + http.StatusText(status)
	text := "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">" +
		"<title>" + title + "</title>\n<h1>" + title + "</h1>\n<p>" + hint(status) +
		"</p>\n<p><small>Request " + string(id) + "</small></p>\n"
	return Page{ContentType: "text/html; charset=utf-8", Body: []byte(text)}
}

// hint says what the error means to whoever sees it.
func hint(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "The request is malformed or ambiguous."
	case http.StatusForbidden:
		return "You may not see this."
	case http.StatusNotFound:
		return "There is nothing at this address."
	case http.StatusRequestTimeout:
		return "The request took too long to arrive."
	case http.StatusRequestEntityTooLarge:
		return "The request is larger than this site accepts."
	case http.StatusMisdirectedRequest:
		return "This server does not serve that host, or not on this connection."
	case http.StatusTooManyRequests:
		return "Too many requests came from where you are. Please try again later."
	case http.StatusBadGateway:
		return "The server behind this address gave no usable answer."
	case http.StatusServiceUnavailable:
		return "No server is available at the moment. Please try again."
	case http.StatusGatewayTimeout:
		return "The server behind this address took too long to answer."
	}
	return "The request cannot be served."
}

// failUpload answers a request that err, a fault of the client, has ended.
func (x *exchange) failUpload(err error) {
	x.up.stop()
	x.keep = false
	x.rec.Err = err
	status := 0
	switch e := err.(type) {
	case *h1.SyntaxError:
		x.end('P', 'R')
		status = e.Status
	default:
		status = x.bodyFault(err)
	}
	if x.answered || status == 0 {
		x.linger = true // it may still read earlier answers
		return
	}
	x.fail(status)
}

func (x *exchange) bodyFault(err error) int {
	switch err {
	case errBodySlow:
		x.end('c', 'D')
		return http.StatusRequestTimeout
	case errBodyLarge:
		x.end('P', 'R')
		return http.StatusRequestEntityTooLarge
	case errClientGone:
		if x.up.finished() { // and the answer was waited for
			x.end('C', 'H')
		}
	}
	x.end('C', 'D')
	return 0
}
