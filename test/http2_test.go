package test_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"doorward/internal/edgetest"
)

// http2Client is a client of HTTP/2 that is not ours.
func http2Client(t *testing.T, e *edgetest.Edge, host string) *http.Client {
	t.Helper()
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{ServerName: host, RootCAs: e.Roots()},
		Protocols:       &http.Protocols{},
	}
	tr.Protocols.SetHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: rewriteHost{tr, e.HTTPS}}
}

// rewriteHost sends requests for any host to one address.
type rewriteHost struct {
	next    http.RoundTripper
	address string
}

func (r rewriteHost) RoundTrip(q *http.Request) (*http.Response, error) {
	q = q.Clone(q.Context())
	if q.Host == "" {
		q.Host = q.URL.Host
	}
	q.URL.Host = r.address
	return r.next.RoundTrip(q)
}

func TestHTTP2(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{Text: rec.Backend("app") + site})
	client := http2Client(t, edge, "app.example")
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			body := big[:i*50_000]
			resp, err := client.Post("https://app.example/x?y="+fmt.Sprint(i), "text/plain",
				bytes.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			got, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 200 || resp.ProtoMajor != 2 {
				t.Errorf("%d: %v, %+v, %d bytes", i, err, resp, len(got))
			}
		}()
	}
	wait.Wait()
}
