package app

import (
	"fmt"
	"strconv"
	"strings"
)

// Toolchain returns a warning about the release of Go that a binary was built
// with, as runtime.Version names it, or "" when it is one to trust with traffic.
//
// Releases before 1.27.4, and before 1.26.11 in the line of 1.26, let a client
// end the whole process from outside. Versions that are not releases are not
// judged.
func Toolchain(version string) string {
	release, ok := parseRelease(version)
	if !ok || !release.before(release127) || release.minor == 26 && !release.before(release126) {
		return ""
	}
	return fmt.Sprintf("built with %s, in which a client can end the process: "+
		"build it with go1.27.4 or go1.26.11, or newer", version)
}

// release is a release of Go 1.
type release struct{ minor, patch int }

// The oldest releases that are safe, in either supported line.
var (
	release126 = release{26, 11}
	release127 = release{27, 4}
)

func (r release) before(other release) bool {
	return r.minor < other.minor || r.minor == other.minor && r.patch < other.patch
}

// parseRelease reads "go1.27.4", and what distributions append after a space or
// a dash.
func parseRelease(version string) (r release, ok bool) {
	text, ok := strings.CutPrefix(version, "go1.")
	if !ok {
		return r, false
	}
	if end := strings.IndexAny(text, " -+"); end >= 0 {
		text = text[:end]
	}
	minor, patch, dotted := strings.Cut(text, ".")
	if before, _, candidate := strings.Cut(minor, "rc"); candidate {
		minor = before
	}
	var errs [2]error
	r.minor, errs[0] = strconv.Atoi(minor)
	if dotted {
		r.patch, errs[1] = strconv.Atoi(patch)
	}
	return r, errs[0] == nil && errs[1] == nil
}
