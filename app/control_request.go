package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// command answers one kind of request at the control socket: with something that
// becomes JSON, or with an error that becomes a status and a refusal.
type command func(r *http.Request) (any, error)

// ServeHTTP implements http.Handler.
func (do command) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, controlBody)
	body, err := do(r)
	status := http.StatusOK
	if err != nil {
		status, body = statusOf(err), refusal{err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// An error means that who asked is gone.
	_ = json.NewEncoder(w).Encode(body)
}

// refusal is the body of an answer that is not 200.
type refusal struct {
	Error string `json:"error"`
}

// askError is a fault of the request, with its status.
type askError struct {
	status int
	err    error
}

func (e *askError) Error() string { return e.err.Error() }

func (e *askError) Unwrap() error { return e.err }

// misasked is what cannot be understood.
func misasked(format string, args ...any) error {
	return &askError{http.StatusBadRequest, fmt.Errorf(format, args...)}
}

func statusOf(err error) int {
	var asked *askError
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return http.StatusRequestEntityTooLarge
	case errors.As(err, &asked):
		return asked.status
	case errors.Is(err, ErrNoBackend), errors.Is(err, ErrNoServer), errors.Is(err, ErrNoSticks):
		return http.StatusNotFound
	case errors.Is(err, ErrStopped):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// readBody takes one JSON object, which may have no other keys than into has.
func readBody(r *http.Request, into any) error {
	in := json.NewDecoder(r.Body)
	in.DisallowUnknownFields()
	if err := in.Decode(into); err != nil {
		return misasked("the body: %w", err)
	}
	switch _, err := in.Token(); {
	case err == nil:
		return misasked("the body: more than one JSON value")
	case !errors.Is(err, io.EOF):
		return misasked("the body: %w", err)
	}
	return nil
}

// readQuery takes the parameters behind the path. Those that are not known are
// refused: a mistyped one might widen what it was to narrow.
func readQuery(r *http.Request, known ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, misasked("the query: %w", err)
	}
	for name, values := range query {
		switch {
		case !slices.Contains(known, name):
			return nil, misasked("the query has %q, which is none of %q", name, known)
		case len(values) > 1:
			return nil, misasked("the query has %q twice", name)
		}
	}
	return query, nil
}

// Bounds of listings.
const (
	defaultListed = 100
	maxListed     = 100_000
)

// readLimit is how many rows a listing may have.
func readLimit(query url.Values) (int, error) {
	if !query.Has("limit") {
		return defaultListed, nil
	}
	n, err := strconv.Atoi(query.Get("limit"))
	if err != nil || n < 1 || n > maxListed {
		return 0, misasked("limit %q: a number from 1 to %d", query.Get("limit"), maxListed)
	}
	return n, nil
}
