package route

import "regexp"

// list holds the rules of one host, wildcard or pattern, or of all hosts. Every
// slice of rules in it is in the order of the file.
type list struct {
	rules []int32
	// pathFrom is the first of rules that decides on the canonical path.
	pathFrom int32
	// root is the tree of prefixes and exact paths.
	root node
	// rest holds the rules without paths or with regular expressions for them.
	rest []int32
}

// node is a place in a tree of path segments. The root stands for "/", and the
// path "/a/" has a last segment that is empty.
type node struct {
	children map[string]*node
	// prefix are the rules for this path and all below, exact those for this
	// path alone.
	prefix, exact []int32
}

// pattern is a regular expression for hosts, shared by the rules that have it.
type pattern struct {
	re   *regexp.Regexp
	list *list
}

func newList() *list { return &list{pathFrom: none} }

// add appends rule i, unless it is the last in the list already. Rules are added
// in the order of the file.
func (l *list) add(i int32, u *rule) {
	if n := len(l.rules); n > 0 && l.rules[n-1] == i {
		return
	}
	l.rules = append(l.rules, i)
	if u.onPath {
		l.pathFrom = min(l.pathFrom, i)
	}
	inRest := len(u.paths) == 0
	for _, p := range u.paths {
		switch p.kind {
		case prefixPath:
			n := l.root.at(p.text)
			n.prefix = append(n.prefix, i)
		case exactPath:
			n := l.root.at(p.text)
			n.exact = append(n.exact, i)
		case regexpPath:
			inRest = true
		}
	}
	if inRest {
		l.rest = append(l.rest, i)
	}
}

// at returns the node of path, made if need be. The empty path, which is the
// prefix "/", is the root itself.
func (n *node) at(path string) *node {
	if path == "" {
		return n
	}
	segment, rest, more := cutSegment(path[1:])
	for n = n.child(segment); more; n = n.child(segment) {
		segment, rest, more = cutSegment(rest)
	}
	return n
}

func (n *node) child(segment string) *node {
	if n.children == nil {
		n.children = make(map[string]*node)
	}
	c := n.children[segment]
	if c == nil {
		c = &node{}
		n.children[segment] = c
	}
	return c
}

// cutSegment cuts off the first segment of path, which has no leading slash.
func cutSegment[T []byte | string](path T) (segment, rest T, more bool) {
	for i := range len(path) {
		if path[i] == '/' {
			return path[:i], path[i+1:], true
		}
	}
	return path, path[:0], false
}
