package test_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"doorward/internal/edgetest"
)

// speaksHTTP2 starts a server that speaks HTTP/2 without TLS, and returns its URL.
func speaksHTTP2(t *testing.T, h http.HandlerFunc) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	s := &http.Server{Handler: h, Protocols: &protocols}
	var running sync.WaitGroup
	running.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() { _ = s.Close(); running.Wait() })
	return "h2c://" + l.Addr().String()
}

// framed is a server that gives every request to a function, which answers in frames.
func framed(t *testing.T, answer func(f *peerFrames, id uint32)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { serveFrames(c, answer) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); running.Wait() })
	return "h2c://" + l.Addr().String()
}

// peerFrames are the frames of a server.
type peerFrames struct {
	*http2.Framer
	// bodies is what came in DATA frames.
	bodies map[uint32]string
}

func serveFrames(c net.Conn, answer func(*peerFrames, uint32)) {
	defer c.Close()
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	f := &peerFrames{http2.NewFramer(c, c), map[uint32]string{}}
	_ = f.WriteSettings()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		id, ended := frame.Header().StreamID, false
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.HeadersFrame:
			ended = frame.StreamEnded()
		case *http2.DataFrame:
			f.bodies[id] += string(frame.Data())
			ended = frame.StreamEnded()
		}
		if ended {
			answer(f, id)
		}
	}
}

// head sends fields given as "name: value".
func (f *peerFrames) head(id uint32, end bool, lines ...string) {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for _, line := range lines {
		i := strings.Index(line[1:], ": ") + 1
		_ = e.WriteField(hpack.HeaderField{Name: line[:i], Value: line[i+2:]})
	}
	_ = f.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: b.Bytes(), EndHeaders: true, EndStream: end,
	})
}

// described is what a server of HTTP/2 got, as text.
func described(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	w.Header().Add("X-Twice", "1")
	w.Header().Add("X-Twice", "2")
	w.Header().Set("Trailer", "X-After")
	fmt.Fprintf(w, "%s %s %s %d %q %v te=%q trailer=%v %v", r.Method, r.Host, r.RequestURI, r.ContentLength,
		body, err, r.Header.Get("Te"), r.Trailer, r.Header["X-Own"])
	w.Header().Set("X-After", "behind")
}

func TestHTTP1ToHTTP2(t *testing.T) {
	e := edgetest.Start(t, edgetest.Config{
		Text: fmt.Sprintf("[backends.app]\nservers = [%q]\n", speaksHTTP2(t, described)) + site,
	})
	c := e.Dial(t)
	for _, test := range []struct{ send, body string }{
		{get("/a?b=c", "X-Own: 1", "X-Own: 2"), `GET app.example /a?b=c 0 "" <nil> te="" trailer=map[] [1 2]`},
		{get("/%7Ba%7D//b;c?"), `GET app.example /%7Ba%7D//b;c? 0 "" <nil> te="" trailer=map[] []`},
		{get("//host/x"), `GET app.example //host/x 0 "" <nil> te="" trailer=map[] []`},
		{get("/", "TE: trailers", "Connection: TE"), `GET app.example / 0 "" <nil> te="trailers" trailer=map[] []`},
		{sized("hello"), `POST app.example / 5 "hello" <nil> te="" trailer=map[] []`},
		{sized(""), `POST app.example / 0 "" <nil> te="" trailer=map[] []`},
		{chunked("3⏎one⏎3⏎two⏎0⏎⏎"), `POST app.example / -1 "onetwo" <nil> te="" trailer=map[] []`},
		{chunked("3⏎one⏎0⏎X-T: 1⏎⏎", "Trailer: X-T"),
			`POST app.example / -1 "one" <nil> te="" trailer=map[X-T:[1]] []`},
		{sized(strings.Repeat("x", 100_000)), `POST app.example / 100000 "` + strings.Repeat("x", 100_000) +
			`" <nil> te="" trailer=map[] []`},
	} {
		m := c.Send(test.send).Answer()
		if m.Status != 200 || m.Body != test.body || !m.Chunked {
			t.Errorf("%.80q: %d %.300q, want %.300q", test.send, m.Status, m.Body, test.body)
		}
		if got := fmt.Sprint(m.Values("X-Twice"), m.Trailers); got != "[1 2] [{X-After behind}]" {
			t.Errorf("fields and trailers %s", got)
		}
	}
	// All on one connection to here, and two requests at a time.
	c.Send(sized("one") + chunked("3⏎two⏎0⏎⏎"))
	for _, want := range []string{`"one"`, `"two"`} {
		if m := c.Answer(); !strings.Contains(m.Body, want) {
			t.Errorf("answer %q, want %s", m.Body, want)
		}
	}
}

