package route

import "bytes"

// Prefix is a canonical path prefix, to be cut off or put in front of canonical
// paths. The zero Prefix is "/", which every path has. Make others with
// ParsePrefix.
type Prefix struct {
	// text has no slash at its end, so that "/" is empty.
	text string
}

// ParsePrefix reads a prefix as in Rule.Paths: "/api" and "/api/" are the same.
func ParsePrefix(text string) (Prefix, error) {
	key, err := compilePrefix(text)
	return Prefix{key.text}, err
}

// String returns the prefix as a path.
func (p Prefix) String() string {
	if p.text == "" {
		return "/"
	}
	return p.text
}

// In reports whether path, which is canonical, is the prefix or below it.
func (p Prefix) In(path []byte) bool {
	rest, ok := bytes.CutPrefix(path, []byte(p.text))
	return ok && len(path) > 0 && (len(rest) == 0 || rest[0] == '/')
}

// Strip returns path, which is canonical, without the prefix; untouched if it
// has not got it. The result aliases path, starts with a slash and is canonical.
func (p Prefix) Strip(path []byte) []byte {
	switch {
	case !p.In(path):
		return path
	case len(path) == len(p.text):
		return path[:1]
	}
	return path[len(p.text):]
}

// Replace returns path, which is canonical, with to in the place of the prefix;
// untouched if it has not got it. The result is canonical and aliases dst, which
// is overwritten from its start, may be nil and must not overlap path, or path.
func (p Prefix) Replace(dst, path []byte, to Prefix) []byte {
	if !p.In(path) {
		return path
	}
	dst = append(append(dst[:0], to.text...), path[len(p.text):]...)
	if len(dst) == 0 {
		dst = append(dst, '/')
	}
	return dst
}
