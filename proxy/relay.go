package proxy

import (
	"errors"
	"io"
	"net/http"

	"doorward/proxy/h1"
	"doorward/proxy/netio"
)

var errClientGone = errors.New("client gone")

// relay sends the answer whose head was parsed to the client. Whatever
// goes wrong from here on cannot be told with a status: the connection breaks
// off, so that the client sees that the answer is not whole.
func (x *exchange) relay() {
	x.up.answered.Store(true)
	if !x.up.complete() {
		// The server answered before it had the whole request. What is still to come
		// has no reader: the answer is the last on this connection.
		x.keep, x.linger = false, true
	}
	body := x.resp.BodyOf(x.isHead())
	if x.stream != nil && body == h1.ByLength && x.resp.Length == 0 {
		body = h1.NoBody
	}
	f := x.framingOf(body)
	x.rec.Status = x.resp.Status
	x.answered = true
	x.notePinning()
	x.out = x.appendAnswerHead(x.out[:0], f)
	ok := x.relayBody(body, f == chunkedText)
	x.serverDone(false)
	if !x.up.stop() {
		x.keep = false
	}
	if !ok {
		x.breakOff(f == noFraming)
	}
}

// relayBody sends the head in out and the body after it.
func (x *exchange) relayBody(body h1.Body, chunked bool) bool {
	switch {
	case x.stream != nil:
		return x.relayStream(body)
	case body == h1.ByLength:
		return x.relayLength()
	case body == h1.ByChunks:
		return x.relayChunks(chunked)
	case body == h1.UntilClose:
		return x.relayUntilClose(chunked)
	}
	x.serverDone(true)
	return x.write(x.out)
}

// breakOff ends the connection within an answer. A length, or chunks without the
// last one, tell the client that the answer is not whole; only where the end of
// the connection would be taken for the end of the answer it is reset. A reset
// also throws away what the client has not read yet, of earlier answers too, so
// it is not done without need.
func (x *exchange) breakOff(bare bool) {
	x.keep, x.linger = false, false
	if bare || x.stream != nil || x.rec.Err == errClientGone {
		x.resetClient()
		return
	}
	x.linger = true
}

// resetClient lets the client see that what it has of the answer is not whole.
func (x *exchange) resetClient() {
	if x.stream != nil {
		x.stream.Reset(resetInternal)
	} else {
		_ = x.c.io.Reset()
	}
}

// relayLength sends a body of known length. What came with the head goes out
// with the head; large rests go from socket to socket.
func (x *exchange) relayLength() bool {
	here := int(min(int64(x.srv.len()), x.resp.Length))
	x.out = append(x.out, x.srv.bytes()[:here]...)
	x.srv.r += here
	left := x.resp.Length - int64(here)
	if left == 0 {
		x.serverDone(true)
	}
	if !x.write(x.out) {
		return false
	}
	if left == 0 {
		return true
	}
	return x.relayRest(left)
}

func (x *exchange) relayRest(left int64) bool {
	if left >= netio.TransferMin {
		moved, ok := x.splice(left)
		if left -= moved; !ok || left == 0 {
			return ok && x.lengthDone()
		}
	}
	b := x.e.bulk.Get().(*[bulkBytes]byte)
	defer x.e.bulk.Put(b)
	for left > 0 {
		n, err := x.to.Read(b[:min(int64(len(b)), left)])
		if n == 0 {
			return x.serverFailed(err)
		}
		if left -= int64(n); left == 0 {
			x.serverDone(true)
		}
		if !x.write(b[:n]) {
			return false
		}
	}
	return true
}

func (x *exchange) lengthDone() bool {
	x.serverDone(true)
	return true
}

// splice moves bytes without taking them into this process, where both sides
// are plain sockets. It returns moved 0 and ok where they are not.
func (x *exchange) splice(left int64) (moved int64, ok bool) {
	moved, from, err := netio.Transfer(x.c.io, x.to.Conn, left)
	x.rec.BytesOut += moved
	switch {
	case err == nil:
		return moved, true
	case from:
		return moved, x.serverFailed(err)
	}
	x.clientFailed(err)
	return moved, false
}

// relayChunks sends a chunked body: decoded and checked, and in chunks of our
// own when the client takes them. Each goes out when it is here, so that events
// arrive when they happen.
func (x *exchange) relayChunks(chunked bool) bool {
	x.decoder.Reset(h1.Limits{HeadBytes: answerLimits.HeadBytes, HeadFields: 100})
	b := x.e.bulk.Get().(*[bulkBytes]byte)
	defer x.e.bulk.Put(b)
	data := x.srv.bytes()
	x.srv.clear()
	for first := true; ; first = false {
		n, taken, err := x.decoder.Decode(data)
		if err != nil {
			x.end('P', 'D')
			x.rec.Err = err
			return false
		}
		last := x.decoder.Done()
		if last {
			x.extra = taken < len(data)
			x.serverDone(true)
		}
		if first {
			x.out = appendChunk(x.out, data[:n], chunked)
			x.out = x.appendEnd(x.out, last && chunked)
			data = x.out
		} else if data = data[:n]; chunked {
			data = frameChunk(b[:], n, last, x.trailers())
		}
		if len(data) > 0 && !x.write(data) {
			return false
		}
		if last {
			return true
		}
		if data = x.nextData(b); data == nil {
			return false
		}
	}
}

