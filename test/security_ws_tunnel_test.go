package test_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"doorward/internal/edgetest"
)

// TestSecurityWSTunnels has the cases of group WS that need an open tunnel.
func TestSecurityWSTunnels(t *testing.T) {
	for name, test := range map[string]func(*testing.T, *edgetest.Recorder){
		"WS-07_bytes_in_a_tunnel_are_no_requests": tunnelBytes,
		"WS-11_origins_that_may":                  originsThatMay,
		"WS-13_silent_tunnels_end":                silentTunnelsEnd,
		"WS-13_tunnels_count_as_connections":      tunnelsAreConnections,
		"WS-14_tunnel_outlives_reload":            tunnelOutlivesReload,
		"WS-14_tunnel_ends_with_its_route":        tunnelEndsWithItsRoute,
		"WS-14_tunnel_ends_with_the_instance":     tunnelEndsWithTheInstance,
	} {
		t.Run(name, func(t *testing.T) { test(t, edgetest.Record(t, wsServer)) })
	}
}

func tunnelSite(rec *edgetest.Recorder, more string) edgetest.Config {
	return edgetest.Config{Text: more + rec.Backend("app") + site}
}

// openTunnel does a handshake and sees that bytes come back.
func openTunnel(t *testing.T, c *edgetest.Client, handshake string) *edgetest.Client {
	t.Helper()
	m := c.Send(handshake + "early").Answer()
	if m.Status != http.StatusSwitchingProtocols || m.Get("Upgrade") != "websocket" {
		t.Fatalf("answer %+v", m)
	}
	expect(t, c, "hello early")
	return c
}

// expect reads exactly the text.
func expect(t *testing.T, c *edgetest.Client, text string) {
	t.Helper()
	b := make([]byte, len(text))
	if n, err := io.ReadFull(c.Rest(), b); string(b[:n]) != text {
		t.Fatalf("the tunnel gives %q, %v; want %q", b[:n], err, text)
	}
}

func wantEnd(t *testing.T, c *edgetest.Client, want edgetest.End) {
	t.Helper()
	if end := c.End(); end != want {
		t.Errorf("the connection is %v, want %v", end, want)
	}
}

// over runs a test over a plain connection and over TLS.
func over(t *testing.T, edge *edgetest.Edge, test func(*testing.T, *edgetest.Client)) {
	t.Run("plain", func(t *testing.T) { test(t, edge.Dial(t)) })
	t.Run("TLS", func(t *testing.T) { test(t, edge.DialTLS(t, "app.example")) })
}

func tunnelBytes(t *testing.T, rec *edgetest.Recorder) {
	edge := edgetest.Start(t, tunnelSite(rec, ""))
	over(t, edge, func(t *testing.T, c *edgetest.Client) {
		openTunnel(t, c, handshake("/ws"))
		c.Send(smuggled)
		expect(t, c, edgetest.Bytes(smuggled))
		c.CloseWrite()
		wantEnd(t, c, edgetest.Closed)
		edge.Canaries(t)
		if got, _ := rec.Take(); len(got) != 1 || got[0].Path != "/ws" {
			t.Errorf("the server got %d requests", len(got))
		}
	})
	if !edgetest.Until(func() bool { return rec.Open() <= 1 }) {
		t.Errorf("%d connections to the server are open", rec.Open())
	}
}

func originsThatMay(t *testing.T, rec *edgetest.Recorder) {
	edge := edgetest.Start(t, tunnelSite(rec, origins))
	for _, line := range []string{
		"Origin: https://origins.example", "Origin: http://ORIGINS.example.:8080",
		"Origin: https://a.friend.example:1", "X: y",
	} {
		c := edge.Dial(t)
		openTunnel(t, c, strings.Replace(handshake("/ws", line), "app.example", "origins.example", 1))
		c.Close()
	}
}

