package gate_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"doorward/internal/edgetest"
	"doorward/internal/entratest"
)

// providerWorld is the network beyond this machine, as far as there is one: the hosts of
// Microsoft lead to the imitation, and every other name is kept and leads nowhere.
type providerWorld struct {
	hosts map[string]string // addresses by host

	mu     sync.Mutex
	dialed map[string]int // by host, those that lead nowhere too
}

// newProviderWorld puts it in the place of the network for whoever makes transports from
// now on: no configuration of an edge has to differ from one at work.
func newProviderWorld(t *testing.T, hosts map[string]string) *providerWorld {
	w := &providerWorld{hosts: hosts, dialed: map[string]int{}}
	real := http.DefaultTransport
	there := real.(*http.Transport).Clone()
	there.Proxy, there.DialContext = nil, w.dial
	http.DefaultTransport = there
	t.Cleanup(func() { http.DefaultTransport = real })
	return w
}

func (w *providerWorld) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.dialed[host]++
	w.mu.Unlock()
	if to, known := w.hosts[host]; known {
		address = to
	} else if host != "127.0.0.1" {
		return nil, fmt.Errorf("nobody is at %s", host)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// strangers are the hosts besides the given ones that somebody wanted to reach.
func (w *providerWorld) strangers(known ...string) (hosts []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for host := range w.dialed {
		if !slices.Contains(known, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// The names at Microsoft that a sign-in needs.
const (
	entraLogin = "login.microsoftonline.com"
	entraGraph = "graph.microsoft.com"
)

// entraHouse is an edge whose people sign in at Entra ID, under the names that it has at
// Microsoft.
type entraHouse struct {
	*gatedHouse
	entra  *entratest.Server
	world  *providerWorld
	server *httptest.Server
	signIn string // keys of [sign_in] besides the host
}

const (
	entraSecret  = "a secret of the app registration"
	entraCall    = "https://login.example/source/oauth/callback/azure-ad"
	entraFront   = "https://login.example/source/oauth/frontchannel/azure-ad"
	entraAdmins  = "968b4844-d5e7-4e18-a834-59927959369f"
	entraOfAnn   = "ann@contoso.example"
	entraOfBob   = "bob@contoso.example"
	entraShowing = "client_secret = \"" + entraSecret + "\"\n"
)

// startEntra starts the imitation with an app registration and two people.
func startEntra(t *testing.T, change func(*entratest.Options)) *entratest.Server {
	o := entratest.Options{
		Apps: []entratest.App{{
			ClientID: "doorward", Secrets: []string{entraSecret}, RedirectURIs: []string{entraCall},
			LogoutURL: entraFront, Groups: entratest.SecurityGroups,
			OptionalClaims: []string{"email", "xms_edov", "sid", "login_hint", "auth_time"},
		}},
		Users: []entratest.User{
			{Username: entraOfAnn, Name: "Ann", Mail: entraOfAnn, MailVerified: true,
				Groups: []string{entraAdmins}},
			{Username: entraOfBob, Name: "Bob", Mail: entraOfBob},
		},
	}
	if change != nil {
		change(&o)
	}
	return entratest.Start(t, o)
}

// newEntraHouse starts an edge for a provider that is there, and waits until it knows.
func newEntraHouse(t *testing.T, entra *entratest.Server, keys string) *entraHouse {
	h := newEntraHouseInTheDark(t, entra, "local_users = false\n", keys)
	h.known()
	return h
}

// newEntraHouseInTheDark starts one without waiting.
func newEntraHouseInTheDark(
	t *testing.T, entra *entratest.Server, signIn, keys string,
) *entraHouse {
	address := strings.TrimPrefix(entra.URL, "https://")
	h := &entraHouse{entra: entra, signIn: signIn}
	h.server = httptest.NewServer(http.HandlerFunc(tellHead))
	t.Cleanup(h.server.Close)
	h.world = newProviderWorld(t, map[string]string{entraLogin: address, entraGraph: address})
	h.gatedHouse = &gatedHouse{edgetest.Start(t, h.site(keys)), t}
	return h
}

// known waits until the edge has learned what the provider says of itself.
func (h *entraHouse) known() {
	h.t.Helper()
	wait(h.t, "what the provider publishes", func() bool {
		return strings.Contains(h.Log(), "provider is available")
	})
}

// again starts a provider that was stopped, which ends before the edge does.
func (h *entraHouse) again() {
	h.t.Helper()
	h.entra.Again(h.t)
	h.t.Cleanup(h.entra.Stop)
}

// site is a configuration as it would be at work; keys say who the edge is at the
// provider, and what else is to be said of it.
func (h *entraHouse) site(keys string) edgetest.Config {
	if !strings.Contains(keys, "tenant") {
		keys += `tenant = "` + entratest.TenantID + `"` + "\n"
	}
	return providerSite(h.server.URL, h.signIn, `
		[[sign_in.provider]]
		name = "azure-ad"
		type = "entra"
		title = "Microsoft"
		client_id = "doorward"
		ca_file = "`+h.entra.CAFile+`"
		`+keys)
}

// providerSite has an app for everybody, one for a group, and one for nobody's sake.
func providerSite(server, signIn, providers string) edgetest.Config {
	return edgetest.Config{Text: `
		[sign_in]
		host = "login.example"
		` + signIn + providers + `
		[groups.admins]
		provider_groups = ["` + entraAdmins + `"]
		[[route]]
		name = "app"
		hosts = ["app.example"]
		backend = "app"
		access = "any-user"
		public_paths = ["=/healthz"]
		identity_headers = "authentik"
		[[route]]
		name = "admin"
		hosts = ["admin.example"]
		backend = "app"
		access = { groups = ["admins"] }
		identity_headers = { X-Who = "{user}" }
		[[route]]
		name = "chief"
		hosts = ["chief.example"]
		backend = "app"
		access = { users = ["` + entraOfAnn + `"] }
		identity_headers = "remote-user"
		[[route]]
		name = "open"
		hosts = ["open.example"]
		backend = "app"
		access = "public"
		[backends.app]
		servers = ["` + server + `"]
	`}
}

// visitor is a browser that reaches providers too, and fills in their forms as somebody.
func (h *entraHouse) visitor(user string) *visitor {
	return newVisitor(h.gatedHouse, h.entra.CAFile, h.world.hosts, url.Values{
		"loginfmt": {user}, "passwd": {"any"}, "out": {"yes"},
	})
}

func newVisitor(
	h *gatedHouse, caFile string, hosts map[string]string, typed url.Values,
) *visitor {
	h.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: rootsWith(h.t, h.Edge, caFile)},
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			host, _, _ := net.SplitHostPort(address)
			to := hosts[host]
			switch {
			case strings.HasSuffix(host, ".example"):
				to = h.HTTPS
			case host == "127.0.0.1":
				to = address
			}
			return new(net.Dialer).DialContext(ctx, "tcp", to)
		},
	}
	h.t.Cleanup(transport.CloseIdleConnections)
	client := http.Client{Transport: transport, Jar: jar, Timeout: 3 * edgetest.Patience}
	return &visitor{browser: &browser{client, h.t, "login.example"}, typed: typed}
}