func TestAnswersOfHTTP2(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 1<<16)
	e := edgetest.Start(t, edgetest.Config{
		Text: fmt.Sprintf("[backends.app]\nservers = [%q]\n", speaksHTTP2(t,
			func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/sized":
					w.Header().Set("Content-Length", "5")
					_, _ = io.WriteString(w, "hello")
				case "/large":
					_, _ = io.WriteString(w, large)
				case "/empty":
					w.WriteHeader(200)
				case "/204", "/304":
					w.WriteHeader(map[string]int{"/204": 204, "/304": 304}[r.URL.Path])
				case "/cut":
					_, _ = io.WriteString(w, "begun")
					w.(http.Flusher).Flush()
					panic(http.ErrAbortHandler)
				case "/short":
					w.Header().Set("Content-Length", "100")
					_, _ = io.WriteString(w, "begun")
				}
			})) + site,
	})
	for _, test := range []struct {
		method, path, body string
		status             int
		length             int64
		cut                bool
	}{
		{"GET", "/sized", "hello", 200, 5, false}, {"HEAD", "/sized", "", 200, 5, false},
		{"GET", "/large", large, 200, -1, false}, {"GET", "/empty", "", 200, 0, false},
		{"GET", "/204", "", 204, -1, false}, {"GET", "/304", "", 304, -1, false},
		{"GET", "/cut", "begun", 200, -1, true}, {"GET", "/short", "begun", 200, 100, true},
	} {
		t.Run(test.method+test.path, func(t *testing.T) {
			c := e.Dial(t)
			m, err := c.Send(request(test.method+" "+test.path+" HTTP/1.1", "Host: app.example")).TryAnswer(test.method)
			if m == nil || m.Status != test.status || m.Body != test.body && !test.cut || m.Length != test.length || (err != nil) != test.cut {
				t.Errorf("%+v, %v", m, err)
			}
			if test.cut {
				return
			}
			if m := c.Send(get("/empty")).Answer(); m.Status != 200 {
				t.Errorf("the next answer: %+v", m)
			}
		})
		t.Run(test.method+test.path+" over HTTP2", func(t *testing.T) {
			r, _ := http.NewRequest(test.method, "https://app.example"+test.path, nil)
			answer, err := http2Client(t, e, "app.example").Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			if answer.StatusCode != test.status || string(body) != test.body || (err != nil) != test.cut {
				t.Errorf("%d, %.40q, %v", answer.StatusCode, body, err)
			}
		})
	}
}

func TestInformationalAnswersOfHTTP2(t *testing.T) {
	url := speaksHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%q", body)
	})
	e := edgetest.Start(t, edgetest.Config{Text: fmt.Sprintf("[backends.app]\nservers = [%q]\n", url) + site})
	c := e.Dial(t)
	for range 20 {
		c.Send(get("/"))
		if m := c.Answer(); m.Status != 103 || m.Get("Link") == "" {
			t.Fatalf("answer %+v, want 103", m)
		}
		if m := c.Answer(); m.Status != 200 || m.Get("Link") != "" {
			t.Fatalf("answer %+v", m)
		}
	}
	c.Send(post("", "Content-Length: 5", "Expect: 100-continue"))
	for _, want := range []int{103, 100} {
		if m := c.Answer(); m.Status != want {
			t.Fatalf("answer %+v, want %d", m, want)
		}
	}
	if m := c.Send("hello").Answer(); m.Status != 200 || m.Body != `"hello"` {
		t.Errorf("answer %+v", m)
	}
	var hints []int
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
		hints = append(hints, code)
		return nil
	}}
	r, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", "https://app.example/", nil)
	answer, err := http2Client(t, e, "app.example").Do(r)
	if err != nil || answer.StatusCode != 200 || fmt.Sprint(hints) != "[103]" {
		t.Errorf("over HTTP/2: %v, %v, %v", answer, err, hints)
	}
}

