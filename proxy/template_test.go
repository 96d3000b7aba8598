package proxy_test

import (
	"strings"
	"testing"

	"doorward/proxy"
)

func TestTemplates(t *testing.T) {
	const head = "GET /a%20b?c=d HTTP/1.1⏎Host: A.Example.:81⏎⏎"
	s, _ := setup(t)
	tr := trial(t, s, "[2001:db8::7]:9", head)
	for text, want := range map[string]string{
		"": "", "plain": "plain", "{host}": "a.example", "{client_ip}": "2001:db8::7",
		"{scheme}://{host}{uri}": "http://a.example/a%20b?c=d", "{path}": "/a%20b", "{query}": "c=d",
		"{method}": "GET", "{user}": "", "x{user}y": "xy", "{{host}}": "{host}", "{{{host}}}": "{a.example}",
		"a}}b": "a}b", "}": "}", "100% {method}!": "100% GET!", "{host}{host}": "a.examplea.example",
	} {
		template, err := proxy.ParseTemplate(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if got := tr.Expand(template); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
	id, err := proxy.ParseTemplate("{request_id}")
	if got := tr.Expand(id); err != nil || len(got) != 32 || got != tr.Expand(id) {
		t.Errorf("{request_id} gives %q, %v", got, err)
	}
}

func TestTemplateOfATargetWithoutQuery(t *testing.T) {
	s, _ := setup(t)
	tr := trial(t, s, stranger, "GET /a HTTP/1.1⏎Host: a⏎⏎")
	uri, _ := proxy.ParseTemplate("{uri}|{query}")
	if got := tr.Expand(uri); got != "/a|" {
		t.Errorf("got %q", got)
	}
}

func TestTemplateErrors(t *testing.T) {
	for text, want := range map[string]string{
		"{": "not closed", "{host": "not closed", "a{{{b": "not closed", "{}": "no placeholder {}",
		"{Host}": "no placeholder {Host}", "{ host}": "no placeholder { host}", "x{hosts}": "{hosts}",
	} {
		if _, err := proxy.ParseTemplate(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want an error with %q", text, err, want)
		}
	}
}

// A refused request has no path, no method and no host: that is what templates
// show of it, not what the request before it had.
func TestTemplatesOfARefusedRequestAreEmpty(t *testing.T) {
	s, _ := setup(t)
	tr, err := proxy.NewTrial(s, &proxy.Listener{}, stranger, "GET /secret HTTP/1.1\r\nHost: a\n")
	if err == nil {
		t.Fatal("the head is accepted")
	}
	all, _ := proxy.ParseTemplate("{host}{query}")
	if got := tr.Expand(all); got != "" {
		t.Errorf("got %q", got)
	}
}
