package proxy

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"doorward/proxy/h1"
)

// answerLimits bound the head of an answer (security case RS-10).
var answerLimits = h1.Limits{HeadBytes: 64 << 10, HeadFields: 200}

// maxInformational is how many 1xx answers may come before the final one.
const maxInformational = 32

var errInformational = errors.New("too many informational answers")

// framing says how the body goes to the client.
type framing uint8

const (
	noFraming   framing = iota // no body, or until the connection closes
	lengthText                 // Content-Length
	chunkedText                // Transfer-Encoding: chunked
)

// appendAnswerHead writes the head of the server's answer as the client gets it.
func (x *exchange) appendAnswerHead(b []byte, f framing) []byte {
	b = appendStatusLine(b, x.resp.Status, x.resp.Reason)
	ch := x.changes()
	cookie := x.route.Persistence.Cookie
	var present uint64
	dated := false
	for i := range x.resp.Fields {
		h := &x.resp.Fields[i]
		dated = dated || h.Kind == h1.Date
		if h.Kind != h1.Other && (h.Kind.HopByHop() || h.Kind == h1.ContentLength ||
			h.Kind == h1.Forbidden) {
			continue
		}
		if ch.drops(h.Name, &present) || x.isRequestIDName(h.Name) || x.isAltSvc(h) ||
			setsOurCookie(h) ||
			cookie != nil && setsCookie(h, cookie.Name) {
			continue
		}
		b = appendField(b, h)
	}
	if cookie != nil {
		b = x.appendAffinity(b)
	}
	switch f {
	case lengthText:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, x.resp.Length, 10)
		b = append(b, "\r\n"...)
	case chunkedText:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	if !dated {
		b = appendDate(b, ch)
	}
	return x.appendOurs(b, ch, present)
}

// appendDate dates an answer that is not (RFC 9110, section 6.6.1), unless the
// configuration removes dates.
func appendDate(b []byte, ch *Changes) []byte {
	var present uint64
	if ch.drops([]byte("Date"), &present) {
		return b
	}
	b = append(b, "Date: "...)
	b = time.Now().UTC().AppendFormat(b, http.TimeFormat)
	return append(b, "\r\n"...)
}

// isAltSvc tells whether the field would say something else than we do about ways to
// this place.
func (x *exchange) isAltSvc(h *h1.Field) bool {
	return x.c.l.AltSvc != "" && h1.EqualFold(h.Name, "alt-svc")
}

// appendAltSvc says what other ways lead here, unless the configuration does.
func (x *exchange) appendAltSvc(b []byte, ch *Changes) []byte {
	var present uint64
	if x.c.l.AltSvc == "" || ch.drops([]byte("Alt-Svc"), &present) {
		return b
	}
	b = append(b, "Alt-Svc: "...)
	b = append(b, x.c.l.AltSvc...)
	return append(b, "\r\n"...)
}

// appendOurs writes what every answer gets from us, and ends the head.
func (x *exchange) appendOurs(b []byte, ch *Changes, present uint64) []byte {
	if x.stream != nil {
		return x.appendChanges(b, ch, present)
	}
	if x.keep && x.c.ending() {
		// A drain may have begun while a server worked. The client, which cannot know
		// that this is the end, may be sending on.
		x.keep, x.linger = false, true
	}
	switch {
	case !x.keep:
		b = append(b, "Connection: close\r\n"...)
	case x.req.Minor == 0:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	return x.appendChanges(b, ch, present)
}

// appendChanges writes the request id and what the configuration adds, and ends
// the head.
func (x *exchange) appendChanges(b []byte, ch *Changes, present uint64) []byte {
	if name := x.snap.RequestIDHeader; name != "" {
		b = append(b, name...)
		b = append(b, ": "...)
		b = append(b, x.requestID()...)
		b = append(b, "\r\n"...)
	}
	b = x.appendAltSvc(b, ch)
	b = ch.append(b, x, present)
	return append(b, "\r\n"...)
}

func appendStatusLine(b []byte, status int, reason []byte) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, reason...)
	return append(b, "\r\n"...)
}

// framingOf chooses how the body of the answer goes to the client. A client of
// HTTP/1.0 knows no chunks: for it the end of the connection is the end.
func (x *exchange) framingOf(body h1.Body) framing {
	if x.stream != nil {
		return x.streamFramingOf(body)
	}
	switch body {
	case h1.NoBody:
		switch {
		case x.resp.Status < 200 || x.resp.Status == http.StatusNoContent:
			return noFraming
		case x.resp.Length >= 0:
			return lengthText
		case x.resp.Chunked && x.req.Minor == 1:
			return chunkedText
		}
		return noFraming
	case h1.ByLength:
		return lengthText
	}
	if x.req.Minor == 1 {
		return chunkedText
	}
	x.keep = false
	return noFraming
}

// streamFramingOf is framingOf where frames end a body and its length is told only
// where the server told it.
func (x *exchange) streamFramingOf(body h1.Body) framing {
	bare := x.resp.Status < 200 || x.resp.Status == http.StatusNoContent
	if x.resp.Length < 0 || bare || body != h1.NoBody && body != h1.ByLength {
		return noFraming
	}
	return lengthText
}

// passInformational passes on a 1xx answer: 100 only to a client that waits for
// it, none to one of HTTP/1.0 (RFC 9110, section 15.2).
func (x *exchange) passInformational(n int) failure {
	wanted := x.req.Minor == 1
	if x.resp.Status == http.StatusContinue {
		wanted = wanted && x.req.Continue && !x.continued
		x.continued = true
	}
	if wanted {
		b := appendStatusLine(x.out[:0], x.resp.Status, x.resp.Reason)
		b = x.appendInformational(b)
		x.out = append(b, "\r\n"...)
		if !x.inform(x.out) {
			return failure{clientFault, errClientGone}
		}
	}
	x.srv.r += n
	return failure{}
}

// appendInformational writes the fields of a 1xx answer that may pass.
func (x *exchange) appendInformational(b []byte) []byte {
	ch := x.changes()
	var present uint64
	for i := range x.resp.Fields {
		h := &x.resp.Fields[i]
		if h.Kind.HopByHop() || h.Kind == h1.ContentLength || h.Kind == h1.Forbidden ||
			ch.drops(h.Name, &present) || setsOurCookie(h) {
			continue
		}
		b = appendField(b, h)
	}
	return b
}

// inform sends a head of 1xx.
func (x *exchange) inform(head []byte) bool {
	if x.stream != nil {
		return x.answer(head, nil, false)
	}
	return x.write(head)
}

// write sends bytes to the client and counts them.
func (x *exchange) write(b []byte) bool {
	n, err := x.c.io.Write(b)
	x.rec.BytesOut += int64(n)
	if err != nil {
		x.clientFailed(err)
		return false
	}
	return true
}
