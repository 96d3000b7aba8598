package app

import (
	"maps"
	"slices"

	"doorward/config"
	"doorward/proxy"
)

// preset is headers.security = "strict": what a server does not set itself is
// added, and what tells attackers about the software is removed.
func preset() proxy.ChangeList {
	return proxy.ChangeList{
		Default: []proxy.HeaderValue{
			{Name: "Strict-Transport-Security", Value: "max-age=31536000"},
			{Name: "X-Content-Type-Options", Value: "nosniff"},
			{Name: "X-Frame-Options", Value: "SAMEORIGIN"},
			{Name: "Referrer-Policy", Value: "strict-origin-when-cross-origin"},
		},
		Remove: []string{"Server", "X-Powered-By"},
	}
}

// changes translates one table of changes.
func changes(ops config.HeaderOps) proxy.ChangeList {
	return proxy.ChangeList{
		Set: headerValues(ops.Set), Add: headerValues(ops.Add), Remove: ops.Remove,
	}
}

func headerValues(fields config.Fields) []proxy.HeaderValue {
	var out []proxy.HeaderValue
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		out = append(out, proxy.HeaderValue{Name: name, Value: fields[name]})
	}
	return out
}

// answerChanges are the changes to answers, global ones first, for plain
// connections and for TLS.
func answerChanges(cfg *config.Config, route *config.HeaderOps) (proxy.AnswerChanges, error) {
	var lists []proxy.ChangeList
	if cfg.Headers.Security == "strict" {
		lists = append(lists, preset())
	}
	lists = append(lists, changes(cfg.Headers.Response))
	if route != nil {
		lists = append(lists, changes(*route))
	}
	return proxy.CompileAnswerChanges(lists...)
}

func forwarding(word string) proxy.Forwarding {
	switch word {
	case "both":
		return proxy.XForwarded | proxy.RFC7239
	case "x-forwarded":
		return proxy.XForwarded
	case "rfc7239":
		return proxy.RFC7239
	}
	return 0
}
