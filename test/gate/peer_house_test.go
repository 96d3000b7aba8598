package gate_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"doorward/internal/edgetest"
	"doorward/internal/oidcpeer"
)

// peerHouse is an edge whose people sign in at a certified provider that nobody here wrote.
type peerHouse struct {
	*gatedHouse
	peer *oidcpeer.Peer
}

// newPeerHouse starts both.
func newPeerHouse(t *testing.T) *peerHouse {
	const callback = "https://login.example/source/oauth/callback/peer"
	server := httptest.NewServer(http.HandlerFunc(tellHead))
	t.Cleanup(server.Close)
	door := newPeerDoor(t)
	peer := oidcpeer.Start(t, oidcpeer.Options{
		Clients: []oidcpeer.Client{{
			ID: "gate", Secret: entraSecret, RedirectURIs: []string{callback},
			LogoutURIs:  []string{callback},
			BackChannel: door.address + "/source/oauth/backchannel/peer",
		}},
		Accounts: map[string]map[string]any{
			"ann": {"name": "Ann", "preferred_username": "ann", "groups": []string{entraAdmins}},
			"bob": {"name": "Bob", "preferred_username": "bob", "groups": []string{entraAdmins}},
		},
		InIDToken: true, AlwaysRefresh: true, CAFile: door.caFile,
	})
	edge := edgetest.Start(t, providerSite(server.URL, "local_users = false\n", `
		[[sign_in.provider]]
		name = "peer"
		type = "oidc"
		issuer = "`+peer.Issuer+`"
		client_id = "gate"
		scopes = ["openid", "profile", "groups"]
		ca_file = "`+peer.CAFile+`"
	`+entraShowing))
	door.leadTo(t, edge)
	wait(t, "what the provider publishes", func() bool {
		return strings.Contains(edge.Log(), "provider is available")
	})
	return &peerHouse{&gatedHouse{edge, t}, peer}
}

// peerDoor is the port 443 of the sign-in host for the provider, since a test has none.
type peerDoor struct {
	address, caFile string
	inner           atomic.Pointer[http.Transport]
}

func newPeerDoor(t *testing.T) *peerDoor {
	d := new(peerDoor)
	relay := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: "login.example"})
		},
		Transport: d,
	})
	relay.Config.SetKeepAlivesEnabled(false) // the edge would be blamed for what stays open
	relay.StartTLS()
	t.Cleanup(relay.Close)
	_, port, err := net.SplitHostPort(relay.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: relay.Certificate().Raw})
	d.caFile = filepath.Join(t.TempDir(), "door.pem")
	if err := os.WriteFile(d.caFile, root, 0o600); err != nil {
		t.Fatal(err)
	}
	d.address = "https://example.com:" + port // which the certificate is for
	return d
}

// leadTo opens it.
func (d *peerDoor) leadTo(t *testing.T, e *edgetest.Edge) {
	inner := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: e.Roots()},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", e.HTTPS)
		},
	}
	t.Cleanup(inner.CloseIdleConnections)
	d.inner.Store(inner)
}

// RoundTrip asks the edge.
func (d *peerDoor) RoundTrip(r *http.Request) (*http.Response, error) {
	return d.inner.Load().RoundTrip(r)
}

func (h *peerHouse) signedIn(login string) *visitor {
	h.t.Helper()
	v := newVisitor(h.gatedHouse, h.peer.CAFile, nil, url.Values{
		"login": {login}, "password": {"any"}, "logout": {"yes"},
	})
	for _, host := range []string{"app", "admin"} {
		p := v.enter("https://" + host + ".example/")
		if p.status != http.StatusOK || !strings.Contains(p.body, ": "+login+"\r\n") {
			h.t.Fatalf("%s: %d at %s\n%s", host, p.status, p.url, p.body)
		}
	}
	return v
}
