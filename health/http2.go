package health

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// question is the request of a check over HTTP/2.
type question struct {
	method, host string
	path         *url.URL
	fields       http.Header
	body         string
}

// question is the request for HTTP/2.
func (r Request) question() (*question, error) {
	if err := r.wrong(); err != nil {
		return nil, err
	}
	q := &question{method: r.Method, host: r.Host, body: r.Body, fields: http.Header{}}
	if r.Path == "*" {
		q.path = &url.URL{Opaque: "*"}
	} else {
		var err error
		if q.path, err = url.ParseRequestURI(r.Path); err != nil {
			return nil, fmt.Errorf("path: %w", err)
		}
	}
	if !slices.ContainsFunc(slices.Collect(maps.Keys(r.Fields)), same("User-Agent")) {
		q.fields.Set("User-Agent", "Doorward check")
	}
	for name, value := range r.Fields {
		q.fields.Set(name, value)
	}
	return q, nil
}

// request is the question for one connection, of which nobody else asks anything.
func (q *question) request(conn net.Conn) *http.Request {
	u := *q.path
	u.Scheme, u.Host = "http", q.host
	if _, secure := conn.(*tls.Conn); secure {
		u.Scheme = "https"
	}
	r := &http.Request{Method: q.method, URL: &u, Host: q.host, Header: q.fields.Clone()}
	if q.body != "" {
		r.ContentLength = int64(len(q.body))
		r.Body = readCloser{strings.NewReader(q.body)}
	}
	return r
}

// readCloser is a body that nothing has to be done for in the end.
type readCloser struct{ *strings.Reader }

// Close does nothing.
func (readCloser) Close() error { return nil }

// askShared asks over HTTP/2 and judges the answer. The connection, and what net/http
// does on it, is over when it returns.
func (c *Check) askShared(conn net.Conn, until time.Time, r *Result) {
	ctx, cancel := context.WithDeadline(context.Background(), until)
	defer cancel()
	client, err := speakHTTP2(ctx, conn)
	if err != nil {
		r.Outcome, r.Description = broken(err)
		return
	}
	defer func() {
		hangUp(conn)
		_ = client.Close()
	}()
	sent := time.Now()
	// The deadline of the connection ends the wait, and says so better than a context.
	answer, err := client.RoundTrip(c.shared.request(conn))
	if err != nil {
		r.Outcome, r.Description = broken(err)
		return
	}
	r.FirstByte = time.Since(sent)
	if c.kind == GRPC {
		judgeHealth(answer, r)
		return
	}
	c.judge(answer, r)
}

// speakHTTP2 begins HTTP/2 on a connection. To net/http all of them are plain.
func speakHTTP2(ctx context.Context, conn net.Conn) (*http.ClientConn, error) {
	var plain http.Protocols
	plain.SetUnencryptedHTTP2(true)
	transport := &http.Transport{
		DialContext:            func(context.Context, string, string) (net.Conn, error) { return bare{conn}, nil },
		Protocols:              &plain,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHead,
		HTTP2:                  &http.HTTP2Config{MaxReceiveBufferPerStream: maxBody},
	}
	return transport.NewClientConn(ctx, "http", "server:80")
}

// bare is a connection without what its type knows of TLS.
type bare struct{ net.Conn }
