package app

import (
	cryptotls "crypto/tls"
	"errors"
	"time"

	"github.com/quic-go/quic-go"

	"doorward/proxy"
)

// quicSettings are what new connections with QUIC get from a generation.
type quicSettings struct {
	config *quic.Config
	tls    *cryptotls.Config
}

// How much of the bodies of requests a client may send ahead of who reads them: at
// first, and when that turns out to slow it down.
const (
	firstStreamWindow, mostStreamWindow = 256 << 10, 1 << 20
	firstConnWindow, mostConnWindow     = 512 << 10, 2 << 20
)

// buildQUIC says how connections with QUIC are bounded.
func (g *generation) buildQUIC() {
	t := &g.cfg.Timeouts
	// Silence on the network. A client that is there answers our pings, however long its
	// request takes; how long it may be idle is HTTP's to say.
	silence := max(time.Duration(t.KeepAlive), time.Duration(t.Client))
	g.quic.config = proxy.QUIC(&quic.Config{
		// The whole handshake may take twice as long.
		HandshakeIdleTimeout:           time.Duration(t.Handshake) / 2,
		MaxIdleTimeout:                 silence,
		KeepAlivePeriod:                silence / 2,
		InitialStreamReceiveWindow:     firstStreamWindow,
		MaxStreamReceiveWindow:         mostStreamWindow,
		InitialConnectionReceiveWindow: firstConnWindow,
		MaxConnectionReceiveWindow:     mostConnWindow,
		MaxIncomingStreams:             int64(g.snapshot.HTTP2.Streams),
	})
	if g.snapshot.TLS != nil {
		g.quic.tls = overQUIC(g.snapshot.TLS)
	}
}

// overQUIC makes of the rules for handshakes over TCP those for handshakes over QUIC,
// which knows one protocol and no TLS before 1.3 (RFC 9001, section 4.2).
func overQUIC(c *cryptotls.Config) *cryptotls.Config {
	c = c.Clone()
	c.NextProtos = []string{"h3"}
	c.MinVersion = cryptotls.VersionTLS13
	return c
}

var errNoCertificates = errors.New("no certificates are in force yet")

// quicListenerTLS has every handshake meet the rules of the generation in force.
func quicListenerTLS(a *App) *cryptotls.Config {
	return &cryptotls.Config{
		NextProtos: []string{"h3"}, MinVersion: cryptotls.VersionTLS13,
		GetConfigForClient: func(hello *cryptotls.ClientHelloInfo) (*cryptotls.Config, error) {
			rules := a.live.Load().quic.tls
			switch {
			case rules == nil:
				return nil, errNoCertificates
			case rules.GetConfigForClient == nil:
				return rules, nil
			}
			special, err := rules.GetConfigForClient(hello)
			if special == nil || err != nil {
				return rules, err
			}
			return overQUIC(special), nil
		},
	}
}
