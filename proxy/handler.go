package proxy

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
)

// handle answers with an http.Handler: the way of our own pages, never of a
// proxied request.
func (x *exchange) handle(h http.Handler) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	body := &handlerBody{x: x}
	r, err := x.httpRequest(ctx, body)
	if err != nil {
		x.fail(http.StatusBadRequest)
		return
	}
	if x.up.waiting {
		// What the handler leaves unread of the body, nobody reads.
		x.keep = false
	}
	w := &handlerWriter{x: x, header: make(http.Header), promised: -1}
	h.ServeHTTP(w, r)
	w.finish()
}

// httpRequest makes the request as net/http would have.
func (x *exchange) httpRequest(ctx context.Context, body io.Reader) (*http.Request, error) {
	target := string(x.path)
	if x.req.HasQuery {
		target += "?" + string(x.req.Query)
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, err
	}
	r := &http.Request{
		Method: string(x.req.Method), URL: u, RequestURI: target,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: x.req.Minor,
		Header: make(http.Header, len(x.req.Fields)), Host: string(x.req.Host),
		ContentLength: max(x.req.Length, 0), Body: http.NoBody,
		RemoteAddr: x.client.String(),
	}
	if r.TLS = x.c.tlsState(); r.TLS == nil && x.scheme == "https" {
		r.TLS = &tls.ConnectionState{} // with a proxy that we trust
	}
	if x.req.HasBody() {
		r.Body = io.NopCloser(body)
		if x.req.Chunked {
			r.ContentLength = -1
		}
	}
	for i := range x.req.Fields {
		if f := &x.req.Fields[i]; x.forwards(f) {
			r.Header.Add(string(f.Name), string(f.Value))
		}
	}
	return r.WithContext(ctx), nil
}
