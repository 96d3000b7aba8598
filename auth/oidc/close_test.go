package oidc_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"doorward/auth/oidc"
	"doorward/internal/entratest"
)

// Whoever is closed is replaced by another, at every change of the configuration: their
// connections must not add up.
func TestCloseLeavesNoConnection(t *testing.T) {
	entra := entratest.Start(t, entratest.Options{Apps: []entratest.App{{ClientID: client}}})
	open := make(chan net.Conn, 10)
	there := entra.Client(t)
	dial := there.Transport.(*http.Transport).DialContext
	there.Transport.(*http.Transport).DialContext = func(
		ctx context.Context, network, address string,
	) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err == nil {
			c = &seenConn{c, open}
		}
		return c, err
	}
	p := mustNew(t, oidc.Options{
		Name: "azure-ad", Type: oidc.Entra, Tenant: entratest.TenantID, ClientID: client,
		Secret: func() (string, error) { return secret, nil }, AuthorityHost: entra.URL,
		GraphURL: entra.URL, HTTP: there,
	})
	p.Start(t.Context())
	deadline := time.After(entratest.Patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !p.Status().Ready {
		select {
		case <-deadline:
			t.Fatalf("the provider is not ready: %+v", p.Status())
		case <-tick.C:
		}
	}
	p.Close()
	select {
	case <-open:
	case <-deadline:
		t.Error("the connection stays open")
	}
}

// seenConn tells when it is closed.
type seenConn struct {
	net.Conn
	closed chan<- net.Conn
}

func (c *seenConn) Close() error {
	c.closed <- c
	return c.Conn.Close()
}
