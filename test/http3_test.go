package test_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"doorward/internal/edgetest"
)

// http3Edge is an edge with HTTP/3 in front of a server.
func http3Edge(t *testing.T, server http.HandlerFunc, before string) *edgetest.Edge {
	t.Helper()
	s := httptest.NewServer(server)
	t.Cleanup(s.Close)
	return edgetest.Start(t, http3Config(s.URL, before))
}

func http3Config(url, before string) edgetest.Config {
	return edgetest.Config{
		Listen: "http3 = true",
		Text:   before + fmt.Sprintf("[backends.app]\nservers = [%q]\n", url) + site,
	}
}

// http3Client is a client of HTTP/3 that is not ours, with connections of its own.
func http3Client(t *testing.T, e *edgetest.Edge) *http.Client {
	t.Helper()
	tr := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: e.Roots()},
		Dial: func(ctx context.Context, _ string, c *tls.Config, q *quic.Config) (*quic.Conn, error) {
			return quic.DialAddr(ctx, e.HTTPS, c, q)
		},
	}
	t.Cleanup(func() { _ = tr.Close() })
	return &http.Client{
		Transport: tr, Timeout: edgetest.Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answered is what came for a request.
type answered struct {
	*http.Response
	body string
}

func ask3(t *testing.T, c *http.Client, method, url, body string) answered {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	q, err := http.NewRequest(method, url, r)
	if err != nil {
		t.Fatal(err)
	}
	return do3(t, c, q)
}

func do3(t *testing.T, c *http.Client, q *http.Request) answered {
	t.Helper()
	resp, err := c.Do(q)
	if err != nil {
		t.Fatalf("%s %s: %v", q.Method, q.URL, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", q.Method, q.URL, err)
	}
	return answered{resp, string(b)}
}

// echoes answers with what it was asked, and the body.
func echoes(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).EnableFullDuplex()
	w.Header()["Content-Type"] = nil
	w.Header().Set("Trailer", "X-Sum")
	fmt.Fprintf(w, "%s %s %s %q %v %d\n", r.Proto, r.Method, r.RequestURI,
		r.Header.Get("Cookie"), r.TransferEncoding, r.ContentLength)
	n, _ := io.Copy(w, r.Body)
	w.Header().Set("X-Sum", fmt.Sprint(n, r.Trailer.Get("X-Check")))
}

func TestHTTP3(t *testing.T) {
	edge := http3Edge(t, echoes, "")
	client := http3Client(t, edge)
	a := ask3(t, client, "GET", "https://app.example/a%20b?c=d", "")
	if a.StatusCode != 200 || a.Proto != "HTTP/3.0" ||
		a.body != "HTTP/1.1 GET /a%20b?c=d \"\" [] 0\n" {
		t.Errorf("%s %s %q", a.Proto, a.Status, a.body)
	}
	if got := a.Header["Content-Type"]; got != nil {
		t.Errorf("Content-Type %q, which the server did not send", got)
	}
	if got := a.Trailer.Get("X-Sum"); got != "0" {
		t.Errorf("trailer %q", got)
	}
	a = ask3(t, client, "HEAD", "https://app.example/", "")
	if a.StatusCode != 200 || a.body != "" {
		t.Errorf("HEAD: %s %q", a.Status, a.body)
	}
	for url, want := range map[string]int{
		"https://app.example/": 200, "https://text.example/": 200, "https://moved.example/x": 308,
		"https://closed.example/": 403, "https://methods.example/": 200,
		"https://unknown.example/": 421,
	} {
		if a := ask3(t, client, "GET", url, ""); a.StatusCode != want {
			t.Errorf("%s: %s, want %d", url, a.Status, want)
		}
	}
	if a := ask3(t, client, "POST", "https://methods.example/", "x"); a.StatusCode != 404 {
		t.Errorf("a method that no route has: %s", a.Status)
	}
	edge.Stop()
	log := edge.Log()
	for _, want := range []string{`"protocol":"HTTP/3.0"`, `"tls_version":"TLSv1.3"`} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in the log:\n%.1000s", want, log)
		}
	}
}

