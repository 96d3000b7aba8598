// Command doorward is the edge of a company's network in one program.
//
// This package owns flags, signals, what is printed and the exit code: 0 is
// well, 1 is not, 2 is a command line that makes no sense. What the program does
// is in package app.
package main

import (
	"errors"
	"fmt"
	"os"
)

// Exit codes besides 0.
const (
	exitFailure = 1
	exitUsage   = 2
)

func main() { os.Exit(run(os.Args[1:])) }

// run is main with an exit code. Commands print what is wrong in their own words
// and return errSilent, or return an error that stands for itself.
func run(args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.Execute()
	var usage *usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "doorward: %v\n", err)
		return exitUsage
	case !errors.Is(err, errSilent):
		fmt.Fprintf(os.Stderr, "doorward: %v\n", err)
	}
	return exitFailure
}

// errSilent is a failure about which all was said.
var errSilent = errors.New("failure")

// usageError is a command line that cannot be understood.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
