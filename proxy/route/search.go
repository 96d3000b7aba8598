package route

// search is one Match under way.
type search struct {
	rules    []rule
	r        *Request
	lists    []*list
	pathFrom int32
}

// result decides the request on the candidates in lists.
func (s *search) result(known bool) Result {
	out := Result{Rule: -1, Path: s.r.Path, Known: known}
	if i := s.byHost(); i != none {
		out.Rule = int(i)
		return out
	}
	if s.pathFrom == none {
		return out
	}
	out.Canonical = true
	path, flags, ok := CanonicalPath(s.r.Scratch, s.r.Path)
	if !ok {
		out.Bad = true
		return out
	}
	out.Path = path
	i := s.byPath(path)
	if flags != 0 && s.ambiguous(i, path, flags) {
		out.Bad = true
		return out
	}
	if i != none {
		out.Rule = int(i)
	}
	return out
}

// byHost returns the first rule that takes the request, of those that come
// before every candidate that looks at the path.
func (s *search) byHost() int32 {
	best := s.pathFrom
	for _, l := range s.lists {
		best = s.first(l.rules, best)
	}
	if best == s.pathFrom {
		return none
	}
	return best
}

// byPath returns the first rule that takes the request with this path.
func (s *search) byPath(path []byte) int32 {
	best := int32(none)
	for _, l := range s.lists {
		best = s.inTree(&l.root, path[1:], best)
		for _, i := range l.rest {
			if i >= best {
				break
			}
			if u := &s.rules[i]; u.takesPath(path) && u.takes(s.r) {
				best = i
			}
		}
	}
	return best
}

// inTree returns the first rule before best whose prefix or exact path is, and
// which takes, what follows the leading slash.
func (s *search) inTree(n *node, path []byte, best int32) int32 {
	for {
		best = s.first(n.prefix, best)
		if n.children == nil {
			return best
		}
		segment, rest, more := cutSegment(path)
		if n = n.children[string(segment)]; n == nil {
			return best
		}
		if !more {
			best = s.first(n.prefix, best)
			return s.first(n.exact, best)
		}
		path = rest
	}
}

// first returns the first of rules before best that takes the request as far as
// method, client, header and query go, else best.
func (s *search) first(rules []int32, best int32) int32 {
	for _, i := range rules {
		if i >= best {
			break
		}
		if s.rules[i].takes(s.r) {
			return i
		}
	}
	return best
}

// ambiguous reports whether a server might read path, for which rule i was
// found, so that another rule would have had to decide. Only the rule that
// allows them lets encoded slashes pass at all.
func (s *search) ambiguous(i int32, path []byte, flags Flags) bool {
	if flags&EncodedSlash != 0 && (i == none || !s.rules[i].encodedSlashes) {
		return true
	}
	// The second reading lives behind the first, in the spare room of the same
	// buffer: a path with flags is never Request.Path itself.
	return s.byPath(plainReading(path[len(path):], path)) != i
}