// relayUntilClose sends a body that ends with the server's connection.
func (x *exchange) relayUntilClose(chunked bool) bool {
	b := x.e.bulk.Get().(*[bulkBytes]byte)
	defer x.e.bulk.Put(b)
	x.out = appendChunk(x.out, x.srv.bytes(), chunked)
	if !x.write(x.out) {
		return false
	}
	for {
		data := b[chunkRoom : len(b)-chunkTail]
		n, err := x.to.Read(data)
		switch {
		case n > 0:
			if data = data[:n]; chunked {
				data = frameChunk(b[:], n, false, nil)
			}
		case errors.Is(err, io.EOF):
			return !chunked || x.write(frameChunk(b[:], 0, true, nil))
		default:
			return x.serverFailed(err)
		}
		if !x.write(data) {
			return false
		}
	}
}

// nextData reads more of a body to where frameChunk can work in place.
func (x *exchange) nextData(b *[bulkBytes]byte) []byte {
	data := b[chunkRoom : len(b)-chunkTail]
	n, err := x.to.Read(data)
	if n == 0 {
		x.serverFailed(err)
		return nil
	}
	return data[:n]
}

// trailers are those of the answer that the client gets.
func (x *exchange) trailers() []h1.Field { return passing(x.decoder.Trailers(), x.changes()) }

// appendEnd ends a chunked body.
func (x *exchange) appendEnd(b []byte, end bool) []byte {
	if !end {
		return b
	}
	b = append(b, h1.LastChunk...)
	b = appendTrailers(b, x.trailers())
	return append(b, "\r\n"...)
}

// serverFailed notes that an answer broke off.
func (x *exchange) serverFailed(err error) bool {
	who := byte('S')
	switch {
	case x.up.faulty():
		who, err = 'C', x.up.err
	case x.departed():
		who, err = 'C', errClientGone
	case isTimeout(err):
		who = 's'
	}
	x.end(who, 'D')
	x.rec.Err = err
	return false
}

func (x *exchange) clientFailed(err error) {
	who := byte('C')
	if isTimeout(err) {
		who = 'c'
	}
	x.end(who, 'D')
	x.rec.Err = errClientGone
}

// serverDone gives the server's connection back, when the answer came to its
// end and the connection is as clean as a new one; else it is closed. Only the
// first call counts.
func (x *exchange) serverDone(whole bool) {
	if x.to == nil {
		return
	}
	to, s := x.to, x.server
	intact := x.letGo()
	switch {
	case !whole, !intact, x.resp.Close, x.extra || x.srv.len() > 0, !x.up.finished():
		_ = to.Close()
	case x.pin && x.stream != nil: // others may be on the client's connection
		_ = to.Close()
	case x.pin:
		x.c.dropPinned()
		to.MarkReused()
		x.c.pinned = &pinned{s, to}
	default:
		s.Keep(to)
	}
	x.release()
}

// notePinning looks for authentication that is tied to the connection: shared
// with another client it would sign that one in too (security case RS-13).
func (x *exchange) notePinning() {
	if x.stream != nil {
		x.pin = x.bindsConnection()
		return
	}
	if x.c.wasPinned || x.bindsConnection() {
		x.pin, x.c.wasPinned = true, true
	}
}

// bindsConnection tells whether the client signs in on the connection, or the
// server asks it to. Where a word stands in a challenge is not looked at: a
// connection that is kept apart for nothing does no harm.
func (x *exchange) bindsConnection() bool {
	if v, ok := x.req.Find(h1.Authorization); ok && bindingScheme(v) {
		return true
	}
	if x.resp.Status != http.StatusUnauthorized {
		return false
	}
	for i := range x.resp.Fields {
		f := &x.resp.Fields[i]
		if !h1.EqualFold(f.Name, "www-authenticate") {
			continue
		}
		for j := range f.Value {
			if bindingScheme(f.Value[j:]) {
				return true
			}
		}
	}
	return false
}

// bindingScheme tells whether v begins with a scheme that signs connections in:
// NTLM, or Negotiate, which may be NTLM inside (RFC 4559, section 6).
func bindingScheme(v []byte) bool { return hasFold(v, "ntlm") || hasFold(v, "negotiate") }

func hasFold(v []byte, word string) bool {
	return len(v) >= len(word) && h1.EqualFold(v[:len(word)], word)
}
