package test_test

import (
	"net/http"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// The key of the handshakes and its answer, from RFC 6455, section 1.3.
const (
	wsKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	wsAccept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=⏎"
	wsSwitch = "HTTP/1.1 101 Switching Protocols⏎Connection: Upgrade⏎"
)

// handshake asks app.example for a WebSocket.
func handshake(path string, lines ...string) string {
	return get(path, append(lines, "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: "+wsKey)...)
}

// wsServer opens a WebSocket below /ws and echoes its bytes; elsewhere it answers
// as the path says, and otherwise as Echo does.
func wsServer(p *edgetest.Peer) {
	answers := map[string]string{
		"/unasked":    wsSwitch + "Upgrade: websocket⏎" + wsAccept + "⏎",
		"/unasked2":   wsSwitch + "⏎",
		"/h2c":        wsSwitch + "Upgrade: h2c⏎" + wsAccept + "⏎",
		"/two":        wsSwitch + "Upgrade: websocket⏎Upgrade: h2c⏎" + wsAccept + "⏎",
		"/list":       wsSwitch + "Upgrade: websocket, h2c⏎" + wsAccept + "⏎",
		"/none":       "HTTP/1.1 101 Switching Protocols⏎" + wsAccept + "⏎",
		"/connection": "HTTP/1.1 101 Switching Protocols⏎Upgrade: websocket⏎" + wsAccept + "⏎",
		"/key":        wsSwitch + "Upgrade: websocket⏎Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=⏎⏎",
		"/keyless":    wsSwitch + "Upgrade: websocket⏎⏎",
		"/426":        "HTTP/1.1 426 Upgrade Required⏎Upgrade: websocket⏎Content-Length: 0⏎⏎",
		"/200":        "HTTP/1.1 200 OK⏎Connection: Upgrade⏎Upgrade: websocket⏎Content-Length: 0⏎⏎",
		"/401":        "HTTP/1.1 401 Unauthorized⏎Content-Length: 0⏎⏎",
	}
	for m := p.Request(); m != nil; m = p.Request() {
		switch text, ok := answers[m.Path]; {
		case ok:
			p.Send(text)
		case strings.HasPrefix(m.Path, "/ws"):
			p.Send(wsSwitch + "Upgrade: websocket⏎" + wsAccept + "⏎hello ")
			b := make([]byte, 1024)
			for {
				n, err := p.Rest().Read(b)
				p.Send(string(b[:n]))
				if err != nil {
					return
				}
			}
		default:
			p.Send(edgetest.EchoOf(m))
		}
	}
}

const origins = `
	[[route]]
	name = "origins"
	hosts = ["origins.example"]
	origins = ["same", "*.friend.example"]
	backend = "app"

	[[route]]
	name = "no-upgrades"
	hosts = ["plain.example"]
	upgrades = []
	backend = "app"
`

func TestSecurityWS(t *testing.T) {
	edge, rec := startSite(t, wsServer, origins)
	edgetest.Run(t, edge, rec, upgradeCases())
}

// upgradeCases are those that one input decides.
func upgradeCases() []edgetest.Case {
	noUpgrade := []string{"upgrade", "h2c", "http2-settings", "websocket"}
	foreign := func(origin string) string {
		return strings.Replace(handshake("/ws", "Origin: "+origin), "app.example", "origins.example", 1)
	}
	return []edgetest.Case{
		{
			Name: "WS-01_h2c_upgrade", Status: 200, Reach: 1, Never: noUpgrade, Send: []string{
				get("/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
				get("/", "Connection: HTTP2-Settings", "HTTP2-Settings: AAMA"),
				get("/", "HTTP2-Settings: AAMA"),
				get("/", "Connection: upgrade", "Upgrade: H2C"),
				get("/", "Connection: Upgrade", "Upgrade: TLS/1.0"),
				sized("hello", "Connection: Upgrade", "Upgrade: h2c"),
			},
		},
		refused("WS-02_h2c_token_split",
			handshake("/ws", "Upgrade: h2c"), get("/ws", "Upgrade: h2c", "Upgrade: websocket"),
			get("/ws", "Connection: Upgrade", "Upgrade: websocket, h2c"),
			get("/ws", "Connection: Upgrade", "Upgrade: h2c,websocket"),
			get("/ws", "Connection: Upgrade", "Upgrade: websocket h2c"),
			get("/ws", "Connection: Upgrade", "Upgrade: websocket,"),
			get("/ws", "Connection: Upgrade", "Upgrade:")),
		{
			Name: "WS-04_one_half_of_an_upgrade", Status: 200, Reach: 1, Never: noUpgrade, Send: []string{
				get("/", "Upgrade: websocket"), get("/", "Connection: upgrade"),
				get("/", "Connection: keep-alive, Upgrade"), get("/", "Upgrade: h2c"),
				get("/", "Upgrade: websocket, h2c"), get("/", "Connection: upgraded", "Upgrade: websocket"),
			},
		},
		{
			Name: "WS-04_route_without_upgrades", Status: 200, Reach: 1,
			Never: []string{"upgrade:", "connection: upgrade"},
			Send:  []string{strings.Replace(handshake("/x"), "app.example", "plain.example", 1)},
		},
		refused("WS-05_handshake_with_a_body",
			strings.Replace(handshake("/ws", "Content-Length: 30"), "GET", "POST", 1)+smuggled,
			handshake("/ws", "Content-Length: 30")+smuggled,
			handshake("/ws", "Transfer-Encoding: chunked")+"0⏎⏎"+smuggled,
			strings.Replace(handshake("/ws", "Content-Length: 0"), "GET", "POST", 1),
			strings.Replace(handshake("/ws"), "GET", "get", 1),
			strings.Replace(handshake("/ws"), "HTTP/1.1", "HTTP/1.0", 1)),
		{
			Name: "WS-07_other_answers_are_no_tunnel", Statuses: []int{426, 200}, Reach: 2,
			Send: []string{handshake("/426") + get("/next")},
		},
		{
			Name: "WS-07_200_is_no_tunnel", Statuses: []int{200, 200}, Reach: 2,
			Send: []string{handshake("/200") + get("/next")},
		},
		{
			Name: "WS-07_401_is_no_tunnel", Statuses: []int{401, 400}, Reach: 1, Closes: true,
			Send: []string{handshake("/401") + "\x81\x05hello⏎⏎"},
		},
		{
			Name: "WS-09_101_not_asked_for", Status: http.StatusBadGateway, Reach: 1,
			Send: []string{get("/unasked"), get("/unasked2"), get("/unasked", "Upgrade: websocket")},
		},
		{
			Name: "WS-10_101_for_something_else", Status: http.StatusBadGateway, Reach: 1,
			Send: each(func(path string) string { return handshake(path) },
				"/h2c", "/two", "/list", "/none", "/connection", "/key", "/keyless"),
		},
		{
			Name: "WS-11_cross-site", Status: http.StatusForbidden, Send: each(foreign,
				"https://evil.example", "http://origins.example.evil.example", "null", "", "://",
				"https://friend.example", "https://a.b.friend.example", "https://xfriend.example",
				"https://origins.example@evil.example", "https://evil.example/origins.example"),
		},
	}
}