func TestHTTP3Bodies(t *testing.T) {
	edge := http3Edge(t, echoes, "")
	client := http3Client(t, edge)
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
	var wait sync.WaitGroup
	for i := range 12 {
		wait.Go(func() {
			body := big[:i*180_000]
			q, _ := http.NewRequest("POST", "https://app.example/", bytes.NewReader(body))
			if i%2 == 1 {
				q.ContentLength = -1
				q.Trailer = http.Header{"X-Check": {"!"}}
			}
			resp, err := client.Do(q)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			_, got, _ = bytes.Cut(got, []byte("\n"))
			want := fmt.Sprint(len(body))
			if i%2 == 1 {
				want += "!"
			}
			if err != nil || !bytes.Equal(got, body) || resp.Trailer.Get("X-Sum") != want {
				t.Errorf("%d bytes: %v, %d came back, trailer %q, want %q", len(body), err, len(got),
					resp.Trailer.Get("X-Sum"), want)
			}
		})
	}
	wait.Wait()
}

// An answer arrives as it is made, and so does a request.
func TestHTTP3StreamsBothWays(t *testing.T) {
	edge := http3Edge(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(200)
		b := make([]byte, 1)
		for {
			_ = http.NewResponseController(w).Flush()
			if _, err := io.ReadFull(r.Body, b); err != nil {
				return
			}
			_, _ = w.Write(bytes.ToUpper(b))
		}
	}, "")
	client := http3Client(t, edge)
	from, to := io.Pipe()
	q, _ := http.NewRequest("POST", "https://app.example/", from)
	resp, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for _, c := range "abc" {
		fmt.Fprintf(to, "%c", c)
		b := make([]byte, 1)
		if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != strings.ToUpper(string(c)) {
			t.Fatalf("%q, %v", b, err)
		}
	}
	_ = to.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || len(b) > 0 {
		t.Errorf("%q, %v", b, err)
	}
}

func TestHTTP3Limits(t *testing.T) {
	edge := http3Edge(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // an answer that came before would stand
	}, "[limits]\nhead_bytes = \"4KiB\"\nhead_fields = 40\ntarget_bytes = \"1KiB\"\n")
	client := http3Client(t, edge)
	head := func(fields int, size int) *http.Request {
		q, _ := http.NewRequest("GET", "https://app.example/", nil)
		for i := range fields {
			q.Header.Set(fmt.Sprintf("X-%d", i), strings.Repeat("v", size))
		}
		return q
	}
	post := func() *http.Request {
		body := strings.NewReader(strings.Repeat("x", 1025))
		q, _ := http.NewRequest("POST", "https://small.example/", body)
		return q
	}
	large, unknown := post(), post()
	unknown.ContentLength = -1
	long, _ := http.NewRequest("GET", "https://app.example/"+strings.Repeat("p", 1025), nil)
	for name, c := range map[string]struct {
		q    *http.Request
		want int
	}{
		"in order":                {head(20, 10), 200},
		"too many fields":         {head(41, 1), 431},
		"fields too large":        {head(3, 1500), 431},
		"a field too large":       {head(1, 5000), 431},
		"body too large":          {large, 413},
		"body too large, chunked": {unknown, 413},
		"target too long":         {long, 414},
	} {
		if a := do3(t, client, c.q); a.StatusCode != c.want {
			t.Errorf("%s: %s, want %d", name, a.Status, c.want)
		}
	}
}

// What a client gives up, the server hears of.
func TestHTTP3CancelReachesTheServer(t *testing.T) {
	begun, over := make(chan struct{}), make(chan struct{})
	edge := http3Edge(t, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		close(over)
	}, "")
	ctx, cancel := context.WithCancel(context.Background())
	q, _ := http.NewRequestWithContext(ctx, "GET", "https://app.example/", nil)
	go func() {
		<-begun
		cancel()
	}()
	if _, err := http3Client(t, edge).Do(q); err == nil {
		t.Error("an answer to a request that was given up")
	}
	select {
	case <-over:
	case <-time.After(edgetest.Patience):
		t.Error("the server still works for a client that left")
	}
}

