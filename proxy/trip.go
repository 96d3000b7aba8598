package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"doorward/internal/safe"
	"doorward/proxy/h1"
	"doorward/proxy/netio"
)

var errDeadline = errors.New("the client's deadline has passed")

// trip is one request to a server that speaks HTTP/2. What net/http does for it runs
// in goroutines that are not ours and may outlive it: they meet the exchange here, and
// no longer than the trip lasts.
type trip struct {
	x       *exchange
	context context.Context
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	// slow is when somebody looks whether the client of HTTP/1 still waits, nil for never.
	slow *time.Timer
	// deadline is that of a gRPC call, nil for none.
	deadline *time.Timer
	// limit is how long the server may be silent.
	limit  time.Duration
	reused bool
	answer *http.Response

	// moved is when bytes moved last in any direction. Reading says that the client is
	// waited for, whole that its body was read to the end, asking that the server is
	// waited for, answered that the head of the answer is here.
	moved                            atomic.Int64
	reading, whole, asking, answered atomic.Bool

	// body is held while net/http reads the body of the request; shut ends that, and
	// closing is held while it is.
	body, closing sync.Mutex
	shut          atomic.Bool

	// talk guards the 1xx answers that were heard; telling is closed when those are
	// with the client, quiet says that no more are wanted.
	talk    sync.Mutex
	heard   []informational
	heards  int
	telling chan struct{}
	quiet   bool
	// out is held by who says something to the client before the answer; over forbids
	// that.
	out  sync.Mutex
	over bool

	ending sync.Once
	log    *zap.Logger
}

// informational is a 1xx answer on its way to the client.
type informational struct {
	status int
	header textproto.MIMEHeader
}

func (x *exchange) newTrip() *trip {
	t := &trip{x: x, limit: x.route.ServerTimeout, log: x.e.log}
	ctx, cancel := context.WithCancelCause(context.Background())
	t.cancel = cancel
	if d, ok := x.callTimeout(); ok {
		t.deadline = time.AfterFunc(d, func() { cancel(errDeadline) })
	}
	t.context = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: t.gotConn, Got1xxResponse: t.inform,
	})
	t.asking.Store(true)
	t.moved.Store(netio.Now())
	t.timer = time.AfterFunc(t.limit, t.late)
	if x.watchable() {
		t.slow = time.AfterFunc(slowAnswer, t.watch)
	}
	var leaves <-chan struct{} = x.e.cutting
	if x.stream != nil {
		leaves = x.presence.channel()
	} else if x.c.trip.Store(t); x.c.severed.Load() { // cut sees the trip, or we this
		cancel(errClientGone)
	}
	safe.Go(x.e.log, "round trip", func() {
		select {
		case <-leaves:
			cancel(errClientGone)
		case <-ctx.Done():
		}
		_ = t.Close() // net/http looks at the context when the client has sent something
	})
	return t
}

// end ends the trip, whether there is an answer or not. Only the first call counts.
func (t *trip) end() {
	t.ending.Do(func() {
		t.timer.Stop()
		if t.deadline != nil {
			t.deadline.Stop()
		}
		if t.answer != nil {
			_ = t.answer.Body.Close()
		}
		t.cancel(errEnded)
		if t.x.stream == nil {
			t.x.c.trip.CompareAndSwap(t, nil)
		}
		t.hush()
		t.closeFeed()
	})
}

var errEnded = errors.New("the exchange has ended")

// gotConn notes when the connection was there.
func (t *trip) gotConn(info httptrace.GotConnInfo) {
	x := t.x
	t.reused = info.Reused
	if x.connectedAt = x.queuedAt; !info.Reused {
		x.connectedAt = netio.Now()
	}
	t.moved.Store(netio.Now())
}

// late ends a trip on which the server was silent for too long. While it has nothing
// to answer yet, since the body is still on its way, it is not late; nor while the
// client takes nothing of the answer.
func (t *trip) late() {
	if t.context.Err() != nil {
		return
	}
	rest := t.limit
	if t.asking.Load() && (t.answered.Load() || !t.reading.Load()) {
		rest -= time.Duration(netio.Now() - t.moved.Load())
	}
	if rest <= 0 {
		t.cancel(errStall)
		return
	}
	t.timer.Reset(rest)
}

// watch begins a vigil, unless the answer is here.
func (t *trip) watch() {
	t.talk.Lock()
	defer t.talk.Unlock()
	if !t.quiet {
		t.x.keepVigil(t.x.c.cut)
	}
}

// inform hears of a 1xx answer. It may not wait: every request on the connection
// would.
func (t *trip) inform(status int, header textproto.MIMEHeader) error {
	t.talk.Lock()
	defer t.talk.Unlock()
	if status == http.StatusSwitchingProtocols {
		return errUnasked
	}
	if t.heards++; t.heards > maxInformational {
		return errInformational
	}
	if t.quiet {
		return nil
	}
	t.heard = append(t.heard, informational{status, header})
	if t.telling == nil {
		done := make(chan struct{})
		t.telling = done
		safe.Go(t.log, "informational answers", func() {
			defer close(done)
			t.tell()
		})
	}
	return nil
}

// tell passes on what was heard, until there is no more.
func (t *trip) tell() {
	for {
		t.talk.Lock()
		if len(t.heard) == 0 {
			t.telling = nil
			t.talk.Unlock()
			return
		}
		next := t.heard[0]
		t.heard = t.heard[1:]
		t.talk.Unlock()
		if !t.say(func() bool { return t.pass(next) }) {
			t.cancel(errClientGone)
		}
	}
}

// say says something to the client, unless the answer is next. It tells whether the
// client is still there.
func (t *trip) say(it func() bool) bool {
	t.out.Lock()
	defer t.out.Unlock()
	return t.over || it()
}

// pass passes on a 1xx answer.
func (t *trip) pass(i informational) bool {
	x := t.x
	x.srv.clear()
	b, err := appendHead(x.srv.b[:0], i.status, http.Header(i.header))
	if err == nil {
		b = append(b, "\r\n"...)
		x.srv.b = b[:cap(b)]
		_, err = h1.ParseResponse(b, &x.resp, answerLimits)
	}
	return err != nil || x.passInformational(0).cause == none
}

// hush waits until the client has heard what there was to say before the answer, and
// lets nothing more be said. Nobody looks after the client any more then.
func (t *trip) hush() {
	t.talk.Lock()
	t.quiet = true
	done := t.telling
	t.talk.Unlock()
	if t.slow != nil {
		t.slow.Stop()
		t.x.endVigil()
	}
	if done != nil {
		<-done
	}
	t.out.Lock()
	t.over = true
	t.out.Unlock()
}
