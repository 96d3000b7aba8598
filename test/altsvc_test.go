package test_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"

	"doorward/internal/edgetest"
)

// anyHost is a client that finds every host at one address.
func anyHost(t *testing.T, e *edgetest.Edge, address string, http2 bool) *http.Client {
	t.Helper()
	tr := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: e.Roots()},
		ForceAttemptHTTP2: http2,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport: tr, Timeout: edgetest.Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// altSvc is what an answer says about other ways to its host.
func altSvc(t *testing.T, c *http.Client, url, proto string) []string {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Proto != proto {
		t.Errorf("%s over %s, want %s", url, resp.Proto, proto)
	}
	return resp.Header["Alt-Svc"]
}

// Answers over TLS say that HTTP/3 is offered, whoever made them; those over plain HTTP
// and over HTTP/3 itself do not. The configuration has the last word.
func TestAltSvc(t *testing.T) {
	edge := http3Edge(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Alt-Svc", "the server's")
		_, _ = io.WriteString(w, "app")
	}, `
		[[route]]
		hosts = ["quiet.example"]
		backend = "app"
		headers.response.remove = ["Alt-Svc"]
		[[route]]
		hosts = ["own.example"]
		backend = "app"
		headers.response.set = { "Alt-Svc" = "clear" }
	`)
	_, port, _ := net.SplitHostPort(edge.HTTPS)
	ours := []string{fmt.Sprintf(`h3=":%s"; ma=86400`, port)}
	said := map[string][]string{
		"app": ours, "text": ours, "moved": ours, "closed": ours,
		"quiet": nil, "own": {"clear"},
	}
	silent := map[string][]string{
		"app": {"the server's"}, "text": nil, "moved": nil, "closed": nil,
		"quiet": nil, "own": {"clear"},
	}
	for _, c := range []struct {
		proto, scheme string
		client        *http.Client
		want          map[string][]string
	}{
		{"HTTP/1.1", "https", anyHost(t, edge, edge.HTTPS, false), said},
		{"HTTP/2.0", "https", anyHost(t, edge, edge.HTTPS, true), said},
		{"HTTP/3.0", "https", http3Client(t, edge), silent},
		{"HTTP/1.1", "http", anyHost(t, edge, edge.HTTP, false), silent},
	} {
		for host, want := range c.want {
			t.Run(c.proto+" "+c.scheme+" "+host, func(t *testing.T) {
				url := c.scheme + "://" + host + ".example/"
				if got := altSvc(t, c.client, url, c.proto); !slices.Equal(got, want) {
					t.Errorf("%q, want %q", got, want)
				}
			})
		}
	}
}

// What HTTP/3 said about itself is taken back when a reload switches it off.
func TestAltSvcEndsWithHTTP3(t *testing.T) {
	on := http3Config("http://127.0.0.1:1", "")
	edge := edgetest.Start(t, on)
	client := anyHost(t, edge, edge.HTTPS, true)
	const url = "https://text.example/"
	if got := altSvc(t, client, url, "HTTP/2.0"); len(got) != 1 {
		t.Errorf("with HTTP/3: %q", got)
	}
	off := on
	off.Listen = ""
	if err := edge.Reload(off); err != nil {
		t.Fatal(err)
	}
	client.CloseIdleConnections()
	if got := altSvc(t, client, url, "HTTP/2.0"); got != nil {
		t.Errorf("without: %q", got)
	}
}
