package portal

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
)

// maxBody is what a form may have, maxQuery what a query may, in bytes: the
// longest answer of a provider is far below.
const (
	maxBody  = 64 << 10
	maxQuery = 16 << 10
)

var (
	errTwice    = errors.New("a parameter is given twice")
	errTooLarge = errors.New("the request is too large")
	errForm     = errors.New("the request is not a form as our pages send it")
)

// query returns the parameters of the address. Each may come once: of two, this
// program and the one before it might each believe another (RFC 6749 section 3.1). A
// fragment may: scripts add it to addresses that may have one, and it decides nothing.
func query(r *http.Request) (url.Values, error) {
	if len(r.URL.RawQuery) > maxQuery {
		return nil, errTooLarge
	}
	return parseOnce(r.URL.RawQuery, "fragment")
}

// form returns the fields of a request's body, and nothing of its address. Only
// what a plain HTML form sends is one.
func form(r *http.Request) (url.Values, error) { return formWith(r, "") }

// formWith is form where one field may come any number of times.
func formWith(r *http.Request, many string) (url.Values, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" ||
		len(r.Header.Values("Content-Type")) != 1 {
		return nil, errForm
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the form: %w", err)
	case len(body) > maxBody:
		return nil, errTooLarge
	}
	return parseOnce(string(body), many)
}

func parseOnce(raw, many string) (url.Values, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errForm, err)
	}
	for name, v := range values {
		if len(v) > 1 && name != many {
			return nil, errTwice
		}
	}
	return values, nil
}

// statusOf is the status for an error of query or form.
func statusOf(err error) int {
	if errors.Is(err, errTooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}
