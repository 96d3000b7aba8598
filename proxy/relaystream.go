package proxy

import (
	"errors"
	"io"

	"doorward/proxy/h1"
)

// relayStream sends the answer to a client that takes it as a stream. What of the
// body came with the head goes out with the head, in one write.
func (x *exchange) relayStream(body h1.Body) bool {
	switch body {
	case h1.NoBody:
		x.serverDone(true)
		return x.answer(x.out, nil, true)
	case h1.ByLength:
		return x.streamLength()
	case h1.ByChunks:
		return x.streamChunks()
	}
	return x.streamUntilClose()
}

// streamLength sends a body of known length.
func (x *exchange) streamLength() bool {
	here := int(min(int64(x.srv.len()), x.resp.Length))
	data := x.srv.bytes()[:here]
	x.srv.r += here
	left := x.resp.Length - int64(here)
	if left == 0 {
		x.serverDone(true)
	}
	if !x.answer(x.out, data, left == 0) {
		return false
	}
	if left == 0 {
		return true
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
		if !x.more(b[:n], left == 0) {
			return false
		}
	}
	return true
}

// streamChunks sends a chunked body, decoded and checked. Each piece goes out when it
// is here, so that events arrive when they happen.
func (x *exchange) streamChunks() bool {
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
		var trailers []h1.Field
		last := x.decoder.Done()
		if last {
			trailers = x.trailers()
			x.extra = taken < len(data)
			x.serverDone(true)
		}
		end := last && len(trailers) == 0
		switch {
		case first && !x.answer(x.out, data[:n], end):
			return false
		case !first && (n > 0 || end) && !x.more(data[:n], end):
			return false
		case last:
			return end || x.sent(0, x.stream.End(trailers))
		}
		if n, err = x.to.Read(b[:]); n == 0 {
			return x.serverFailed(err)
		}
		data = b[:n]
	}
}

// streamUntilClose sends a body that ends with the server's connection.
func (x *exchange) streamUntilClose() bool {
	if !x.answer(x.out, x.srv.bytes(), false) {
		return false
	}
	b := x.e.bulk.Get().(*[bulkBytes]byte)
	defer x.e.bulk.Put(b)
	for {
		n, err := x.to.Read(b[:])
		switch {
		case n > 0:
			if !x.more(b[:n], false) {
				return false
			}
		case errors.Is(err, io.EOF):
			return x.more(nil, true)
		default:
			return x.serverFailed(err)
		}
	}
}
