package config

import (
	"errors"
	"fmt"
	"strings"
)

// Severity says whether a Diagnostic makes the configuration unusable.
type Severity uint8

// Error makes the configuration unusable; Warning is legal but unwise.
const (
	Error Severity = iota
	Warning
)

// Diagnostic is one thing that is wrong with, or unwise in, a configuration.
// It never holds the value of a variable or of a file that a string refers to.
type Diagnostic struct {
	// File is the file as it was named to Load, or as an include found it.
	File string
	// Line and Column count from 1, columns in characters. Both are 0 when the
	// file as a whole is meant.
	Line, Column int
	// Key is the full dotted key, "route[2].paths[0]" or "backends.web.tls".
	// Indices count over all files in the order they are read. May be empty.
	Key string
	// Message says what is wrong.
	Message string
	// Hint says how to mend it, such as `did you mean "hosts"?`. May be empty.
	Hint string
	// Severity is Error unless it says otherwise.
	Severity Severity
}

// String returns "file:line:column: key: message (hint)", with "warning: "
// before the key of a warning.
func (d Diagnostic) String() string {
	var b strings.Builder
	b.WriteString(d.File)
	if d.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", d.Line, d.Column)
	}
	b.WriteString(": ")
	if d.Severity == Warning {
		b.WriteString("warning: ")
	}
	if d.Key != "" {
		b.WriteString(d.Key + ": ")
	}
	b.WriteString(d.Message)
	if d.Hint != "" {
		b.WriteString(" (" + d.Hint + ")")
	}
	return b.String()
}

// Diagnostics is everything found in one configuration, in the order of the
// files and of the lines in them.
type Diagnostics []Diagnostic

// Errors returns the errors alone.
func (ds Diagnostics) Errors() Diagnostics { return ds.only(Error) }

// Warnings returns the warnings alone.
func (ds Diagnostics) Warnings() Diagnostics { return ds.only(Warning) }

func (ds Diagnostics) only(s Severity) Diagnostics {
	var out Diagnostics
	for _, d := range ds {
		if d.Severity == s {
			out = append(out, d)
		}
	}
	return out
}

// String returns one line for each, without a newline at the end.
func (ds Diagnostics) String() string {
	lines := make([]string, len(ds))
	for i, d := range ds {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns nil when there are no errors, else one error whose text has a
// line for each of them.
func (ds Diagnostics) Err() error {
	errs := ds.Errors()
	if len(errs) == 0 {
		return nil
	}
	return errors.New(errs.String())
}
