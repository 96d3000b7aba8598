// Package dnsprovider writes the records of DNS-01 challenges (RFC 8555, section 8.4)
// at those who serve the zone: Azure DNS, Cloudflare, Route 53, or any server that
// takes dynamic updates (RFC 2136).
//
// It knows what a record is and where it is written; when, and whether it has arrived,
// is up to package acme. Credentials come from the configuration alone, never from the
// environment, and no program is started to find some.
package dnsprovider

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/libdns/cloudflare"
	"github.com/libdns/libdns"
	"github.com/libdns/rfc2136"
)

// The providers.
const (
	Azure      = "azure"
	Cloudflare = "cloudflare"
	Route53    = "route53"
	RFC2136    = "rfc2136"
)

// Options say who serves the zone and how we may change it. Each provider has keys of
// its own; those of others are left alone.
type Options struct {
	// Provider is one of the constants.
	Provider string

	// Token is Cloudflare's API token, which needs Zone:DNS:Edit. ZoneToken, which may
	// be empty, is one that reads zones.
	Token, ZoneToken string

	// SubscriptionID and ResourceGroup say where the zone lies in Azure.
	SubscriptionID, ResourceGroup string
	// TenantID, ClientID and ClientSecret are an application's. TokenFile is read in
	// place of the secret at each use: the platform renews what is in it. Without both
	// the managed identity of this machine is used; ClientID may choose one of several.
	TenantID, ClientID, ClientSecret, TokenFile string

	// AccessKeyID and SecretAccessKey are a user's of AWS. HostedZoneID names the zone;
	// empty: it is looked up by its name.
	AccessKeyID, SecretAccessKey, HostedZoneID string

	// Server takes dynamic updates, "host" or "host:port". KeyName, KeyAlgorithm and Key
	// sign them (RFC 8945); the key is base64, the algorithm "hmac-sha256" if empty.
	Server, KeyName, KeyAlgorithm, Key string

	// Client speaks to the provider's service; nil is one with a timeout. Base takes the
	// place of the service's URL, and Login of the one that gives Azure's tokens, which
	// tests need.
	Client      *http.Client
	Base, Login string
}

// Provider writes and removes records. It may be used by many goroutines.
type Provider interface {
	libdns.RecordAppender
	libdns.RecordDeleter
}

// patience bounds one request to a provider.
const patience = 30 * time.Second

// New makes the provider that o describes. It contacts nobody.
func New(o Options) (Provider, error) {
	if o.Client == nil {
		o.Client = newClient(http.ProxyFromEnvironment)
	}
	switch o.Provider {
	case Azure:
		return newAzure(o)
	case Cloudflare:
		return &cloudflare.Provider{
			APIToken: o.Token, ZoneToken: o.ZoneToken, HTTPClient: at(o),
		}, nil
	case Route53:
		return newRoute53(o), nil
	case RFC2136:
		return newUpdates(o), nil
	}
	return nil, fmt.Errorf("DNS provider %q: there are %s, %s, %s and %s", o.Provider,
		Azure, Cloudflare, Route53, RFC2136)
}

// newClient makes one that follows nobody elsewhere: requests hold credentials.
func newClient(proxy func(*http.Request) (*url.URL, error)) *http.Client {
	return &http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			Proxy: proxy, ForceAttemptHTTP2: true, IdleConnTimeout: patience,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func newUpdates(o Options) Provider {
	server := o.Server
	if _, _, err := net.SplitHostPort(server); err != nil {
		server = net.JoinHostPort(server, "53")
	}
	algorithm := o.KeyAlgorithm
	if algorithm == "" {
		algorithm = "hmac-sha256"
	}
	return &rfc2136.Provider{
		KeyName: o.KeyName, KeyAlg: algorithm, Key: o.Key, Server: server,
	}
}

// sets is a service that knows the texts of one name as a whole.
type sets interface {
	// get returns the texts of a name in a zone, none when it has none, and what put
	// must be told of the state that was read.
	get(ctx context.Context, zone, name string) (texts []string, state string, err error)
	// put writes all texts of a name; with none the name goes.
	put(ctx context.Context, zone, name, state string, texts []string) error
}
