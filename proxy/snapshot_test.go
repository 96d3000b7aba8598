package proxy_test

import (
	"crypto/tls"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"doorward/proxy"
)

// The bound on handshakes is that of the snapshot in force: a reload changes it,
// and one that does not change it gives out no turns a second time.
func TestHandshakeBoundFollowsTheSnapshot(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	goOn, begun := make(chan struct{}), make(chan struct{}, 8)
	e := proxy.New(proxy.Options{Log: zaptest.NewLogger(t)})
	swap := func(bound int) {
		s, _ := setup(t)
		s.TLS = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			begun <- struct{}{}
			<-goOn
			return &server.TLS.Certificates[0], nil
		}}
		s.Timeouts.Handshake, s.Limits.Handshakes = flowPatience, bound
		s.Prepare()
		e.Swap(s)
	}
	ended := make(chan struct{}, 8)
	handshake := func() {
		client, ours := net.Pipe()
		go e.ServeConn(ours, &proxy.Listener{TLS: true})
		go func() {
			_ = tls.Client(client, &tls.Config{InsecureSkipVerify: true}).Handshake()
			_ = client.Close()
			ended <- struct{}{}
		}()
	}
	count := func(want int) {
		t.Helper()
		for range want {
			select {
			case <-begun:
			case <-time.After(flowPatience):
				t.Fatal("a handshake waits for a turn that is free")
			}
		}
		select {
		case <-begun:
			t.Error("a handshake more than there may be")
		case <-time.After(50 * time.Millisecond):
		}
	}
	swap(1)
	handshake()
	handshake()
	count(1)
	swap(1)
	handshake()
	count(0)
	swap(2)
	handshake()
	handshake()
	handshake()
	count(2)
	close(goOn)
	for range 6 {
		<-ended
	}
}
