package proxy

import (
	"bytes"
	"io"
	"net/http"
	"slices"

	"doorward/internal/safe"
	"doorward/proxy/h1"
	"doorward/proxy/netio"
)

// rewindBytes is how much of a body is kept for another try: most calls of gRPC are
// smaller, and servers that restart refuse them.
const rewindBytes = 16 << 10

// feed is the client's body on its way to servers that speak HTTP/2. It goes on from
// one trip to the next; while a trip lasts it belongs to the goroutine of net/http that
// reads it.
type feed struct {
	x *exchange
	// here is what stands in the buffer and was not taken, left what is to come of a
	// body of known length.
	here []byte
	left int64
	// taken is how much of the body was read, kept all of that unless lost, given how
	// much of kept this trip had.
	taken int64
	kept  []byte
	given int
	lost  bool
	// begun says that the client was asked for the rest, over that all is read, cut
	// that no more can be.
	begun, over, cut bool
	pace             pace
	// trailers is where those go that end the body, nil for nowhere.
	trailers http.Header
}

// addBody gives a request its body.
func (t *trip) addBody(r *http.Request) {
	x := t.x
	if !x.req.HasBody() {
		return
	}
	if x.feed == nil {
		x.feed = &feed{x: x, left: x.req.Length, here: x.up.bytes()}
		x.up.decoder.Reset(x.snap.Limits.Limits)
	}
	f := x.feed
	f.given = 0
	t.whole.Store(f.over)
	r.Body, r.ContentLength = t, x.req.Length
	if x.req.Chunked {
		r.ContentLength = -1
		r.Trailer = x.announced()
	}
	f.trailers = r.Trailer
}

// announced are the names of the trailers that the client says it will send, nil for
// none. Others are left out: to be ready for them would cost a frame of its own for
// every body that has none.
func (x *exchange) announced() http.Header {
	v, ok := x.req.Find(h1.Trailer)
	if !ok {
		return nil
	}
	names := http.Header{}
	for name := range bytes.SplitSeq(v, []byte(",")) {
		name = bytes.TrimSpace(name)
		if !h1.IsToken(name) || len(passing([]h1.Field{{Name: name}}, x.route.Request)) == 0 {
			continue
		}
		switch key := http.CanonicalHeaderKey(string(name)); key {
		case "Trailer", "Transfer-Encoding", "Content-Length": // refused by net/http
		default:
			names[key] = nil
		}
	}
	return names
}

// closeFeed takes the body away from net/http, and waits until it has let go.
func (t *trip) closeFeed() {
	_ = t.Close()
	t.body.Lock()
	defer t.body.Unlock()
	if f := t.x.feed; f != nil && f.over {
		// Nothing is waited for any more, and what was read too far is the next request.
		t.x.up.waiting = false
	}
}

// rewinds tells whether the body is still there from its beginning.
func (f *feed) rewinds() bool { return !f.lost && !f.cut && f.x.up.err == nil }

// Read implements io.Reader for net/http. A panic ends the request and not the
// process.
func (t *trip) Read(p []byte) (n int, err error) {
	t.body.Lock()
	defer t.body.Unlock()
	if t.shut.Load() {
		return 0, errEnded
	}
	err = errPanicked
	defer safe.Recover(t.log, "request body")
	n, err = t.x.feed.read(t, p)
	return n, err
}

// Close implements io.Closer for net/http, which reads no further: what waits for the
// client is woken.
func (t *trip) Close() error {
	t.closing.Lock()
	defer t.closing.Unlock()
	if !t.shut.Swap(true) && t.reading.Load() {
		t.x.abortUpload()
	}
	return nil
}

// read gives what was kept from a former trip, and then what the client sends.
func (f *feed) read(t *trip, p []byte) (int, error) {
	if f.given < len(f.kept) {
		n := copy(p, f.kept[f.given:])
		f.given += n
		return n, f.end(f.given == len(f.kept))
	}
	if f.over || len(p) == 0 {
		return 0, f.end(true)
	}
	n, err := f.next(t, p)
	if err != nil {
		if !t.shut.Load() {
			f.x.up.err = err
		}
		f.cut = true
		return 0, err
	}
	f.keep(t, p[:n])
	t.whole.Store(f.over)
	return n, f.end(true)
}

