package proxy

import (
	"errors"
	"io"
	"sync/atomic"
	"time"

	"doorward/internal/safe"
	"doorward/proxy/backend"
	"doorward/proxy/h1"
	"doorward/proxy/netio"
)

// upload is the body of the request on its way to the server. What is here when
// the request is sent goes with the head; for the rest a second goroutine runs,
// because the server may answer before it has read everything.
//
// The goroutine owns left, decoder, rest and err until done is closed.
type upload struct {
	x  *exchange
	to *backend.Conn
	// here is how much of the body stood in the buffer with the head. Waiting says
	// that more must be read from the client, started that a goroutine does.
	here             int
	waiting, started bool

	left    int64
	decoder h1.Chunks
	most    int64
	rest    []byte // read past the end of a chunked body: the next request
	total   int64  // bytes read from the client here
	err     error  // the client's fault, nil when it has none

	// tunnelled is what the client sent after an upgrade.
	tunnelled int64

	// done is closed, and over set, when the goroutine ends.
	done chan struct{}
	over atomic.Bool
	// fault is set with err, before the server's side is woken.
	fault atomic.Bool
	// answered says that the answer is on its way to the client.
	answered atomic.Bool
	// read says that the whole body was read from the client, sent that all of it
	// was written; moved is when bytes moved last.
	read, sent atomic.Bool
	moved      atomic.Int64
}

// prepare finds out what there is to send.
func (u *upload) prepare(x *exchange) {
	u.x = x
	u.here, u.waiting, u.started = 0, false, false
	u.to, u.rest, u.err, u.done = nil, nil, nil, nil
	u.total, u.tunnelled = 0, 0
	u.fault.Store(false)
	u.answered.Store(false)
	u.read.Store(false)
	u.sent.Store(false)
	u.over.Store(false)
	switch buffered := x.in.len() - x.head; {
	case x.stream != nil:
		u.left, u.waiting = x.req.Length, x.req.HasBody()
	case x.req.Chunked:
		u.here, u.waiting = buffered, true
	case x.req.Length > 0:
		u.here = int(min(int64(buffered), x.req.Length))
		u.left = x.req.Length - int64(u.here)
		u.waiting = u.left > 0
	}
}

// bytes are what is here of the body, as the client sent it.
func (u *upload) bytes() []byte {
	if u.x.stream != nil {
		return nil
	}
	b := u.x.in.bytes()
	return b[u.x.head : u.x.head+u.here]
}

// plain is what of it can go out with the head: a chunked body is decoded first.
func (u *upload) plain() []byte {
	if u.x.req.Chunked {
		return nil
	}
	return u.bytes()
}

// consumed is how many bytes of the buffer belong to the request.
func (u *upload) consumed() int { return u.x.head + u.here }

// received is how much of the body, as it stood on the wire, came from the
// client. It may be asked for once the goroutine has ended.
func (u *upload) received() int64 { return int64(u.here) + u.total + u.tunnelled }

// check reads what is here of a chunked body, so that no server hears of a
// request that is wrong from the start.
func (u *upload) check() error {
	if !u.x.req.Chunked || u.x.stream != nil {
		return nil
	}
	b := u.x.e.bulk.Get().(*[bulkBytes]byte)
	defer u.x.e.bulk.Put(b)
	u.decoder.Reset(u.x.snap.Limits.Limits)
	n, _, err := u.decoder.Decode(b[:copy(b[:], u.bytes())])
	if most := u.x.route.BodyBytes; err == nil && most > 0 && int64(n) > most {
		return errBodyLarge
	}
	return err
}

// start lets the rest of the body follow.
func (u *upload) start() {
	u.started, u.to, u.most = true, u.x.to, u.x.route.BodyBytes
	u.done = make(chan struct{})
	u.moved.Store(netio.Now())
	u.decoder.Reset(u.x.snap.Limits.Limits)
	safe.Go(u.x.e.log, "upload", u.run)
}

func (u *upload) run() {
	err := errPanicked
	defer func() { u.settle(err) }()
	b := u.x.e.bulk.Get().(*[bulkBytes]byte)
	defer u.x.e.bulk.Put(b)
	u.x.boundUpload()
	switch {
	case !u.x.req.Chunked:
		err = u.length(b[:])
	case u.x.stream != nil:
		err = u.pieces(b[:])
	default:
		err = u.chunks(b[:])
	}
}

// settle ends the goroutine. When it was the client's fault, whoever waits for
// the server's answer is woken: there will be none. But a client that has its
// answer already may stop sending and go on reading.
func (u *upload) settle(err error) {
	stopped := err == errBodySlow && u.answered.Load()
	if err != nil && err != errServer && !stopped {
		u.err = err
		u.fault.Store(true)
		u.to.Abort()
	}
	u.moved.Store(netio.Now())
	u.over.Store(true)
	close(u.done)
}

var errPanicked = errors.New("panic while bytes were moved")

// errServer says that the server does not take more. That is no fault of the
// client, and the answer may be there already.
var errServer = errors.New("server reads no further")

// readBody reads from the client, on whatever kind of connection.
func (x *exchange) readBody(b []byte) (int, error) {
	if x.stream != nil {
		return x.stream.Read(b)
	}
	return x.c.io.Read(b)
}

// boundUpload limits how long the client may say nothing within its body.
func (x *exchange) boundUpload() {
	if x.stream == nil {
		x.c.io.ReadIdle, x.c.io.ReadUntil = x.route.ClientTimeout, 0
	}
}

