package backend

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrQueueTimeout says that no place became free within Timeouts.Queue.
	ErrQueueTimeout = errors.New("no place on a server became free in time")
	// ErrQueueFull says that as many requests as may already wait for a place.
	ErrQueueFull = errors.New("too many requests wait for a place on a server")
	// ErrNoServer says that no server of the backend takes requests.
	ErrNoServer = errors.New("no server takes requests")
	// ErrMaintenance says that all servers of the backend are in maintenance.
	ErrMaintenance = errors.New("all servers are in maintenance")
	// ErrGone says that the client left while its request waited for a place.
	ErrGone = errors.New("client gone while waiting for a place on a server")
)

// Reason is the phase in which connecting to a server came to nothing.
type Reason uint8

const (
	// Dial means that the server could not be reached.
	Dial Reason = iota + 1
	// Resolve means that the server's name has no address.
	Resolve
	// TLS means that the handshake went wrong: the server's certificate, its
	// version of TLS, or our client certificate.
	TLS
	// Timeout means that Timeouts.Connect passed in whatever phase.
	Timeout
	// Protocol means that the server is there and does not speak HTTP/2, though it
	// should.
	Protocol
)

// String is a word for logs.
func (r Reason) String() string {
	switch r {
	case Dial:
		return "dial"
	case Resolve:
		return "resolve"
	case TLS:
		return "tls"
	case Timeout:
		return "timeout"
	case Protocol:
		return "protocol"
	}
	return "unknown"
}

// ConnectError says that there is no connection to a server. Nothing of a
// request was sent. Its text is for logs: it names addresses and certificates,
// so that no part of it belongs into an answer.
type ConnectError struct {
	// Server is the name of the server.
	Server string
	// Address is what was to be reached, as in the configuration.
	Address string
	// Reason is the phase that went wrong.
	Reason Reason
	// Err is the cause, never nil.
	Err error
}

// Error names the server, its address, and what went wrong there.
func (e *ConnectError) Error() string {
	if e.Server == e.Address {
		return fmt.Sprintf("server %s: %v", e.Server, e.Err)
	}
	return fmt.Sprintf("server %s (%s): %v", e.Server, e.Address, e.Err)
}

// Unwrap gives the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// Timeout tells whether time ran out, as net.Error does.
func (e *ConnectError) Timeout() bool { return e.Reason == Timeout }

// RefusedError says that the server did nothing of a request, so that it may go
// out again whatever its method (RFC 9113, section 8.7).
type RefusedError struct {
	// Sent tells whether the server has seen the request; if not, its connection was
	// over before it could be sent.
	Sent bool
	// Err is the cause, never nil.
	Err error
}

// Error is the cause in words.
func (e *RefusedError) Error() string { return "request not processed: " + e.Err.Error() }

// Unwrap gives the cause.
func (e *RefusedError) Unwrap() error { return e.Err }

// ErrPin says that no key the server showed is a pinned one.
var ErrPin = errors.New("its public key is not one of pin_sha256")

// errNoHTTP2 says that TLS was agreed on, but not what to speak in it.
var errNoHTTP2 = errors.New("no agreement on a protocol")

// noProtocol is what crypto/tls calls the alert of a server that knows none of the
// protocols we offer (RFC 7301, section 3.2); it has no type for it.
const noProtocol = "tls: no application protocol"

// mend says what an operator can do about a failed verification, since the
// errors of crypto/x509 name the fault alone.
func mend(err error) string {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	switch {
	case errors.Is(err, errNoHTTP2), strings.Contains(err.Error(), noProtocol):
		return "it does not offer HTTP/2, leave out http2"
	case errors.As(err, &unknown):
		return "its CA is not trusted, name it in tls.ca_file"
	case errors.As(err, &name):
		return "its certificate is for another name, see tls.server_name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate is expired or not valid yet"
	}
	return ""
}
