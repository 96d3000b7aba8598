package health

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Change is a server that went up or down.
type Change struct {
	// Backend and Server name it.
	Backend, Server string
	// Up is what it is now.
	Up bool
	// Reason is the result that made the difference, as Result.String has it, or what
	// people did.
	Reason string
	// LastState is how long it was what it was before.
	LastState time.Duration
	// Left is how many servers of the backend take requests now, Backups how many
	// backup servers; 0 when nobody knows.
	Left, Backups int
	// At is when it happened.
	At time.Time
}

// tell writes a change to the log and hands it on. It belongs to the goroutine of
// the server, so that changes of one server keep their order.
func (w *watch) tell(up bool, reason string, was Status) {
	c := Change{
		Backend: w.place.backend, Server: w.place.server,
		Up: up, Reason: reason, LastState: was.lived(w.state.LastChange), At: w.state.LastChange,
	}
	known := w.options.Left != nil
	if known {
		c.Left, c.Backups = w.options.Left(c.Backend)
	}
	level, text := zapcore.WarnLevel, "server is down"
	switch {
	case up:
		level, text = zapcore.InfoLevel, "server is up"
	case known && c.Left+c.Backups == 0:
		level, text = zapcore.ErrorLevel, "server is down, and its backend has no other"
	}
	w.log.Log(level, text, append(w.about(reason),
		zap.Duration("last_state", c.LastState),
		zap.Int("left", c.Left),
		zap.Int("backups_left", c.Backups))...)
	if w.options.Changed != nil {
		w.options.Changed(c)
	}
}

// note writes a result to the log that is another than before and makes no
// difference to requests.
func (w *watch) note(r Result) {
	if r.Outcome.OK() {
		w.log.Info("check passed", w.about(r.String())...)
		return
	}
	w.log.Warn("check failed", w.about(r.String())...)
}

func (w *watch) about(reason string) []zap.Field {
	state := "down"
	if w.state.Up() {
		state = "up"
	}
	return []zap.Field{
		zap.String("state", state),
		zap.String("health", w.state.Counter.String()),
		zap.String("reason", reason),
		zap.Stringer("check", w.state.Last.Outcome),
		zap.Int("code", w.state.Last.Code),
		zap.Duration("took", w.state.Last.Took),
	}
}
