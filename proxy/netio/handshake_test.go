package netio_test

import (
	"crypto/tls"
	"testing"
	"time"

	"doorward/proxy/netio"
)

// A handshake that panics keeps no turn: else a few would end all handshakes.
func TestHandshakeTurnsSurvivePanics(t *testing.T) {
	turns := make(chan struct{}, 1)
	for range 3 {
		ours, theirs := sockets(t, "tcp", "127.0.0.1:0")
		go func() {
			_ = tls.Client(theirs, &tls.Config{InsecureSkipVerify: true}).Handshake()
		}()
		c := netio.New(ours)
		c.StartServer(&tls.Config{
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { panic("test") },
		})
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			_ = c.Handshake(time.Minute, turns)
		}()
		_ = ours.Close()
		_ = theirs.Close()
	}
	if n := len(turns); n != 0 {
		t.Errorf("%d turns are kept", n)
	}
}
