package logs

import (
	"context"
	"fmt"
	"sync/atomic"

	"doorward/internal/access"
	"doorward/internal/safe"

	"go.uber.org/zap"
)

// AccessOptions describes the access log. The zero value writes JSON to
// standard error.
type AccessOptions struct {
	// Format is "json", "haproxy" or "off"; "" means "json".
	Format string
	// Output says where lines go, as Options.Output does.
	Output string
	// Query puts the query of the request and of its referer into the line.
	// Tokens and codes travel there, so it is off by default.
	Query bool
	// Size is how many lines may wait for the output before further ones are
	// lost; 0 means 8192. Memory is taken as it is needed, at most 2 KiB a line.
	Size int
	// Log is told when lines are lost and when the output fails; nil: nobody.
	Log *zap.Logger
}

const defaultSize = 8192

// Access is the access log. A nil *Access logs nothing.
type Access struct {
	now  atomic.Pointer[accessLog] // nil: off
	lost atomic.Uint64             // by logs that were replaced
}

// NewAccess opens an access log. The error names the option at fault.
func NewAccess(o AccessOptions) (*Access, error) {
	a := &Access{}
	encode, ok := map[string]func() encoder{
		"": newJSON, "json": newJSON, "haproxy": newHAProxy, "off": nil,
	}[o.Format]
	if !ok {
		return nil, fmt.Errorf("access log format %q: %w, use json, haproxy or off",
			o.Format, ErrOption)
	}
	if encode == nil {
		return a, nil
	}
	s, err := openSink(o.Output, "access")
	if err != nil {
		return nil, fmt.Errorf("access log output: %w", err)
	}
	if o.Size <= 0 {
		o.Size = defaultSize
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	l := newAccessLog(o, s, encode())
	a.now.Store(l)
	safe.Go(o.Log, "access log", l.run)
	return a, nil
}

// Record hands over one request. It copies what it needs, never waits for the
// output, and may be called from many goroutines. When too many lines wait, the
// line is lost and counted.
func (a *Access) Record(r *access.Record) {
	if a == nil {
		return
	}
	for l := a.now.Load(); l != nil; {
		if l.put(r) {
			return
		}
		// Closed; by Replace, if there is another by now.
		next := a.now.Load()
		if next == l {
			l.lost.Add(1)
			return
		}
		l = next
	}
}

// Lost returns how many lines were lost since the start.
func (a *Access) Lost() uint64 {
	if a == nil {
		return 0
	}
	lost := a.lost.Load()
	if l := a.now.Load(); l != nil {
		lost += l.lost.Load()
	}
	return lost
}

// Replace lets a write as next was opened to, from now on, and returns what flushes and
// closes what it wrote to so far: that must be called, may take as long as the old output
// does, and returns the error of its ctx when that is too long. No record handed over
// before, during or after gets lost by it. next must not be used any more.
func (a *Access) Replace(next *Access) (flush func(context.Context) error) {
	old := a.now.Swap(next.now.Load())
	return func(ctx context.Context) error {
		if old == nil {
			return nil
		}
		err := old.close(ctx)
		a.lost.Add(old.lost.Load())
		return err
	}
}

// Reopen opens a file again, after it was rotated. On an error the old one stays
// in use.
func (a *Access) Reopen() error {
	if a == nil {
		return nil
	}
	if l := a.now.Load(); l != nil {
		return l.sink.reopen()
	}
	return nil
}

// Close writes what waits and closes the output, within the time of ctx.
// Records handed over later are lost.
func (a *Access) Close(ctx context.Context) error {
	if a == nil {
		return nil
	}
	if l := a.now.Load(); l != nil {
		return l.close(ctx)
	}
	return nil
}