// A server that answers before it has the request is heard, and the rest of the request
// has no reader.
func TestEarlyAnswersOfHTTP2(t *testing.T) {
	url := speaksHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		status := map[string]int{"/200": 200, "/403": 403}[r.URL.Path]
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "early")
	})
	e := edgetest.Start(t, edgetest.Config{Text: fmt.Sprintf("[backends.app]\nservers = [%q]\n", url) + site})
	for _, status := range []int{200, 403} {
		c := e.Dial(t)
		c.Send(request(fmt.Sprintf("POST /%d HTTP/1.1", status), "Host: app.example", "Content-Length: 100000") + "some")
		m := c.Answer()
		if m.Status != status || m.Body != "early" || m.Get("Connection") != "close" {
			t.Errorf("answer %+v", m)
		}
		body, more := io.Pipe()
		r, _ := http.NewRequest("POST", fmt.Sprintf("https://app.example/%d", status), body)
		answer, err := http2Client(t, e, "app.example").Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(answer.Body)
		if answer.StatusCode != status || string(got) != "early" || err != nil {
			t.Errorf("over HTTP/2: %d, %q, %v", answer.StatusCode, got, err)
		}
		_ = more.Close()
		_ = answer.Body.Close()
	}
}

// What a server has done nothing of goes out again, with its body; what it may have
// done does not.
func TestRefusedByHTTP2(t *testing.T) {
	var mu sync.Mutex
	refusals := 0
	url := framed(t, func(f *peerFrames, id uint32) {
		mu.Lock()
		refusals++
		n := refusals
		mu.Unlock()
		switch {
		case f.bodies[id] == "internal":
			_ = f.WriteRSTStream(id, http2.ErrCodeInternal)
		case n == 1:
			_ = f.WriteRSTStream(id, http2.ErrCodeRefusedStream)
		case n == 2:
			_ = f.WriteGoAway(0, http2.ErrCodeNo, nil)
		default:
			f.head(id, false, ":status: 200")
			_ = f.WriteData(id, true, []byte(f.bodies[id]))
		}
	})
	e := edgetest.Start(t, edgetest.Config{
		Text: fmt.Sprintf("[backends.app]\nservers = [%q]\ntimeouts = { connect = \"10ms\" }\n", url) + site,
	})
	if m := e.Dial(t).Send(chunked("5⏎hello⏎0⏎⏎")).Answer(); m.Status != 200 || m.Body != "hello" {
		t.Errorf("answer %+v", m)
	}
	mu.Lock()
	if refusals != 3 {
		t.Errorf("%d requests at the server", refusals)
	}
	mu.Unlock()
	if m := e.Dial(t).Send(sized("internal")).Answer(); m.Status != 502 {
		t.Errorf("answer %+v", m)
	}
	mu.Lock()
	defer mu.Unlock()
	if refusals != 4 {
		t.Errorf("%d requests at the server: what may have been done was done again", refusals)
	}
}

