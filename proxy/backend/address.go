package backend

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

const (
	// maxName is the longest name in the DNS (RFC 1035, section 2.3.4).
	maxName = 253
	// maxSocketPath is what fits into a sockaddr_un everywhere.
	maxSocketPath = 103
)

// address is where a server is, read from its URL.
type address struct {
	scheme string
	// http2 says that the scheme alone tells that the server speaks HTTP/2.
	http2 bool
	// path is of a unix socket; host and port are of the others.
	path string
	host string
	port uint16
	// ip is the host when that is a literal address.
	ip netip.Addr
}

func parseURL(text string) (address, error) {
	u, err := url.Parse(text)
	if err != nil {
		// The text of url.Error repeats the URL, quoted, which is what we want.
		return address{}, fmt.Errorf("server URL: %w", err)
	}
	a, err := fromURL(u)
	if err != nil {
		return address{}, fmt.Errorf("server URL %q: %w", text, err)
	}
	return a, nil
}

func fromURL(u *url.URL) (address, error) {
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" {
		return address{}, fmt.Errorf("only scheme, host and port belong here")
	}
	switch u.Scheme {
	case "unix", "unix+https":
		return unixAddress(u)
	case "http", "https", "h2c":
	default:
		return address{}, fmt.Errorf(
			"the scheme has to be http, https, h2c, unix or unix+https")
	}
	if strings.Trim(u.Path, "/") != "" {
		return address{}, fmt.Errorf(
			"a path does not belong here, a route's strip_prefix and replace_prefix change paths")
	}
	a := address{scheme: u.Scheme, host: u.Hostname(), port: 80}
	switch u.Scheme {
	case "https":
		a.port = 443
	case "h2c":
		a.scheme, a.http2 = "http", true
	}
	if text := u.Port(); text != "" {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || port == 0 {
			return address{}, fmt.Errorf("the port has to be between 1 and 65535")
		}
		a.port = uint16(port)
	}
	if ip, err := netip.ParseAddr(a.host); err == nil {
		a.ip, a.host = ip, ip.String()
		return a, nil
	}
	a.host = strings.ToLower(a.host)
	return a, checkName(a.host)
}

func unixAddress(u *url.URL) (address, error) {
	switch {
	case u.Host != "" || !strings.HasPrefix(u.Path, "/"):
		return address{}, fmt.Errorf("the path of a socket is absolute: unix:///run/app.sock")
	case len(u.Path) > maxSocketPath:
		return address{}, fmt.Errorf("the path of a socket has at most %d bytes", maxSocketPath)
	case strings.ContainsRune(u.Path, 0):
		return address{}, fmt.Errorf("NUL in the path")
	}
	a := address{scheme: "http", path: u.Path}
	if u.Scheme == "unix+https" {
		a.scheme = "https"
	}
	return a, nil
}

// checkName refuses what no resolver should be asked for (CRASH-09).
func checkName(host string) error {
	if host == "" {
		return fmt.Errorf("the host is missing")
	}
	if len(host) > maxName {
		return fmt.Errorf("the host has more than %d bytes", maxName)
	}
	for _, label := range strings.Split(strings.TrimSuffix(host, "."), ".") {
		if label == "" || len(label) > 63 {
			return fmt.Errorf("the host is not a name or an address")
		}
		for _, r := range []byte(label) {
			if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' {
				return fmt.Errorf("%q does not belong into a host name", r)
			}
		}
	}
	return nil
}

// named tells whether the address has to be looked up.
func (a address) named() bool { return a.path == "" && !a.ip.IsValid() }

// literal is the address of one that is not named, none for unix sockets.
func (a address) literal() *addresses {
	if a.path != "" {
		return &addresses{}
	}
	return &addresses{list: []netip.AddrPort{netip.AddrPortFrom(a.ip, a.port)}}
}

// dial is what to dial, as people read it.
func (a address) dial() string {
	if a.path != "" {
		return a.path
	}
	return net.JoinHostPort(a.host, strconv.Itoa(int(a.port)))
}

func (a address) authority() string {
	switch {
	case a.path != "":
		return "localhost"
	case a.scheme == "http" && a.port == 80, a.scheme == "https" && a.port == 443:
		if strings.Contains(a.host, ":") {
			return "[" + a.host + "]"
		}
		return a.host
	}
	return a.dial()
}

// String is the URL in one spelling.
func (a address) String() string {
	if a.path != "" {
		return "unix+" + a.scheme + "://" + a.path
	}
	if a.http2 {
		return "h2c://" + a.dial()
	}
	return a.scheme + "://" + a.dial()
}