// silentTunnelsEnd: nobody may hold both sides open for nothing.
func silentTunnelsEnd(t *testing.T, rec *edgetest.Recorder) {
	edge := edgetest.Start(t, tunnelSite(rec, "[timeouts]\ntunnel = \"100ms\"\n"))
	over(t, edge, func(t *testing.T, c *edgetest.Client) {
		openTunnel(t, c, handshake("/ws"))
		if end := c.End(); end != edgetest.Closed && end != edgetest.Reset {
			t.Errorf("the connection is %v", end)
		}
	})
	if !edgetest.Until(func() bool { return rec.Open() == 0 }) {
		t.Errorf("%d connections to the server are open", rec.Open())
	}
}

func tunnelsAreConnections(t *testing.T, rec *edgetest.Recorder) {
	const most = 5
	edge := edgetest.Start(t, tunnelSite(rec, "[limits]\nconnections_per_client = 5\n"))
	var open []*edgetest.Client
	for range most {
		open = append(open, openTunnel(t, edge.Dial(t), handshake("/ws")))
	}
	late := edge.Dial(t)
	late.Send(handshake("/ws"))
	if end := late.End(); end != edgetest.Closed && end != edgetest.Reset {
		t.Errorf("connection %d is %v", most+1, end)
	}
	open[0].Close()
	if !edgetest.Until(func() bool {
		c := edge.Dial(t)
		defer c.Close()
		m, err := c.Send(get("/")).TryAnswer("GET")
		return err == nil && m.Status == 200
	}) {
		t.Error("the place of a closed tunnel is not given to another connection")
	}
	expectEcho(t, open[1])
}

func expectEcho(t *testing.T, c *edgetest.Client) {
	t.Helper()
	c.Send("ping")
	expect(t, c, "ping")
}

func tunnelOutlivesReload(t *testing.T, rec *edgetest.Recorder) {
	edge := edgetest.Start(t, tunnelSite(rec, ""))
	plain := openTunnel(t, edge.Dial(t), handshake("/ws"))
	secure := openTunnel(t, edge.DialTLS(t, "app.example"), handshake("/ws"))
	for _, more := range []string{"", "[timeouts]\nclient = \"7s\"\n", origins} {
		if err := edge.Reload(tunnelSite(rec, more)); err != nil {
			t.Fatal(err)
		}
		expectEcho(t, plain)
		expectEcho(t, secure)
	}
}

func tunnelEndsWithItsRoute(t *testing.T, rec *edgetest.Recorder) {
	edge := edgetest.Start(t, tunnelSite(rec, origins))
	stays := openTunnel(t, edge.Dial(t), handshake("/ws"))
	var gone []*edgetest.Client
	to := strings.Replace(handshake("/ws"), "app.example", "origins.example", 1)
	gone = append(gone, openTunnel(t, edge.Dial(t), to))
	gone = append(gone, openTunnel(t, edge.DialTLS(t, "origins.example"), to))
	if err := edge.Reload(tunnelSite(rec, "")); err != nil {
		t.Fatal(err)
	}
	for _, c := range gone {
		if end := c.End(); end != edgetest.Closed && end != edgetest.Reset {
			t.Errorf("a tunnel without a route is %v", end)
		}
	}
	expectEcho(t, stays)
	if !edgetest.Until(func() bool { return rec.Open() == 1 }) {
		t.Errorf("%d connections to the server are open, want 1", rec.Open())
	}
}

func tunnelEndsWithTheInstance(t *testing.T, rec *edgetest.Recorder) {
	edge := edgetest.Start(t, tunnelSite(rec, ""))
	c := openTunnel(t, edge.Dial(t), handshake("/ws"))
	stopped := make(chan error, 1)
	go func() { stopped <- edge.StopWithin(50 * time.Millisecond) }()
	if end := c.End(); end != edgetest.Closed && end != edgetest.Reset {
		t.Errorf("the tunnel is %v", end)
	}
	c.Close()
	if err := <-stopped; err == nil {
		t.Error("an open tunnel does not show in how the instance stopped")
	}
	if !edgetest.Until(func() bool { return rec.Open() == 0 }) {
		t.Errorf("%d connections to the server are open", rec.Open())
	}
}
