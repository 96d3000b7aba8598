package app

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Report is what a reload did.
type Report struct {
	// Changes are what is different now, in words; empty when nothing is.
	Changes []string `json:"changes"`
	// Warnings are what is legal but unwise in the new configuration.
	Warnings []string `json:"warnings"`
	// Milliseconds is how long it took.
	Milliseconds int64 `json:"took_ms"`
}

// errPanic is what a reload ends with that met a mistake in Doorward itself.
var errPanic = errors.New("a panic, please report it: its stack is in the log")

// Reload reads the configuration file again and makes it the one in force. After
// an error everything is as it was before, and the log has one line about it.
func (a *App) Reload() (Report, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return Report{}, ErrStopped
	}
	a.notify.reloading()
	report, err := a.guardedReload()
	log, when := a.current.log, time.Now().Format(time.TimeOnly)
	if err != nil {
		a.reloads.Refused++
		a.reloads.FailedAt, a.reloads.Error = time.Now(), err.Error()
		log.Error("reload refused, the old configuration stays in force", zap.Error(err))
		line, _, _ := strings.Cut(err.Error(), "\n")
		a.notify.ready(fmt.Sprintf("serving; reload refused at %s: %s", when, line))
		return Report{}, err
	}
	a.reloads.Done++
	a.reloads.FailedAt, a.reloads.Error = time.Time{}, ""
	log.Info("reloaded", zap.Strings("changes", report.Changes),
		zap.Int64("took_ms", report.Milliseconds))
	a.notify.ready("serving; reloaded at " + when)
	return report, nil
}

// guardedReload makes an error of a panic: a reload may not end the process.
func (a *App) guardedReload() (_ Report, err error) {
	defer func() {
		if p := recover(); p != nil {
			a.current.log.Error("panic in a reload", zap.Any("panic", p),
				zap.ByteString("stack", debug.Stack()))
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	return a.reload()
}

func (a *App) reload() (Report, error) {
	began := time.Now()
	old := a.current
	next, err := build(a.options, old)
	if err != nil {
		return Report{}, err
	}
	opened, err := a.openAll(next)
	if err != nil {
		next.discard(old)
		return Report{}, err
	}
	// Nothing below this line can fail.
	a.commit(next, opened)
	old.retire(next)
	// A mail server that hangs must not hold up the reload.
	a.behind("alerts", func() { old.stopAlerts(next) })
	next.warn()
	report := Report{
		Changes: next.diff(old), Warnings: []string{},
		Milliseconds: time.Since(began).Milliseconds(),
	}
	for _, w := range next.warnings {
		report.Warnings = append(report.Warnings, w.String())
	}
	return report, nil
}
