package stats

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"doorward/internal/safe"

	"go.uber.org/zap"
)

const (
	// heartbeat is the longest silence of an event stream, so that nothing between
	// here and the browser takes it for dead.
	heartbeat = 15 * time.Second
	// eventWait is how long a browser may take to read an event.
	eventWait = 10 * time.Second
)

// hub makes events of pictures, once for all who listen. It looks at pictures only
// while somebody does.
type hub struct {
	sampler *Sampler
	most    int
	ctx     context.Context // the end of it is the end of all streams
	stamp   string          // the Page's
	log     *zap.Logger

	mu        sync.Mutex // for all below
	listeners map[*listener]struct{}
	stop      context.CancelFunc // of the goroutine that follows the pictures
	last      texts
}

// listener is one event stream.
type listener struct {
	events chan []byte // of one place; closed when the hub gives up
	// whole says that it missed something, or everything, and needs it all.
	whole bool
}

func newHub(ctx context.Context, o PageOptions, stamp string) *hub {
	return &hub{
		sampler: o.Sampler, most: o.Listeners, ctx: ctx, log: o.Log, stamp: stamp,
		listeners: map[*listener]struct{}{},
	}
}

// join adds a listener; nil when there are too many or the end has come.
func (h *hub) join() *listener {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.listeners) >= h.most || h.ctx.Err() != nil {
		return nil
	}
	l := &listener{events: make(chan []byte, 1), whole: true}
	h.listeners[l] = struct{}{}
	if h.stop == nil {
		var ctx context.Context
		ctx, h.stop = context.WithCancel(h.ctx)
		safe.Go(h.log, "stats page", func() { h.follow(ctx) })
	}
	return l
}

func (h *hub) leave(l *listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.listeners, l)
	if len(h.listeners) == 0 && h.stop != nil {
		h.stop()
		h.stop = nil
	}
}

// follow tells the listeners of every picture until ctx is done. However it ends,
// who still listens is sent away and comes back by itself.
func (h *hub) follow(ctx context.Context) {
	defer h.dismiss(ctx)
	pictures, ok := h.sampler.Subscribe(ctx)
	if !ok {
		return
	}
	var history History
	var charted time.Time
	size := 0
	for p := range pictures {
		if p.Node.Now.Sub(charted) >= Step {
			history, charted = h.sampler.History(), p.Node.Now
		}
		now := newModel(&p, &history, h.stamp).texts(size)
		size = len(now.items)
		h.tell(ctx, now)
	}
}

// dismiss ends the streams, unless all left and others came: those have a
// goroutine of their own.
func (h *hub) dismiss(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil && h.ctx.Err() == nil {
		return
	}
	for l := range h.listeners {
		close(l.events)
		delete(h.listeners, l)
	}
	if h.stop != nil {
		h.stop()
		h.stop = nil
	}
}

// tell never waits. A listener that is slow misses an event and gets everything
// with the one after it.
func (h *hub) tell(ctx context.Context, now texts) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	changed := event(now.since(&h.last))
	h.last = now
	var all []byte
	for l := range h.listeners {
		e := changed
		if l.whole {
			if all == nil {
				all = event(now.since(&texts{}))
			}
			e = all
		}
		select {
		case l.events <- e:
			l.whole = false
		default:
			l.whole = true
		}
	}
}

func event(m message) []byte {
	data, err := json.Marshal(m)
	if err != nil {
		panic(err) // maps of strings
	}
	return fmt.Appendf(nil, "data: %s\n\n", data)
}

// serve is one event stream.
func (h *hub) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		refuse(w, http.StatusMethodNotAllowed)
		return
	}
	l := h.join()
	if l == nil {
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusServiceUnavailable)
		return
	}
	defer h.leave(l)
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // nginx in front would hold events back
	out := http.NewResponseController(w)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	next := []byte("retry: 2000\n\n")
	for {
		// Only net/http's own server needs it: ours watches its clients itself.
		_ = out.SetWriteDeadline(time.Now().Add(eventWait))
		if _, err := w.Write(next); err != nil {
			return
		}
		if err := out.Flush(); err != nil {
			return
		}
		var open bool
		select {
		case next, open = <-l.events:
			if !open {
				return
			}
			beat.Reset(heartbeat)
		case <-beat.C:
			next = []byte(":\n\n")
		case <-r.Context().Done():
			return
		case <-h.ctx.Done():
			return
		}
	}
}
