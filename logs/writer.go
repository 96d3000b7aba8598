package logs

import (
	"context"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"doorward/internal/access"

	"go.uber.org/zap"
)

const (
	// flushDelay is how long the first line of a batch waits for others: one
	// wake-up of the writer and one system call then serve many requests.
	flushDelay = 50 * time.Millisecond
	// maxWrite is how much is handed to the output at once.
	maxWrite = 64 << 10
	// maxShards bounds how many batches are filled side by side.
	maxShards = 8
	// reportPause is the least time between two reports of lost lines.
	reportPause = 10 * time.Second
)

// encoder appends one line, with its newline, for a record. It is used by one
// goroutine.
type encoder interface {
	append(dst []byte, r *access.Record) []byte
}

// accessLog is one opened access log: batches that requests fill, and the
// goroutine that takes them away and writes them.
type accessLog struct {
	shards []shard
	lines  int // a batch may hold
	query  bool
	wake   chan struct{} // a batch has its first line
	filled chan struct{} // a batch is worth writing at once
	stop   chan struct{} // closed: write what is left and end
	done   chan struct{} // closed: ended
	once   sync.Once
	lost   atomic.Uint64

	// The rest belongs to the writer.
	sink     sink
	encoder  encoder
	log      *zap.Logger
	spare    *batch
	out      []byte
	pending  int // lines taken from a batch and not yet written or lost
	failing  bool
	reported uint64
	reportAt time.Time // of the last report
}

// shard is one batch that is being filled. Requests choose one by chance, so
// that many processors do not wait for one lock.
type shard struct {
	mu     sync.Mutex
	batch  *batch
	closed bool
	_      [40]byte // a cache line of its own
}

func newAccessLog(o AccessOptions, s sink, e encoder) *accessLog {
	n := min(runtime.GOMAXPROCS(0), maxShards)
	l := &accessLog{
		shards:  make([]shard, n),
		lines:   max(o.Size/n, 1),
		query:   o.Query,
		wake:    make(chan struct{}, 1),
		filled:  make(chan struct{}, 1),
		stop:    make(chan struct{}),
		done:    make(chan struct{}),
		sink:    s,
		encoder: e,
		log:     o.Log,
		spare:   &batch{},
	}
	for i := range l.shards {
		l.shards[i].batch = &batch{}
	}
	return l
}

// put takes over a record, or counts it as lost. It returns false when the log
// was closed.
func (l *accessLog) put(r *access.Record) bool {
	s := l.lock()
	if s.closed {
		s.mu.Unlock()
		return false
	}
	b := s.batch
	if b.holds(l.lines) {
		s.mu.Unlock()
		l.lost.Add(1)
		return true
	}
	enough := min(l.lines/2, flushLines)
	before := b.holds(enough)
	b.add(r, l.query)
	first, now := len(b.records) == 1, b.holds(enough)
	s.mu.Unlock()
	if first {
		signal(l.wake)
	}
	if now && !before {
		signal(l.filled)
	}
	return true
}

// lock locks a shard, one that is free if there is any.
func (l *accessLog) lock() *shard {
	n := uint32(len(l.shards))
	first := uint32(0)
	if n > 1 {
		first = rand.Uint32N(n)
	}
	for i := range n {
		if s := &l.shards[(first+i)%n]; s.mu.TryLock() {
			return s
		}
	}
	s := &l.shards[first]
	s.mu.Lock()
	return s
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // is under way already
	}
}

// close stops the log and waits until everything was written, or ctx ends. An
// output that hangs is left to itself.
func (l *accessLog) close(ctx context.Context) error {
	l.once.Do(func() {
		for i := range l.shards {
			l.shards[i].mu.Lock()
			l.shards[i].closed = true
			l.shards[i].mu.Unlock()
		}
		close(l.stop)
	})
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// run writes until the log is closed.
func (l *accessLog) run() {
	defer close(l.done)
	for !l.turn() {
	}
	l.sink.close()
}

// turn waits for lines and writes them; it reports whether they were the last.
// A panic in it costs the lines at hand.
func (l *accessLog) turn() (last bool) {
	defer func() {
		if p := recover(); p != nil {
			l.lost.Add(uint64(l.pending))
			l.pending = 0
			l.log.Error("access log writer", zap.Any("panic", p),
				zap.ByteString("stack", debug.Stack()))
		}
	}()
	select {
	case <-l.wake:
	case <-l.filled:
	case <-l.stop:
		l.drain()
		l.report(true)
		return true
	}
	select {
	case <-time.After(flushDelay):
	case <-l.filled:
	case <-l.stop:
	}
	l.drain()
	l.report(false)
	return false
}

// drain writes what the batches hold.
func (l *accessLog) drain() {
	for i := range l.shards {
		empty := l.spare
		if empty == nil {
			empty = &batch{}
		}
		s := &l.shards[i]
		s.mu.Lock()
		b := s.batch
		s.batch = empty
		s.mu.Unlock()
		l.spare = nil
		l.write(b)
		b.reset()
		l.spare = b
	}
}

func (l *accessLog) write(b *batch) {
	l.pending = len(b.records)
	l.out = l.out[:0]
	lines := 0
	for i := range b.records {
		l.out = l.encoder.append(l.out, &b.records[i])
		lines++
		if len(l.out) >= maxWrite {
			l.flush(lines)
			lines = 0
		}
	}
	if lines > 0 {
		l.flush(lines)
	}
}

// flush hands the encoded lines to the output, once: a line that cannot be
// written is lost, since others are waiting.
func (l *accessLog) flush(lines int) {
	n, err := l.sink.write(severityInfo, l.out)
	l.lost.Add(uint64(lines - n))
	l.pending -= lines
	l.out = l.out[:0]
	if err != nil && !l.failing {
		l.log.Error("access log cannot be written; requests go on", zap.Error(err))
	}
	l.failing = err != nil
}

// report says how many lines were lost, once the output works again and not too
// often. now asks for what is left to say.
func (l *accessLog) report(now bool) {
	lost := l.lost.Load()
	if lost == l.reported || l.failing && !now {
		return
	}
	if !now && time.Since(l.reportAt) < reportPause {
		return
	}
	l.log.Warn("access log lines lost", zap.Uint64("lines", lost-l.reported),
		zap.Uint64("total", lost))
	l.reported, l.reportAt = lost, time.Now()
}
