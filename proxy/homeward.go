package proxy

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"doorward/proxy/h1"
	"doorward/proxy/netio"
)

var errAnswerField = errors.New("answer with a field that no head can have")

// appendHead writes the head of an answer up to its last field, in an order that does
// not depend on chance. Fields that are about a connection or a framing say nothing in
// HTTP/2, where a server has no business sending them (RFC 9113, section 8.2.2).
func appendHead(b []byte, status int, header http.Header) ([]byte, error) {
	b = appendStatusLine(b, status, []byte(http.StatusText(status)))
	for _, name := range slices.Sorted(maps.Keys(header)) {
		switch name {
		case "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade",
			"Content-Length":
			continue
		}
		for _, value := range header[name] {
			if strings.ContainsAny(name, "\r\n:") || strings.ContainsAny(value, "\r\n") {
				return nil, errAnswerField
			}
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, value...)
			b = append(b, "\r\n"...)
		}
	}
	return b, nil
}

// appendAnswerFraming ends the head with how HTTP/1 would frame the body: trailers
// that are announced need chunks there, whatever is known of the length.
func (t *trip) appendAnswerFraming(b []byte, answer *http.Response) []byte {
	told := answer.Header["Content-Length"] != nil && answer.ContentLength >= 0
	chunks := t.x.stream == nil && answer.Trailer != nil && answer.Body != http.NoBody
	switch {
	case told && !chunks:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, answer.ContentLength, 10)
		b = append(b, "\r\n"...)
	case answer.Body != http.NoBody:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case t.x.stream == nil && !t.x.isHead() && answer.StatusCode != http.StatusNoContent &&
		answer.StatusCode != http.StatusNotModified:
		b = append(b, "Content-Length: 0\r\n"...)
	}
	return append(b, "\r\n"...)
}

// relay sends the answer whose head was parsed to the client. As in the exchange's
// own relay, what goes wrong once the head is out breaks the answer off.
func (t *trip) relay() failure {
	x := t.x
	t.answered.Store(true)
	if t.unread() {
		x.keep, x.linger = false, true
	}
	body := x.resp.BodyOf(x.isHead())
	if t.answer.Body == http.NoBody || x.stream != nil && body == h1.ByLength && x.resp.Length == 0 {
		body = h1.NoBody
	}
	f := x.framingOf(body)
	x.rec.Status = x.resp.Status
	x.answered = true
	x.out = x.appendAnswerHead(x.out[:0], f)
	ok, err := t.relayBody(body, f == chunkedText)
	t.end()
	if err != nil && x.up.err == nil && err != errClientGone {
		x.answered = false
		return failure{junk, err}
	}
	x.release()
	if t.unread() {
		x.abortUpload()
		x.keep = false
	}
	if !ok {
		x.breakOff(f == noFraming)
	}
	return failure{}
}

// unread tells whether the client has more to say than was read from it.
func (t *trip) unread() bool { return t.x.feed != nil && t.x.up.waiting && !t.whole.Load() }

// relayBody sends the head in out and the body after it. A part goes out when it is
// here, so that messages arrive when they are sent. Only where the length is known the
// head waits for the first part, which then comes at once: an error says that it did
// not, and that the client has seen nothing yet.
func (t *trip) relayBody(body h1.Body, chunked bool) (ok bool, unseen error) {
	x := t.x
	if body == h1.NoBody {
		return t.first(nil, true, chunked), nil
	}
	b := x.e.bulk.Get().(*[bulkBytes]byte)
	defer x.e.bulk.Put(b)
	left := x.resp.Length
	head := body == h1.ByLength
	if !head && !t.first(nil, false, chunked) {
		return false, nil
	}
	for {
		n, last, err := t.next(b[chunkRoom : len(b)-chunkTail])
		if err != nil && head {
			return false, err
		}
		if err != nil {
			return t.broken(err), nil
		}
		if left -= int64(n); body == h1.ByLength && left == 0 && !last {
			if _, last, err = t.next(b[chunkRoom+n : len(b)-chunkTail]); err == nil && !last {
				err = errAnswerLong
			}
		}
		switch {
		case head:
			if !t.first(b[chunkRoom:chunkRoom+n], last && err == nil, chunked) {
				return false, nil
			}
			head = false
		case !t.more(b, n, last && err == nil, chunked):
			return false, nil
		}
		if err != nil {
			return t.broken(err), nil
		}
		if last {
			return true, nil
		}
	}
}

