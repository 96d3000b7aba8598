package oidc

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

// consumers is the tenant of all personal accounts of Microsoft: anybody's.
const consumers = "9188040d-6c67-4c5b-b112-36a304b66dad"

var (
	guid   = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	domain = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+$`)
)

// clouds are the hosts of sign-in and Graph of each of Microsoft's clouds.
var clouds = map[string][2]string{
	"":          {"login.microsoftonline.com", "https://graph.microsoft.com"},
	"global":    {"login.microsoftonline.com", "https://graph.microsoft.com"},
	"usgov":     {"login.microsoftonline.us", "https://graph.microsoft.us"},
	"usgov-dod": {"login.microsoftonline.us", "https://dod-graph.microsoft.us"},
	"china":     {"login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"},
}

// complete checks the options and fills in what is empty. It keeps none of the
// caller's slices.
func (o *Options) complete() error {
	if o.ClientID == "" {
		return errors.New("client_id is empty")
	}
	o.GroupsClaim = cmp.Or(o.GroupsClaim, "groups")
	o.RolesClaim = cmp.Or(o.RolesClaim, "roles")
	o.Scopes, o.IssuerHosts = slices.Clone(o.Scopes), slices.Clone(o.IssuerHosts)
	for i, host := range o.IssuerHosts {
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		o.IssuerHosts[i] = strings.ToLower(host)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	o.Log = o.Log.With(zap.String("provider", o.Name))
	if err := o.completeCredentials(); err != nil {
		return err
	}
	switch o.Type {
	case Entra:
		return o.completeEntra()
	case OpenID:
		if _, err := secureURL(o.Issuer); err != nil {
			return fmt.Errorf("issuer: %w", err)
		}
		return nil
	case GitHub:
		return o.completeGitHub()
	default:
		return fmt.Errorf("type %q is none of entra, oidc, github", o.Type)
	}
}

func (o *Options) completeCredentials() error {
	given := 0
	for _, is := range []bool{o.Secret != nil, o.Certificate != nil, o.FederatedTokenFile != ""} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		return errors.New("client_secret, certificate and federated_token_file exclude each other")
	case given == 0 && o.Type != OpenID:
		return errors.New("client_secret is missing")
	case o.Type == GitHub && o.Secret == nil:
		return errors.New("GitHub takes nothing but a client_secret")
	}
	return nil
}

func (o *Options) completeEntra() error {
	hosts, ok := clouds[o.Cloud]
	if !ok {
		return fmt.Errorf("cloud %q is none of global, usgov, usgov-dod, china", o.Cloud)
	}
	o.AuthorityHost = withScheme(cmp.Or(o.AuthorityHost, hosts[0]))
	if _, err := secureURL(o.AuthorityHost); err != nil {
		return fmt.Errorf("authority_host: %w", err)
	}
	o.GraphURL = strings.TrimSuffix(cmp.Or(o.GraphURL, hosts[1]), "/")
	if _, err := secureURL(o.GraphURL); err != nil {
		return fmt.Errorf("graph_url: %w", err)
	}
	return o.completeTenants()
}

// completeTenants leaves the tenants in Tenants alone. An empty list must never mean
// that every tenant there is may sign in.
func (o *Options) completeTenants() error {
	tenants := make([]string, 0, len(o.Tenants)+1)
	for _, t := range o.Tenants {
		tenants = append(tenants, strings.ToLower(t))
	}
	switch one := strings.ToLower(o.Tenant); {
	case (one == "" || one == "organizations" || one == "common") && len(tenants) == 0:
		return errors.New("tenant names no tenant: give its GUID, or list the allowed ones in tenants")
	case one == "" || one == "organizations" || one == "common":
	case len(tenants) > 0:
		return errors.New("tenant and tenants exclude each other")
	default:
		tenants = append(tenants, one)
	}
	for _, t := range tenants {
		if t == consumers || t == "consumers" {
			return errors.New("personal accounts cannot be a tenant: anybody can have one")
		}
		if !guid.MatchString(t) && !domain.MatchString(t) {
			return fmt.Errorf("tenant %q is neither a GUID nor a domain", t)
		}
	}
	slices.Sort(tenants)
	o.Tenants = slices.Compact(tenants)
	return nil
}

func (o *Options) completeGitHub() error {
	own := o.AuthorityHost != ""
	o.AuthorityHost = withScheme(cmp.Or(o.AuthorityHost, "github.com"))
	if _, err := secureURL(o.AuthorityHost); err != nil {
		return fmt.Errorf("authority_host: %w", err)
	}
	api := "https://api.github.com"
	if own {
		api = o.AuthorityHost + "/api/v3"
	}
	o.GraphURL = strings.TrimSuffix(cmp.Or(o.GraphURL, api), "/")
	if _, err := secureURL(o.GraphURL); err != nil {
		return fmt.Errorf("graph_url: %w", err)
	}
	return nil
}

// about is what makes two options mean the same provider.
func (o *Options) about() string {
	return fmt.Sprintf("%q", []any{o.Name, o.Type, o.Tenants, o.AuthorityHost, o.GraphURL, o.Issuer,
		o.IssuerHosts})
}

func withScheme(host string) string {
	if strings.Contains(host, "://") {
		return strings.TrimSuffix(host, "/")
	}
	return "https://" + host
}

// secureURL parses an address that secrets may be sent to: https, or http within this
// machine, and nothing that hides where it leads.
func secureURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return nil, errors.New("no address")
	case err != nil:
		return nil, errors.New("not an address")
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())):
		return nil, fmt.Errorf("%q does not begin with https://", clean(raw, maxDescription))
	case u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "":
		return nil, fmt.Errorf("%q is not a plain address", clean(raw, maxDescription))
	}
	return u, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// hostPort is the host with its port, also where that is the usual one.
func hostPort(u *url.URL) string {
	port := cmp.Or(u.Port(), map[string]string{"https": "443", "http": "80"}[u.Scheme])
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
