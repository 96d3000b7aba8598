package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"doorward/app"
	"doorward/internal/safe"
)

// errHurried is the end of a drain that a second signal cut short.
var errHurried = errors.New("stopped at once, requests were cut short")

// explained prints the mistakes of a configuration one a line, as check does;
// other errors are returned as they are.
func explained(err error) error {
	var faults *app.ConfigError
	if !errors.As(err, &faults) {
		return err
	}
	fmt.Fprintln(os.Stderr, faults)
	return errSilent
}

// signals are those that the process was sent.
type signals struct{ stop, other chan os.Signal }

// catchSignals begins to collect signals. It comes before the start, so that one
// which is sent during it takes effect after it and not by ending the process.
func catchSignals() signals {
	// A log that is piped into a program which has ended is no reason to end.
	signal.Ignore(syscall.SIGPIPE)
	s := signals{make(chan os.Signal, 2), make(chan os.Signal, 8)}
	signal.Notify(s.stop, syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(s.other, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	return s
}

// serve obeys signals until one of them says to stop, and stops.
func (s signals) serve(a *app.App) error {
	for {
		select {
		case <-s.stop:
			return drain(a, s.stop)
		case other := <-s.other:
			obey(a, other)
		}
	}
}

func obey(a *app.App, s os.Signal) {
	switch s {
	case syscall.SIGHUP:
		// The log has the outcome; nobody else is there to be told.
		_, _ = a.Reload()
	case syscall.SIGUSR1:
		a.ReopenLogs()
	}
}

// drain stops the instance. Requests that the end of timeouts.drain cuts short
// are in the log and no failure; a second signal is one.
func drain(a *app.App, stop <-chan os.Signal) error {
	ctx, hurry := context.WithTimeout(context.Background(), a.DrainTime())
	defer hurry()
	done := make(chan struct{})
	safe.Go(a.Log(), "stop", func() {
		defer close(done)
		_ = a.Stop(ctx)
	})
	select {
	case <-done:
		return nil
	case <-stop:
		hurry()
		<-done
		return errHurried
	}
}