func TestFailuresOfHTTP2(t *testing.T) {
	slow := speaksHTTP2(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	old := edgetest.Record(t, func(p *edgetest.Peer) { p.Send("HTTP/1.1 400 Bad Request⏎Content-Length: 0⏎⏎"); p.Gone() })
	text := ""
	for name, url := range map[string]string{
		"slow": slow, "away": "h2c://" + closedPort(t), "old": "h2c://" + old.Addr,
	} {
		text += fmt.Sprintf("[backends.%[1]s]\nservers = [%[2]q]\nretries = 0\ntimeouts = { server = \"200ms\" }\n"+
			"[[route]]\nhosts = [\"%[1]s.example\"]\nbackend = %[1]q\n", name, url)
	}
	e := edgetest.Start(t, edgetest.Config{Text: text})
	for name, status := range map[string]int{"slow": 504, "away": 503, "old": 502} {
		for _, r := range []string{"GET / HTTP/1.1⏎Host: %s.example⏎⏎",
			"POST / HTTP/1.1⏎Host: %s.example⏎Content-Length: 2⏎⏎xy",
			"GET / HTTP/1.1⏎Host: %s.example⏎Connection: Upgrade⏎Upgrade: websocket⏎" +
				"Sec-WebSocket-Version: 13⏎Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==⏎⏎"} {
			want := status
			if strings.Contains(r, "websocket") {
				want = 501
			}
			if m := e.Dial(t).Send(fmt.Sprintf(r, name)).Answer(); m.Status != want {
				t.Errorf("%s: %d, want %d", name, m.Status, want)
			}
		}
	}
	eventually(t, func() bool { return strings.Contains(e.Log(), "does not speak HTTP/2") })
}

// A request to a server ends with the client that made it.
func TestClientsThatLeaveHTTP2(t *testing.T) {
	came, gone := make(chan bool, 2), make(chan bool, 2)
	url := speaksHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/begun" {
			w.(http.Flusher).Flush()
		}
		came <- true
		<-r.Context().Done()
		gone <- true
	})
	e := edgetest.Start(t, edgetest.Config{Text: fmt.Sprintf("[backends.app]\nservers = [%q]\n", url) + site})
	for _, path := range []string{"/waits", "/begun"} {
		f := e.DialHTTP2(t, "app.example")
		f.Headers(1, true, edgetest.Get("app.example", path)...)
		<-came
		f.Check(f.Framer.WriteRSTStream(1, http2.ErrCodeCancel))
		select {
		case <-gone:
		case <-time.After(edgetest.Patience):
			t.Errorf("%s: the server works on", path)
		}
	}
}

// A body that breaks off at the client breaks off at the server, and those who share
// the connection with it do not notice.
func TestUploadsThatBreakOffHTTP2(t *testing.T) {
	ended := make(chan string, 10)
	url := speaksHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if r.URL.Path == "/" {
			fmt.Fprintf(w, "%q", body)
			return
		}
		ended <- fmt.Sprint(len(body), " ", err != nil)
	})
	e := edgetest.Start(t, edgetest.Config{Text: fmt.Sprintf("[backends.app]\nservers = [%q]\n", url) + site})
	other := e.Dial(t)
	for n, framing := range []string{"Content-Length: 90000", "Transfer-Encoding: chunked"} {
		c := e.Dial(t)
		part := strings.Repeat("x", 40_000)
		if n == 1 {
			part = "FFFF⏎" + part
		}
		c.Send(request("POST /cut HTTP/1.1", "Host: app.example", framing) + part)
		if m := other.Send(sized("mine")).Answer(); m.Body != `"mine"` {
			t.Errorf("answer %+v", m)
		}
		c.Reset()
		if got := <-ended; got != "40000 true" {
			t.Errorf("%s: the server got %s", framing, got)
		}
	}
	c := e.Dial(t)
	c.Send(request("POST /cut HTTP/1.1", "Host: app.example", "Transfer-Encoding: chunked") + "5⏎hello⏎x⏎")
	if m := c.Answer(); m.Status != 400 {
		t.Errorf("a wrong chunk: answer %+v", m)
	}
	if m := other.Send(sized("mine")).Answer(); m.Body != `"mine"` {
		t.Errorf("answer %+v", m)
	}
}

func TestHTTP10ToHTTP2(t *testing.T) {
	e := edgetest.Start(t, edgetest.Config{
		Text: fmt.Sprintf("[backends.app]\nservers = [%q]\n", speaksHTTP2(t, described)) + site,
	})
	c := e.Dial(t)
	m := c.Send("POST / HTTP/1.0⏎Host: app.example⏎Content-Length: 2⏎⏎ab").Answer()
	if m.Status != 200 || m.Chunked || !strings.HasPrefix(m.Body, `POST app.example / 2 "ab"`) {
		t.Errorf("answer %+v", m)
	}
	wantEnd(t, c, edgetest.Closed)
}