// end is io.EOF where all of the body was given.
func (f *feed) end(last bool) error {
	if !last || !f.over {
		return nil
	}
	return io.EOF
}

// keep notes what was read, for another try.
func (f *feed) keep(t *trip, p []byte) {
	f.taken += int64(len(p))
	if f.lost = f.lost || t.answered.Load() || f.taken > rewindBytes; f.lost {
		f.kept, f.given = nil, 0
		return
	}
	f.kept = append(f.kept, p...)
	f.given = len(f.kept)
}

// next reads more of the body, at least one byte of it unless it ends.
func (f *feed) next(t *trip, p []byte) (n int, err error) {
	x := f.x
	switch {
	case x.req.Chunked && x.stream == nil:
		n, err = f.chunks(t, p)
	case x.req.Chunked:
		if n, err = f.fill(t, p); err == io.EOF {
			err = nil
			f.finish(x.stream.Trailers())
		}
	default:
		n, err = f.length(t, p)
	}
	if most := x.route.BodyBytes; err == nil && most > 0 && f.taken+int64(n) > most {
		err = errBodyLarge
	}
	return n, err
}

// length reads more of a body of known length.
func (f *feed) length(t *trip, p []byte) (n int, err error) {
	if n = copy(p, f.here); n > 0 {
		f.here = f.here[n:]
	} else if n, err = f.fill(t, p[:min(int64(len(p)), f.left)]); err != nil {
		if err == io.EOF { // the engine compares a stream's length itself
			err = errBodyBroken
		}
		return 0, err
	}
	if f.left -= int64(n); f.left == 0 {
		f.over = true
	}
	return n, nil
}

// chunks reads more of a chunked body, decoded and checked.
func (f *feed) chunks(t *trip, p []byte) (int, error) {
	u := &f.x.up
	for {
		n := copy(p, f.here)
		if f.here = f.here[n:]; n == 0 {
			var err error
			if n, err = f.fill(t, p); err != nil {
				return 0, err
			}
		}
		plain, taken, err := u.decoder.Decode(p[:n])
		if err != nil {
			return 0, err
		}
		if u.decoder.Done() {
			u.rest = append(append(u.rest, p[taken:n]...), f.here...)
			f.finish(u.decoder.Trailers())
		}
		if plain > 0 || f.over {
			return plain, nil
		}
	}
}

// finish notes the end of the body.
func (f *feed) finish(trailers []h1.Field) {
	f.over = true
	if f.trailers == nil {
		return
	}
	for _, t := range passing(slices.Clone(trailers), f.x.route.Request) {
		f.trailers.Add(string(t.Name), string(t.Value))
	}
}

// fill reads from the client. Once the answer is on its way both sides may take their
// time, as in a tunnel: it is for the trip to tell when nobody says anything any more.
func (f *feed) fill(t *trip, p []byte) (int, error) {
	f.begin(t)
	t.reading.Store(true)
	defer t.reading.Store(false)
	u := &f.x.up
	for !t.shut.Load() { // looked at behind the line above: Close sees that we read, or we that it came
		before := netio.Now()
		n, err := f.x.readBody(p)
		now := netio.Now()
		u.total += int64(n)
		f.pace.bytes += n
		f.pace.waited += now - before
		late := isTimeout(err) || !f.patient(t) && netio.TooSlow(f.pace.bytes, f.pace.waited)
		switch {
		case n > 0 && !late:
			t.moved.Store(now)
			return n, nil
		case late && !t.answered.Load():
			return 0, errBodySlow
		case late:
		case err == io.EOF && f.x.stream != nil:
			return 0, io.EOF
		default:
			return 0, errBodyBroken
		}
	}
	return 0, errEnded
}

// patient tells whether the pace of the client does not matter: calls of gRPC may be
// long conversations.
func (f *feed) patient(t *trip) bool { return t.answered.Load() || f.x.isGRPC() }

// begin asks the client for the rest of the body.
func (f *feed) begin(t *trip) {
	if f.begun {
		return
	}
	f.begun = true
	x := f.x
	x.boundUpload()
	if x.req.Continue && x.req.Minor == 1 {
		t.say(func() bool {
			if x.continued {
				return true
			}
			x.continued = true
			return x.inform([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
		})
	}
}
