package app

import (
	"errors"
	"strings"

	"doorward/config"
	"doorward/tls"
)

// ConfigError holds everything that is wrong with a configuration, be it in the
// text or found when something was to be built from it.
type ConfigError struct {
	// Diagnostics are all findings, warnings too.
	Diagnostics config.Diagnostics
}

// Error lists the errors, one a line.
func (e *ConfigError) Error() string { return e.Diagnostics.Errors().String() }

// placedError is an error of the build with the place in the configuration that
// it comes from.
type placedError struct {
	place config.Diagnostic
	err   error
}

func (e *placedError) Error() string { return e.err.Error() }

func (e *placedError) Unwrap() error { return e.err }

// placed says where err comes from; without an error it is nil.
func placed(place config.Diagnostic, err error) error {
	if err == nil {
		return nil
	}
	return &placedError{place, err}
}

// diagnose takes joined errors apart and gives each its place.
func diagnose(err error, place config.Diagnostic) config.Diagnostics {
	var list interface{ Unwrap() []error }
	var at *placedError
	var file *tls.FileError
	switch {
	case err == nil:
		return nil
	case asItself(err, &at):
		return diagnose(at.err, at.place)
	case asItself(err, &list) && isJoin(err, list.Unwrap()):
		var out config.Diagnostics
		for _, e := range list.Unwrap() {
			out = append(out, diagnose(e, place)...)
		}
		return out
	case asItself(err, &file):
		place.Message, place.Hint = file.File+": "+file.Err.Error(), file.Mend
		return config.Diagnostics{place}
	}
	place.Message = err.Error()
	return config.Diagnostics{place}
}

// asItself is errors.As without what err wraps.
func asItself[T any](err error, target *T) bool {
	e, ok := err.(T)
	if ok {
		*target = e
	}
	return ok
}

// isJoin tells whether an error says no more than its parts do.
func isJoin(err error, parts []error) bool {
	texts := make([]string, len(parts))
	for i, e := range parts {
		texts[i] = e.Error()
	}
	return err.Error() == strings.Join(texts, "\n")
}

// unnamed takes off the prefix that a package put before its own errors, where
// the place says the same.
func unnamed(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
