package test_test

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// site of one backend with the given keys, for app.example.
func siteOf(backend string) edgetest.Config {
	return edgetest.Config{Text: "[backends.app]\n" + backend +
		"\n[[route]]\nhosts = [\"app.example\"]\nbackend = \"app\"\n"}
}

// describe is a server that says how it was reached.
func describe(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s %s %s", r.Method, r.Host, r.Header.Get("X-Forwarded-For"))
}

func TestUnixSocketServers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(describe)}}
	server.Start()
	t.Cleanup(server.Close)
	edge := edgetest.Start(t, siteOf(fmt.Sprintf("servers = [\"unix://%s\"]", path)))
	over(t, edge, func(t *testing.T, c *edgetest.Client) {
		for range 3 {
			if m := c.Send(sized("hello")).Answer(); m.Body != "POST app.example 127.0.0.1" {
				t.Errorf("answer %+v", m)
			}
		}
	})
}

func TestSecureServers(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(describe))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that have to fail
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	servers := fmt.Sprintf("servers = [%q]\nretries = 0\n", server.URL)
	for name, c := range map[string]struct {
		keys   string
		status int
	}{
		"verified":          {fmt.Sprintf("tls = { ca_file = %q, server_name = \"example.com\" }", ca), 200},
		"by address":        {fmt.Sprintf("tls = { ca_file = %q }", ca), 200},
		"not verified":      {"tls = { verify = false }", 200},
		"unknown authority": {"", 502},
		"wrong name":        {fmt.Sprintf("tls = { ca_file = %q, server_name = \"x.example\" }", ca), 502},
		"wrong key":         {fmt.Sprintf("tls = { pin_sha256 = %q }", strings.Repeat("00", 32)), 502},
	} {
		t.Run(name, func(t *testing.T) {
			edge := edgetest.Start(t, siteOf(servers+c.keys))
			over(t, edge, func(t *testing.T, client *edgetest.Client) {
				for range 3 {
					m := client.Send(get("/")).Answer()
					if m.Status != c.status || c.status == 200 && m.Body != "GET app.example 127.0.0.1" {
						t.Errorf("answer %+v, want %d", m, c.status)
					}
				}
			})
		})
	}
}

// The address in a PROXY header is the client's, for servers and for rules.
func TestProxyProtocol(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(describe))
	t.Cleanup(server.Close)
	c := siteOf(fmt.Sprintf("servers = [%q]", server.URL))
	c.Listen = `proxy_protocol = ["127.0.0.0/8"]`
	c.Text += "access = { networks = [\"192.0.2.0/24\", \"2001:db8::/32\"] }\n"
	edge := edgetest.Start(t, c)
	v2 := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x09\x05\x06\x07\x08\x04\x57\x01\xbb"
	for header, want := range map[string]string{
		"PROXY TCP4 192.0.2.7 10.0.0.1 1 2⏎":      "192.0.2.7",
		"PROXY TCP6 2001:db8::7 2001:db8::1 1 2⏎": "2001:db8::7",
		"PROXY TCP4 198.51.100.1 10.0.0.1 1 2⏎":   "",
		"PROXY UNKNOWN⏎":                          "",
		v2:                                        "192.0.2.9",
	} {
		for _, address := range []string{edge.HTTP, edge.HTTPS} {
			c := edgetest.Dial(t, address).Send(header)
			if address == edge.HTTPS {
				if err := c.StartTLS(edge, clientTLS()); err != nil {
					t.Fatal(err)
				}
			}
			m := c.Send(get("/")).Answer()
			if want == "" && m.Status != 403 || want != "" && m.Body != "GET app.example "+want {
				t.Errorf("%q: %+v, want %s", header, m, want)
			}
		}
	}
}

// A request has one id, which the server, the client and the log know.
func TestRequestIDs(t *testing.T) {
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, tunnelSite(rec, ""))
	seen := map[string]bool{}
	over(t, edge, func(t *testing.T, c *edgetest.Client) {
		for range 5 {
			id := c.Send(get("/", "X-Request-ID: mine")).Answer().Get("X-Request-ID")
			m := take(rec)[0]
			if len(id) != 32 || seen[id] || m.Get("X-Request-ID") != id {
				t.Errorf("the client got id %q, the server %q", id, m.Values("X-Request-ID"))
			}
			seen[id] = true
		}
	})
	edge.Stop()
	for id := range seen {
		if strings.Count(edge.Log(), id) != 1 {
			t.Errorf("id %s is not in the log", id)
		}
	}
}

func clientTLS() *tls.Config {
	return &tls.Config{ServerName: "app.example", NextProtos: []string{"http/1.1"}}
}
