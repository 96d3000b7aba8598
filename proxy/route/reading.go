package route

// plainReading writes to dst how a lenient server may read path, which is
// canonical: %2F as a slash, parameters cut off, escaped delimiters decoded. The
// result has merged slashes and no dot segments, because CanonicalPath refuses
// paths that would show one here. It is never longer than path.
func plainReading(dst, path []byte) []byte {
	out := dst[:0]
	for i := 0; i < len(path); {
		c, n := path[i], 1
		if b, ok := unhex(path[i:]); ok && (b == '/' || pathClasses[b] == delim) {
			c, n = b, 3
		}
		if c == ';' {
			for i < len(path) && path[i] != '/' {
				i++
			}
			continue
		}
		if c != '/' || len(out) == 0 || out[len(out)-1] != '/' {
			out = append(out, c)
		}
		i += n
	}
	return out
}
