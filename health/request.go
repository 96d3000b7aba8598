package health

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Request is what an HTTP check asks for.
type Request struct {
	// Method is "GET" if empty, Path "/", Version "1.1"; the others are "1.0" and "2",
	// which is spoken without an upgrade.
	Method, Path, Version string
	// Host is the Host field; HTTP/1.1 and HTTP/2 must have one.
	Host string
	// Fields are more of them, by name.
	Fields map[string]string
	// Body is what follows.
	Body string
}

// bytes is the request on the wire. It asks for the connection to be closed, so
// that the end of an answer without a length is seen.
func (r Request) bytes() ([]byte, error) {
	if err := r.wrong(); err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/%s\r\n", r.Method, r.Path, r.Version)
	field := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	if r.Host != "" {
		field("Host", r.Host)
	}
	names := slices.Sorted(maps.Keys(r.Fields))
	if !slices.ContainsFunc(names, same("User-Agent")) {
		field("User-Agent", "Doorward check")
	}
	field("Connection", "close")
	for _, name := range names {
		field(name, r.Fields[name])
	}
	if r.Body != "" || slices.Contains([]string{"POST", "PUT", "PATCH"}, r.Method) {
		field("Content-Length", fmt.Sprint(len(r.Body)))
	}
	b.WriteString("\r\n" + r.Body)
	return []byte(b.String()), nil
}

func same(name string) func(string) bool {
	return func(other string) bool { return strings.EqualFold(name, other) }
}

// wrong finds what would not arrive as it was meant.
func (r Request) wrong() error {
	outside := func(c rune) bool { return c <= ' ' || c >= 0x7f }
	switch {
	case r.Version != "1.0" && r.Version != "1.1" && r.Version != "2":
		return fmt.Errorf("version %q: 1.0, 1.1 or 2", r.Version)
	case !httpguts.ValidHeaderFieldName(r.Method):
		return fmt.Errorf("method %q has characters that a method cannot have", r.Method)
	case r.Path != "*" && r.Path[0] != '/':
		return fmt.Errorf("path %q does not begin with a slash", r.Path)
	case strings.ContainsFunc(r.Path, outside):
		return fmt.Errorf("path %q: write all but visible ASCII as %%XX", r.Path)
	case r.Host == "" && r.Version != "1.0":
		return fmt.Errorf("no host, and HTTP/%s must have one", r.Version)
	case !httpguts.ValidHostHeader(r.Host):
		return fmt.Errorf("host %q has characters that a host cannot have", r.Host)
	}
	own := []string{"Host", "Connection", "Content-Length", "Transfer-Encoding"}
	for name, value := range r.Fields {
		switch {
		case slices.ContainsFunc(own, same(name)):
			return fmt.Errorf("field %q is not free to choose", name)
		case !httpguts.ValidHeaderFieldName(name):
			return fmt.Errorf("field %q has characters that a name cannot have", name)
		case !httpguts.ValidHeaderFieldValue(value):
			return fmt.Errorf("field %q: its value has control characters", name)
		}
	}
	return nil
}
