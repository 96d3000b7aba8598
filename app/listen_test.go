package app_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"doorward/internal/porttest"
)

// on is a site on one plain listener.
func on(address, url string) string {
	return strings.Replace(strings.Replace(site(url, ""), plainAddress, address, 1),
		fmt.Sprintf("https = [%q]", tlsAddress), "https = []", 1)
}

func TestReloadOpensAndClosesListeners(t *testing.T) {
	url := server(t, "app")
	one, two := porttest.Address(t), porttest.Address(t)
	e := start(t, on(one, url))
	busy := dial(t, one)
	busy.get("app")

	e.mustReload(on(two, url))
	dial(t, two).get("app")
	if c, err := net.Dial("tcp", one); err == nil {
		c.Close()
		t.Errorf("%s still listens", one)
	}
	// What is open ends with the request it is at, or the next one.
	busy.send("/")
	if r, body, err := busy.answer(); err == nil && (body != "app" || !r.Close) {
		t.Errorf("on the old listener: %v, %q; want an answer that closes", r, body)
	}
	if _, err := busy.in.ReadByte(); err == nil {
		t.Error("the connection on the old listener is still open")
	}
}

func TestReloadMayReplaceAListenerByOneThatOverlaps(t *testing.T) {
	url := server(t, "app")
	port := strconv.Itoa(porttest.Free(t))
	e := start(t, on(":"+port, url))
	for _, address := range []string{"127.0.0.1:" + port, "0.0.0.0:" + port, "127.0.0.1:" + port} {
		e.mustReload(on(address, url))
		dial(t, "127.0.0.1:"+port).get("app")
		second := newEdge(t, on(address, url))
		if err := second.Start(); !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatalf("%s: a second instance starts with %v, want %v", address, err, syscall.EADDRINUSE)
		}
	}
}

func TestReloadChangesTheKindOfAListener(t *testing.T) {
	url := server(t, "app")
	address := porttest.Address(t)
	e := start(t, on(address, url))
	dial(t, address).get("app")

	secure := strings.Replace(on(address, url), "https = []", fmt.Sprintf("https = [%q]", address), 1)
	secure = strings.Replace(secure, fmt.Sprintf("http = [%q]", address), "http = []", 1)
	e.mustReload(secure)
	c := dial(t, address)
	c.send("/")
	if r, body, err := c.answer(); err == nil && r.StatusCode == http.StatusOK {
		t.Errorf("plain HTTP on a TLS listener: %v %q", r, body)
	}
	e.mustReload(on(address, url))
	dial(t, address).get("app")
}

func TestPlainListenerRedirectsToThePortInUse(t *testing.T) {
	e := start(t, strings.Replace(site(server(t, "app"), ""), "http_redirect = false", "", 1))
	c := dial(t, e.plain())
	c.send("/a?b")
	r, _, err := c.answer()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(e.secure())
	if want := "https://app.test:" + port + "/a?b"; r.Header.Get("Location") != want {
		t.Errorf("%s, Location %q; want %q", r.Status, r.Header.Get("Location"), want)
	}
}

func TestStartThatCannotListenLeavesNothingOpen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free := porttest.Address(t)
	config := strings.Replace(on(free, server(t, "app")), fmt.Sprintf("[%q]", free),
		fmt.Sprintf("[%q, %q]", free, taken.Addr()), 1)
	e := newEdge(t, config)
	err = e.Start()
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "ss -ltnp") {
		t.Errorf("Start: %v, want %v with a hint", err, syscall.EADDRINUSE)
	}
	l, err := net.Listen("tcp", free)
	if err != nil {
		t.Fatalf("%s is still open: %v", free, err)
	}
	l.Close()
}

func TestConnectionsOverTheLimitWait(t *testing.T) {
	config := site(server(t, "app"), "[limits]\nconnections = 1\n")
	e := start(t, config)
	first, second := dial(t, e.plain()), dial(t, e.plain())
	first.get("app")
	second.send("/")
	first.conn.Close()
	if _, body, err := second.answer(); err != nil || body != "app" {
		t.Errorf("the second connection got %q, %v", body, err)
	}
	second.conn.Close()

	third, fourth := dial(t, e.plain()), dial(t, e.plain())
	third.get("app")
	fourth.send("/")
	e.mustReload(strings.Replace(config, "connections = 1", "connections = 2", 1))
	if _, body, err := fourth.answer(); err != nil || body != "app" {
		t.Errorf("after the limit was raised the fourth connection got %q, %v", body, err)
	}
}
