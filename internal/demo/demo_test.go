package demo_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/zap"

	"doorward/internal/demo"
)

func start(t *testing.T) string {
	t.Helper()
	s, err := demo.Start("whoami-7", zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.URL()
}

func get(t *testing.T, url string, fields ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func TestProgramsGetTheRequestAsJSON(t *testing.T) {
	r, body := get(t, start(t)+"/a?b", "X-Forwarded-For", "192.0.2.1")
	var seen struct {
		Server, Method, URI string
		Headers             http.Header
	}
	if err := json.Unmarshal([]byte(body), &seen); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if seen.Server != "whoami-7" || seen.Method != "GET" || seen.URI != "/a?b" ||
		seen.Headers.Get("X-Forwarded-For") != "192.0.2.1" {
		t.Errorf("got %+v", seen)
	}
	if got := r.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
}

func TestBrowsersGetAPageWithTheRequestEscaped(t *testing.T) {
	url := start(t)
	r, body := get(t, url, "Accept", "text/html", "X-Note", "<script>alert(1)</script>",
		"X-Forwarded-For", "192.0.2.1")
	for _, want := range []string{"whoami-7", "192.0.2.1", "&lt;script&gt;alert", `data-server="7"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "<script>alert") {
		t.Error("what a client sends is part of the page")
	}
	if got := r.Header.Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'self'") {
		t.Errorf("Content-Security-Policy %q", got)
	}
	for file, kind := range map[string]string{"/style.css": "text/css", "/script.js": "javascript"} {
		if r, _ := get(t, url+file); r.StatusCode != 200 ||
			!strings.Contains(r.Header.Get("Content-Type"), kind) {
			t.Errorf("%s: %s, %s", file, r.Status, r.Header.Get("Content-Type"))
		}
	}
}

func TestEventsComeOneByOne(t *testing.T) {
	r, err := http.Get(start(t) + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	line, err := bufio.NewReader(r.Body).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "data: ") || !strings.Contains(line, "whoami-7") {
		t.Errorf("the first event is %q, %v", line, err)
	}
}

func TestEchoSaysEverythingTwice(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, start(t)+"/echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	for kind, want := range map[websocket.MessageType]string{
		websocket.MessageText: "hello (whoami-7)", websocket.MessageBinary: "hello",
	} {
		if err := c.Write(ctx, kind, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if got, text, err := c.Read(ctx); got != kind || string(text) != want || err != nil {
			t.Errorf("%v: %v %q, %v; want %q", kind, got, text, err, want)
		}
	}
}

func TestStatusAndPatienceAreChosenByTheClient(t *testing.T) {
	url := start(t)
	for path, want := range map[string]int{
		"/status/503": 503, "/status/204": 204, "/status/99": 400, "/status/600": 400,
		"/status/x": 400, "/slow?for=1ms": 200, "/slow?for=1h": 400, "/slow?for=-1s": 400,
		"/slow?for=x": 400,
	} {
		if r, body := get(t, url+path); r.StatusCode != want {
			t.Errorf("%s: %s %q, want %d", path, r.Status, body, want)
		}
	}
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	s, err := demo.Start("whoami-7", zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.Get(s.URL() + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	s.Close()
	_, _ = io.Copy(io.Discard, r.Body) // would go on for ever
	if _, err := http.Get(s.URL()); err == nil {
		t.Error("it still answers")
	}
}
