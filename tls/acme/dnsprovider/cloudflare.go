package dnsprovider

import (
	"net/http"
	"net/url"
)

// elsewhere sends requests to another place than they name, for tests.
type elsewhere struct {
	client *http.Client
	base   *url.URL // nil: where they name
}

func at(o Options) *elsewhere {
	e := &elsewhere{client: o.Client}
	if o.Base != "" {
		e.base, _ = url.Parse(o.Base)
	}
	return e
}

// Do implements the client that Cloudflare's provider wants.
func (e *elsewhere) Do(r *http.Request) (*http.Response, error) {
	if e.base != nil {
		r.URL.Scheme, r.URL.Host = e.base.Scheme, e.base.Host
	}
	return e.client.Do(r)
}
