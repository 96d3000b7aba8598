package app

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"doorward/internal/safe"
	"doorward/logs"
	"doorward/proxy"
)

// flushTime is how long the lines of an access log that was replaced may take to
// be written.
const flushTime = 5 * time.Second

// logSet are the logs of a generation. The two logs themselves live as long as
// the process, so that whoever holds a logger may keep it; a generation whose
// options differ brings along the outputs that they turn to when it comes into
// force.
type logSet struct {
	log     *zap.Logger
	process *logs.Process
	access  *logs.Access

	processOptions logs.Options
	accessOptions  logs.AccessOptions
	// What was opened for the turn; nil where nothing changed.
	nextProcess *logs.Process
	nextAccess  *logs.Access
}

// noAccess is log.access for no access log.
const noAccess = "off"

func (g *generation) buildLogs(o Options, previous *generation) error {
	c := g.cfg.Log
	output := string(c.Output)
	g.processOptions = logs.Options{Level: c.Level, Format: c.Format, Output: output}
	g.accessOptions = logs.AccessOptions{Format: c.Access, Output: output, Query: c.Query}
	if o.dry {
		// To open a file would make it.
		g.log = zap.NewNop()
		return placed(g.cfg.At("log", "output"), logs.CheckOutput(output))
	}
	if previous == nil {
		return placed(g.cfg.At("log"), g.firstLogs())
	}
	g.log, g.process, g.access = previous.log, previous.process, previous.access
	var errs [2]error
	if g.processOptions != previous.processOptions {
		g.nextProcess, errs[0] = logs.New(g.processOptions)
	}
	if g.accessOptions != previous.accessOptions {
		o := g.accessOptions
		o.Log = g.log
		g.nextAccess, errs[1] = logs.NewAccess(o)
	}
	return placed(g.cfg.At("log"), errors.Join(errs[:]...))
}

// firstLogs opens the logs of the first generation.
func (g *generation) firstLogs() (err error) {
	if g.process, err = logs.New(g.processOptions); err != nil {
		return err
	}
	g.log = g.process.Logger()
	o := g.accessOptions
	o.Log = g.log
	g.access, err = logs.NewAccess(o)
	return err
}

// accessLog is what the engine reports requests to; nil spares it the work.
func (l *logSet) accessLog() proxy.AccessLog {
	if l.accessOptions.Format == noAccess {
		return nil
	}
	return l.access
}

// turnLogs makes the logs write as this generation says. Files that stay are
// opened again, which is what a rotation of logs waits for.
func (l *logSet) turnLogs() {
	l.reopenLogs()
	if l.nextProcess != nil {
		l.process.Replace(l.nextProcess)
	}
	if next := l.nextAccess; next != nil {
		flush := l.access.Replace(next)
		// An output that hangs must not hold up the reload.
		safe.Go(l.log, "access log", func() {
			ctx, cancel := context.WithTimeout(context.Background(), flushTime)
			defer cancel()
			if err := flush(ctx); err != nil {
				l.log.Warn("access log lines of the old output lost", zap.Error(err))
			}
		})
	}
	l.nextProcess, l.nextAccess = nil, nil
}

// reopenLogs opens log files again.
func (l *logSet) reopenLogs() {
	if err := errors.Join(l.process.Reopen(), l.access.Reopen()); err != nil {
		l.log.Warn("log file not opened again, the old one stays in use", zap.Error(err))
	}
}

// discardLogs closes what was opened for a generation that did not come into
// force.
func (l *logSet) discardLogs(previous *generation) {
	process, access := l.nextProcess, l.nextAccess
	if previous == nil {
		process, access = l.process, l.access
	}
	if process != nil {
		_ = process.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	_ = access.Close(ctx)
}

// closeLogs writes out what the logs still hold.
func (l *logSet) closeLogs(ctx context.Context) error {
	return errors.Join(l.access.Close(ctx), l.process.Close())
}
