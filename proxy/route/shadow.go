package route

import "strings"

// Shadow names a rule that no request can come to.
type Shadow struct {
	// Rule is the index of the rule, By that of an earlier one that takes all,
	// or a part, of its requests; other earlier rules take the rest.
	Rule, By int
}

// Unreachable returns the rules that can never match, in order, because for each
// pair of a host and a path in them an earlier rule takes all requests. What it
// returns is sure. It does not find everything: regular expressions are compared
// by their text, and no two rules are joined for one pair.
func (t *Table) Unreachable() []Shadow {
	var out []Shadow
	for i := range t.rules {
		if by := t.shadowOf(int32(i)); by != none {
			out = append(out, Shadow{Rule: i, By: int(by)})
		}
	}
	return out
}

// shadowOf returns an earlier rule that takes requests of rule i, all of which
// are taken by earlier rules; none if i can be reached.
func (t *Table) shadowOf(i int32) int32 {
	u := &t.rules[i]
	hosts, paths := u.hosts, u.paths
	if len(hosts) == 0 {
		hosts = []hostKey{{kind: everyHost}}
	}
	if len(paths) == 0 {
		paths = []pathKey{{kind: prefixPath}}
	}
	by := int32(none)
	for _, h := range hosts {
		lists := t.covering(h)
		for _, p := range paths {
			first := t.cover(lists, p, i)
			if first == none {
				return none
			}
			by = min(by, first)
		}
	}
	return by
}

// covering returns the lists whose rules take all hosts of h.
func (t *Table) covering(h hostKey) []*list {
	switch h.kind {
	case exactHost:
		g, _ := t.exact.find([]byte(h.text))
		return g.lists
	case wildHost:
		g, _ := t.wild.find([]byte(h.text))
		return g.lists
	case regexpHost:
		return []*list{t.named[h.text].list, t.any}
	}
	return []*list{t.any}
}

// cover returns the first rule in lists before i that takes all of i's requests
// to the path p; none if there is none.
func (t *Table) cover(lists []*list, p pathKey, i int32) int32 {
	best := i
	for _, l := range lists {
		if p.kind != regexpPath {
			best = t.coverInTree(&l.root, p, best, i)
		} else {
			best = t.firstCover(l.root.prefix, best, i)
		}
		for _, c := range l.rest {
			if c >= best {
				break
			}
			if v := &t.rules[c]; v.coversPath(p) && v.covers(&t.rules[i]) {
				best = c
			}
		}
	}
	if best == i {
		return none
	}
	return best
}

func (t *Table) coverInTree(n *node, p pathKey, best, i int32) int32 {
	best = t.firstCover(n.prefix, best, i)
	for rest, more := strings.CutPrefix(p.text, "/"); more; {
		var segment string
		segment, rest, more = cutSegment(rest)
		if n = n.children[segment]; n == nil {
			return best
		}
		best = t.firstCover(n.prefix, best, i)
	}
	if p.kind == exactPath {
		best = t.firstCover(n.exact, best, i)
	}
	return best
}

func (t *Table) firstCover(rules []int32, best, i int32) int32 {
	for _, c := range rules {
		if c >= best {
			break
		}
		if t.rules[c].covers(&t.rules[i]) {
			return c
		}
	}
	return best
}

// coversPath reports whether the rule, which is in the rest of its list, takes
// all paths of p.
func (u *rule) coversPath(p pathKey) bool {
	if len(u.paths) == 0 {
		return true
	}
	for _, own := range u.paths {
		switch {
		case own.kind != regexpPath:
		case p.kind == exactPath && own.re.MatchString(p.text):
			return true
		case p.kind == regexpPath && own.text == p.text:
			return true
		}
	}
	return false
}
