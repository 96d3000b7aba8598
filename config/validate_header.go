package config

import (
	"slices"
	"strings"
)

func (v *validator) headers() {
	h := &v.cfg.Headers
	p := v.root.key("headers")
	if h.RequestID != "" {
		v.fieldName(h.RequestID, p.key("request_id"), true)
	}
	v.headerOps(&h.Request, p.key("request"))
	v.headerOps(&h.Response, p.key("response"))
}

// headerOps checks the changes to one message.
func (v *validator) headerOps(ops *HeaderOps, p place) {
	for _, fields := range []struct {
		key    string
		values Fields
	}{{"set", ops.Set}, {"add", ops.Add}} {
		at := p.key(fields.key)
		for _, name := range sortedKeys(fields.values) {
			value := fields.values[name]
			v.fieldName(name, at.key(name), true)
			v.template(value, at.key(name))
			if isCredential(name) {
				v.literal(at.key(name))
			}
		}
		v.sameName(sortedKeys(fields.values), at)
	}
	for i, name := range ops.Remove {
		v.fieldName(name, p.key("remove").item(i), true)
	}
}

// fieldName checks the name of a header field; a change must leave those alone
// that say where a message ends.
func (v *validator) fieldName(name string, p place, change bool) {
	framing := []string{
		"Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection",
		"TE", "Trailer", "Upgrade", "Expect", "HTTP2-Settings",
	}
	same := func(f string) bool { return strings.EqualFold(f, name) }
	switch {
	case !isToken(name):
		v.errorf(p, "", "this is not the name of a header field")
	case change && slices.ContainsFunc(framing, same):
		v.errorf(p, "", "this field frames the message and is Doorward's alone")
	}
}

// sameName finds names that differ by case alone: which of them would win is
// chance.
func (v *validator) sameName(names []string, p place) {
	seen := make(map[string]string, len(names))
	for _, name := range names {
		lower := strings.ToLower(name)
		if first, ok := seen[lower]; ok {
			v.errorf(p.key(name), "", "is the same field as %s", quoteKey(first))
			continue
		}
		seen[lower] = name
	}
}

// template checks the value of a field or the place of a redirect.
func (v *validator) template(text string, p place) bool {
	return v.templateOf(text, p, placeholders())
}

// templateOf checks a text with placeholders, of which these are known.
func (v *validator) templateOf(text string, p place, known []string) bool {
	if hasControl(text) {
		v.errorf(p, "", "the value has a control character")
		return false
	}
	for {
		i := strings.IndexByte(text, '{')
		if i < 0 {
			return true
		}
		text = text[i+1:]
		if after, ok := strings.CutPrefix(text, "{"); ok {
			text = after
			continue
		}
		name, after, closed := strings.Cut(text, "}")
		if !closed {
			v.errorf(p, "write {{ for a literal one", "the value has a brace that is not closed")
			return false
		}
		if !slices.Contains(known, name) {
			v.placeholder(name, p, known)
			return false
		}
		text = after
	}
}

func (v *validator) placeholder(name string, p place, known []string) {
	if p.node.expanded || quoteKey(name) != name || len(name) > 32 {
		v.errorf(p, "write {{ for a literal brace", "the value has an unknown placeholder")
		return
	}
	hint := "write {{ for a literal brace"
	if near := Nearest(name, known); near != "" {
		hint = "did you mean {" + near + "}?"
	}
	v.errorf(p, hint, "the placeholder {%s} is not known", name)
}

func placeholders() []string {
	return []string{
		"host", "client_ip", "request_id", "scheme", "user", "method", "path", "query", "uri",
	}
}

// isCredential reports whether a field of this name holds what others must not
// know.
func isCredential(name string) bool {
	lower := strings.ToLower(name)
	for _, part := range []string{
		"authorization", "cookie", "token", "secret", "password", "api-key", "apikey",
	} {
		if strings.Contains(lower, part) {
			return true
		}
	}
	return false
}