// abortUpload ends what waits for more of the body.
func (x *exchange) abortUpload() {
	if x.stream != nil {
		x.stream.Discard()
	} else {
		x.c.io.Abort()
	}
}

// pace measures the client's part of the time only: while the server is slow,
// the client cannot help it.
type pace struct {
	bytes  int
	waited int64
}

// fill reads from the client.
func (u *upload) fill(p *pace, b []byte) (int, error) {
	before := netio.Now()
	n, err := u.x.readBody(b)
	now := netio.Now()
	u.moved.Store(now)
	p.bytes += n
	u.total += int64(n)
	p.waited += now - before
	switch {
	case n > 0 && netio.TooSlow(p.bytes, p.waited):
		return 0, errBodySlow
	case n > 0:
		return n, nil
	case isTimeout(err):
		return 0, errBodySlow
	case err == io.EOF && u.x.stream != nil:
		return 0, io.EOF
	}
	return 0, errBodyBroken
}

func (u *upload) write(b []byte) error {
	if _, err := u.to.Write(b); err != nil {
		return errServer
	}
	u.moved.Store(netio.Now())
	return nil
}

// length streams a body of known length.
func (u *upload) length(b []byte) error {
	if u.left >= netio.TransferMin && u.x.stream == nil {
		if err := u.splice(); err != nil {
			return err
		}
	}
	var p pace
	for u.left > 0 {
		n, err := u.fill(&p, b[:min(int64(len(b)), u.left)])
		switch {
		case err == io.EOF: // the engine compares a stream's length itself
			return errBodyBroken
		case err != nil:
			return err
		}
		u.left -= int64(n)
		u.read.Store(u.left == 0)
		if err := u.write(b[:n]); err != nil {
			return err
		}
	}
	u.sent.Store(true)
	return nil
}

// splice moves a large body without taking it into this process, where both
// sides are plain sockets. The last part is left to length: a server answers when
// it has the whole body, which may be before Transfer returns, and by then read
// must say so.
func (u *upload) splice() error {
	moved, from, err := netio.Transfer(u.to.Conn, u.x.c.io, u.left-bulkBytes)
	u.left -= moved
	u.total += moved
	switch {
	case err == nil:
		return nil
	case !from:
		return errServer
	case isTimeout(err):
		return errBodySlow
	}
	return errBodyBroken
}

// chunks streams a chunked body: decoded, checked, and in chunks of our own, so
// that a client's tiny ones cost the server nothing.
func (u *upload) chunks(b []byte) error {
	var p pace
	data := b[chunkRoom : len(b)-chunkTail]
	here := u.bytes()
	total := int64(0)
	for {
		n := copy(data, here)
		if here = here[n:]; n == 0 {
			var err error
			if n, err = u.fill(&p, data); err != nil {
				return err
			}
		}
		plain, taken, err := u.decoder.Decode(data[:n])
		if err != nil {
			return err
		}
		total += int64(plain)
		if u.most > 0 && total > u.most {
			return errBodyLarge
		}
		if u.decoder.Done() {
			u.rest = append(append(u.rest, data[taken:n]...), here...)
			u.read.Store(true)
		}
		trailers := passing(u.decoder.Trailers(), u.x.route.Request)
		if err := u.write(frameChunk(b, plain, u.decoder.Done(), trailers)); err != nil {
			return err
		}
		if u.decoder.Done() {
			u.sent.Store(true)
			return nil
		}
	}
}

// pieces streams the body of a stream whose length nobody knows, in chunks.
func (u *upload) pieces(b []byte) error {
	var p pace
	data := b[chunkRoom : len(b)-chunkTail]
	total := int64(0)
	for {
		n, err := u.fill(&p, data)
		last := err == io.EOF
		if err != nil && !last {
			return err
		}
		if total += int64(n); u.most > 0 && total > u.most {
			return errBodyLarge
		}
		var trailers []h1.Field
		if last {
			trailers = passing(u.x.stream.Trailers(), u.x.route.Request)
			u.read.Store(true)
		}
		if err := u.write(frameChunk(b, n, last, trailers)); err != nil {
			return err
		}
		if last {
			u.sent.Store(true)
			return nil
		}
	}
}

// faulty tells whether the client's body ended the attempt.
func (u *upload) faulty() bool { return u.started && u.fault.Load() }

// busy tells whether body bytes moved within d: then the server is not late.
func (u *upload) busy(d time.Duration) bool {
	if !u.started || u.fault.Load() {
		return false
	}
	return !u.over.Load() || netio.Now()-u.moved.Load() < int64(d)
}

// lastWrite is how long an answer waits for the end of the request, when all of
// that was read from the client.
const lastWrite = 50 * time.Millisecond

// complete tells whether the whole body went to the server. The answer to a
// request often overtakes the return of the last write of it: that is waited
// for.
func (u *upload) complete() bool {
	if !u.started {
		return true
	}
	if u.read.Load() {
		select {
		case <-u.done:
		case <-time.After(lastWrite):
		}
	}
	return u.sent.Load()
}

// finished tells whether the whole body has gone to the server by now.
func (u *upload) finished() bool { return !u.started || u.sent.Load() }

// stop ends the goroutine, and tells whether the client's connection is still
// at the end of this request.
func (u *upload) stop() bool {
	if !u.started {
		return !u.waiting
	}
	if !u.sent.Load() {
		u.x.abortUpload()
		_ = u.to.Close()
	}
	<-u.done
	return u.sent.Load()
}