var errAnswerLong = errors.New("answer longer than it said")

// next reads more of the answer. Last is that this is the end of it.
func (t *trip) next(p []byte) (n int, last bool, err error) {
	if len(p) == 0 { // no more than an end is waited for
		p = make([]byte, 1)
	}
	t.moved.Store(netio.Now())
	t.asking.Store(true)
	n, err = t.answer.Body.Read(p)
	t.asking.Store(false)
	if err == io.EOF {
		return n, true, nil
	}
	if err != nil && t.context.Err() != nil {
		err = context.Cause(t.context)
	}
	return n, false, err
}

// first sends the head and the first part of the body. An end takes the trailers
// along.
func (t *trip) first(data []byte, last, chunked bool) bool {
	x := t.x
	if x.stream == nil {
		x.out = appendChunk(x.out, data, chunked)
		if last && chunked {
			t.readTrailers()
			x.out = x.appendEnd(x.out, true)
		}
		return x.write(x.out)
	}
	trailers := t.trailersAt(last)
	end := last && len(trailers) == 0
	if !x.answer(x.out, data, end) {
		return false
	}
	return end || !last || x.sent(0, x.stream.End(trailers))
}

// more sends the n bytes of data that stand in b at chunkRoom.
func (t *trip) more(b *[bulkBytes]byte, n int, last, chunked bool) bool {
	x := t.x
	trailers := t.trailersAt(last)
	data := b[chunkRoom : chunkRoom+n]
	if x.stream == nil {
		if chunked {
			data = frameChunk(b[:], n, last, trailers)
		}
		return len(data) == 0 || x.write(data)
	}
	end := last && len(trailers) == 0
	if (n > 0 || end) && !x.more(data, end) {
		return false
	}
	return end || !last || x.sent(0, x.stream.End(trailers))
}

// trailersAt are the trailers that the client gets, none before the end.
func (t *trip) trailersAt(last bool) []h1.Field {
	if !last {
		return nil
	}
	t.readTrailers()
	return t.x.trailers()
}

// readTrailers judges the trailers as those of HTTP/1. Some that nobody may send are
// no reason to break off an answer that is whole.
func (t *trip) readTrailers() {
	x := t.x
	x.decoder.Reset(h1.Limits{HeadBytes: answerLimits.HeadBytes, HeadFields: 100})
	if len(t.answer.Trailer) == 0 {
		return
	}
	text := []byte("0\r\n")
	for _, name := range slices.Sorted(maps.Keys(t.answer.Trailer)) {
		for _, value := range t.answer.Trailer[name] {
			if strings.ContainsAny(name, "\r\n:") || strings.ContainsAny(value, "\r\n") {
				continue
			}
			text = append(text, name+": "+value+"\r\n"...)
		}
	}
	if _, _, err := x.decoder.Decode(append(text, "\r\n"...)); err != nil {
		x.decoder.Reset(h1.Limits{})
	}
}

// broken notes that the answer broke off.
func (t *trip) broken(err error) bool {
	x := t.x
	t.end()
	switch {
	case x.up.err != nil:
		x.end('C', 'D')
		x.rec.Err = x.up.err
	case err == errClientGone:
		x.clientFailed(err)
	case err == errStall || err == errDeadline:
		x.end('s', 'D')
		x.rec.Err = err
	default:
		x.end('S', 'D')
		x.rec.Err = err
	}
	return x.up.err == nil && err != errClientGone && x.grpcBreak(err)
}
