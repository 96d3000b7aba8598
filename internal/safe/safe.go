// Package safe starts goroutines that cannot take the process down.
//
// A panic that nobody recovers ends the whole process, and with it every
// connection, whatever goroutine it happened in. So code of ours never writes a
// bare go statement: it calls [Go], which recovers, reports the panic with its
// stack and lets the other goroutines live (a test in internal/house sees to
// it). What the goroutine was working on is lost with it; to close a connection
// or to start over is the duty of a defer in fn.
//
// Fatal errors of the runtime (concurrent map writes, a stack overflow, no
// memory) are no panics and pass through here.
package safe

import (
	"fmt"
	"os"
	"runtime/debug"

	"go.uber.org/zap"
)

// Go runs fn in a goroutine of its own. A panic in fn ends that goroutine
// alone and is written to log as one error that carries name and the stack. A
// nil log writes to standard error instead, since a panic must not go unseen.
func Go(log *zap.Logger, name string, fn func()) {
	go func() {
		defer Recover(log, name)
		fn()
	}()
}

// Recover is for a defer statement, directly and not inside another function:
//
//	defer safe.Recover(log, "request")
//
// It stops a panic of the surrounding function and reports it as [Go] does.
// Without a panic it does nothing.
func Recover(log *zap.Logger, name string) {
	if value := recover(); value != nil {
		report(log, name, value, debug.Stack())
	}
}

// report must not panic itself: it runs where nobody recovers any more, and the
// log ends in a sink that belongs to somebody else.
func report(log *zap.Logger, name string, value any, stack []byte) {
	defer func() {
		if again := recover(); again != nil {
			fmt.Fprintf(os.Stderr, "panic in %s, and again while reporting it\n%s", name, stack)
		}
	}()
	text := fmt.Sprint(value)
	if log == nil {
		fmt.Fprintf(os.Stderr, "panic in %s: %s\n%s", name, text, stack)
		return
	}
	log.Error("panic in goroutine",
		zap.String("goroutine", name),
		zap.String("panic", text),
		zap.ByteString("stack", stack))
}
