package test_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"doorward/internal/edgetest"
)

// serveWebSocket echoes messages, and says when it is greeted.
func serveWebSocket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{"echo"}, CompressionMode: websocket.CompressionContextTakeover,
	})
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	c.SetReadLimit(8 << 20)
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if string(message) == "leave" {
			_ = c.Close(websocket.StatusGoingAway, "left")
			return
		}
		if err := c.Write(r.Context(), kind, message); err != nil {
			return
		}
	}
}

func TestWebSocketOfRealClientAndServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(serveWebSocket))
	t.Cleanup(server.Close)
	edge := edgetest.Start(t, generation("ws", server, ""))
	visit(t, edge, func(t *testing.T, client *http.Client, url string) {
		dial := func() *websocket.Conn {
			c, answer, err := websocket.Dial(t.Context(), url+"/ws", &websocket.DialOptions{
				HTTPClient: &http.Client{Transport: client.Transport}, Host: "app.example",
				Subprotocols: []string{"echo"}, CompressionMode: websocket.CompressionContextTakeover,
			})
			if err != nil {
				t.Fatal(err)
			}
			c.SetReadLimit(8 << 20)
			if c.Subprotocol() != "echo" || answer.Header.Get("X-Gen") != "ws" {
				t.Errorf("subprotocol %q, headers %v", c.Subprotocol(), answer.Header)
			}
			return c
		}
		c := dial()
		for _, size := range []int{0, 1, 125, 126, 70_000, 5 << 20} {
			message := strings.Repeat("x", size)
			if err := c.Write(t.Context(), websocket.MessageText, []byte(message)); err != nil {
				t.Fatal(err)
			}
			if _, got, err := c.Read(t.Context()); err != nil || string(got) != message {
				t.Fatalf("%d bytes came back as %d, %v", size, len(got), err)
			}
		}
		if err := c.Close(websocket.StatusNormalClosure, "done"); err != nil {
			t.Errorf("closing: %v", err)
		}
		c = dial()
		_ = c.Write(t.Context(), websocket.MessageText, []byte("leave"))
		if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("the server's close comes as %v", err)
		}
		_ = c.CloseNow()
	})
}

// Many sockets at a time keep their messages apart.
func TestManyWebSockets(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(serveWebSocket))
	t.Cleanup(server.Close)
	edge := edgetest.Start(t, generation("ws", server, ""))
	visit(t, edge, func(t *testing.T, client *http.Client, url string) {
		var all []*websocket.Conn
		for range 50 {
			c, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{
				HTTPClient: &http.Client{Transport: client.Transport}, Host: "app.example",
			})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		for round := range 3 {
			for i, c := range all {
				_ = c.Write(t.Context(), websocket.MessageText, fmt.Appendf(nil, "%d-%d", round, i))
			}
			for i, c := range all {
				want := fmt.Sprintf("%d-%d", round, i)
				if _, got, err := c.Read(t.Context()); err != nil || string(got) != want {
					t.Fatalf("socket %d gives %q, %v", i, got, err)
				}
			}
		}
		for _, c := range all {
			_ = c.CloseNow()
		}
	})
}

// An event is there when it happens, not when a buffer is full, and a client
// that leaves is seen.
func TestServerSentEventsAreNotHeldBack(t *testing.T) {
	next, left := make(chan string), make(chan bool, 4)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		if r.URL.Path == "/close" {
			w.Header().Set("Connection", "close")
		}
		for {
			_ = http.NewResponseController(w).Flush()
			select {
			case event := <-next:
				fmt.Fprintf(w, "data: %s\n\n", event)
			case <-r.Context().Done():
				left <- true
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	edge := edgetest.Start(t, generation("events", server, ""))
	for _, path := range []string{"/chunks", "/close"} {
		visit(t, edge, func(t *testing.T, client *http.Client, url string) {
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			answer, err := client.Do(inquiry(t, "GET", url+path, nil).WithContext(ctx))
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			events := bufio.NewScanner(answer.Body)
			for i := range 20 {
				next <- fmt.Sprint(i)
				if !events.Scan() || events.Text() != fmt.Sprintf("data: %d", i) || !events.Scan() {
					t.Fatalf("event %d is %q, %v", i, events.Text(), events.Err())
				}
			}
			leave()
			// The server learns of it with the next event that finds nobody.
			if !edgetest.Until(func() bool {
				select {
				case next <- "nobody":
					return false
				case <-left:
					return true
				}
			}) {
				t.Error("the server does not learn that the client left")
			}
		})
	}
}