func TestHTTP3Reload(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(echoes))
	defer s.Close()
	edge := edgetest.Start(t, http3Config(s.URL, ""))
	client := http3Client(t, edge)
	ask3(t, client, "GET", "https://app.example/", "")
	added := "[[route]]\nhosts = [\"new.example\"]\nrespond = { status = 200, body = \"new\" }\n"
	if err := edge.Reload(http3Config(s.URL, added)); err != nil {
		t.Fatal(err)
	}
	if a := ask3(t, client, "GET", "https://app.example/", ""); a.StatusCode != 200 {
		t.Errorf("after the reload: %s", a.Status)
	}
	if got := len(edge.App.View().Frontends); got != 2 {
		t.Errorf("%d listeners", got)
	}
	for _, f := range edge.App.View().Frontends {
		if f.TLS && (f.Connections != 1 || f.ConnectionsTotal != 1) {
			t.Errorf("%d connections open, %d in all; want the same one", f.Connections, f.ConnectionsTotal)
		}
	}
	if a := ask3(t, client, "GET", "https://new.example/", ""); a.body != "new" {
		t.Errorf("new route: %s %q", a.Status, a.body)
	}
}

// HTTP/3 is switched off and on again by reloads, however long old requests take.
func TestHTTP3GoesAndComes(t *testing.T) {
	hold := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			w.WriteHeader(200)
			_ = http.NewResponseController(w).Flush()
			<-hold
		}
		_, _ = io.WriteString(w, "done")
	}))
	defer s.Close()
	on := http3Config(s.URL, "")
	off := on
	off.Listen = ""
	edge := edgetest.Start(t, on)
	client := http3Client(t, edge)
	slow, err := client.Get("https://app.example/slow")
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Body.Close()
	if err := edge.Reload(off); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if c, err := quic.DialAddr(ctx, edge.HTTPS, &tls.Config{
		RootCAs: edge.Roots(), ServerName: "app.example", NextProtos: []string{"h3"},
	}, nil); err == nil {
		_ = c.CloseWithError(0, "")
		t.Error("QUIC is still offered")
	}
	if err := edge.Reload(on); err != nil {
		t.Fatalf("on again: %v", err)
	}
	if a := ask3(t, http3Client(t, edge), "GET", "https://app.example/", ""); a.body != "done" {
		t.Errorf("on again: %s %q", a.Status, a.body)
	}
	close(hold)
	if b, err := io.ReadAll(slow.Body); err != nil || string(b) != "done" {
		t.Errorf("the request that was open: %q, %v", b, err)
	}
}

func TestHTTP3Drain(t *testing.T) {
	begun := make(chan struct{})
	hold := make(chan struct{})
	edge := http3Edge(t, func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-hold
		_, _ = io.WriteString(w, strings.Repeat("whole", 1<<16))
	}, "")
	result := make(chan error, 1)
	client := http3Client(t, edge)
	go func() {
		resp, err := client.Get("https://app.example/")
		if err == nil {
			var b []byte
			b, err = io.ReadAll(resp.Body)
			if err == nil && len(b) != 5<<16 {
				err = fmt.Errorf("%d bytes", len(b))
			}
		}
		result <- err
	}()
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- edge.StopWithin(edgetest.Patience) }()
	if !edgetest.Until(func() bool { return edge.App.View().Node.Draining }) {
		t.Error("it does not drain")
	}
	close(hold)
	if err := <-result; err != nil {
		t.Errorf("the request at work: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
	if strings.Contains(edge.Log(), "requests cut short") {
		t.Error("the drain did not end by itself")
	}
}

// A drain that has no more time ends connections whatever they do.
func TestHTTP3DrainWithoutTime(t *testing.T) {
	begun := make(chan struct{})
	edge := http3Edge(t, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	}, "")
	client := http3Client(t, edge)
	result := make(chan error, 1)
	go func() {
		_, err := client.Get("https://app.example/")
		result <- err
	}()
	<-begun
	if err := edge.StopWithin(100 * time.Millisecond); err == nil {
		t.Error("stopped in order, with a request at work")
	}
	if err := <-result; err == nil {
		t.Error("an answer")
	}
}
