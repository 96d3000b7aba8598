package proxy

import (
	"net/http"
	"strconv"
	"strings"

	"doorward/proxy/h1"
)

// handlerWriter is what a handler writes to. The head goes out with the first
// full buffer or Flush, so that short answers get a Content-Length.
type handlerWriter struct {
	x       *exchange
	header  http.Header
	body    []byte // written and not sent
	status  int
	sent    bool // the head
	chunked bool
	none    bool // the status or the method allows no body
	// promised is the handler's own Content-Length, -1 without one.
	promised, written int64
	failed            bool
}

// Header implements http.ResponseWriter.
func (w *handlerWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *handlerWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *handlerWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, p...)
	w.written += int64(len(p))
	if len(w.body) >= answerBytes {
		w.send(false)
	}
	if w.failed {
		return 0, errClientGone
	}
	return len(p), nil
}

// Flush implements http.Flusher.
func (w *handlerWriter) Flush() {
	w.WriteHeader(http.StatusOK)
	w.send(false)
}

// finish sends what is left, and the end.
func (w *handlerWriter) finish() {
	w.WriteHeader(http.StatusOK)
	w.send(true)
	if !w.none && w.promised >= 0 && w.promised != w.written {
		// The client must not take what comes next for the rest of this body.
		w.failed = true
		w.x.resetClient()
	}
	if w.failed {
		w.x.keep = false
	}
	w.x.linger = !w.x.keep && !w.failed
}

// send writes the head, if it was not, and what stands in body.
func (w *handlerWriter) send(last bool) {
	b := w.x.out[:0]
	first := !w.sent
	if first {
		b = w.head(b, last)
	}
	if w.x.stream != nil {
		w.x.out = b
		w.sendStream(first, last)
		return
	}
	if !w.none {
		b = appendChunk(b, w.body, w.chunked)
		if last && w.chunked {
			b = append(b, h1.LastChunk+"\r\n"...)
		}
	}
	w.body = w.body[:0]
	w.x.out = b
	if !w.failed && len(b) > 0 {
		w.failed = !w.x.write(b)
	}
}

// sendStream is send for a client that takes a stream.
func (w *handlerWriter) sendStream(first, last bool) {
	if w.none {
		w.body = w.body[:0]
	}
	switch {
	case w.failed, w.none && !first && !last:
	case first:
		w.failed = !w.x.answer(w.x.out, w.body, last)
	case last || len(w.body) > 0:
		w.failed = !w.x.more(w.body, last)
	}
	w.body = w.body[:0]
}

// head writes the head; whole says that body is all there will be.
func (w *handlerWriter) head(b []byte, whole bool) []byte {
	x := w.x
	w.sent, x.answered = true, true
	x.rec.Status = w.status
	bare := w.status == http.StatusNoContent || w.status == http.StatusNotModified
	w.none = x.isHead() || bare
	switch {
	case bare || w.promises():
	case whole:
		w.header.Set("Content-Length", strconv.Itoa(len(w.body)))
	case x.stream != nil:
	case x.req.Minor == 1:
		w.chunked = true
		w.header.Set("Transfer-Encoding", "chunked")
	default:
		x.keep = false
	}
	if len(w.body) > 0 && w.header.Get("Content-Type") == "" {
		w.header.Set("Content-Type", http.DetectContentType(w.body))
	}
	b = appendStatusLine(b, w.status, []byte(http.StatusText(w.status)))
	return w.fields(b)
}

// promises tells whether the handler said itself how long its body is.
func (w *handlerWriter) promises() bool {
	n, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64)
	if err != nil || n < 0 {
		w.header.Del("Content-Length")
		return false
	}
	w.promised = n
	return true
}

func (w *handlerWriter) fields(b []byte) []byte {
	ch := w.x.changes()
	var present uint64
	oneLine := strings.NewReplacer("\r", " ", "\n", " ")
	for name, values := range w.header {
		if ch.drops([]byte(name), &present) {
			continue
		}
		for _, v := range values {
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, oneLine.Replace(v)...)
			b = append(b, "\r\n"...)
		}
	}
	if w.header["Date"] == nil {
		b = appendDate(b, ch)
	}
	return w.x.appendOurs(b, ch, present)
}
