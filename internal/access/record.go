// Package access holds the one type that the request path hands to the access
// log: a plain record of one finished request. It exists so that package proxy,
// which fills the record, and package logs, which writes it, need not import
// each other.
package access

import (
	"net/netip"
	"time"
)

// NotReached is the value of a timer whose phase did not happen, as HAProxy
// prints it (-1).
const NotReached = time.Duration(-1)

// Record describes one request from its first byte to the last byte of its
// answer. Byte slices point into buffers of the request and are valid only
// while the call that carries the record runs; whoever keeps them copies them.
type Record struct {
	// Start is when the first byte of the request was seen.
	Start time.Time
	// Client is the address the request is attributed to: the peer, or what a
	// trusted proxy said.
	Client netip.AddrPort
	// Listener is the address of the listener, as configured (":443").
	Listener string
	// Scheme is "http" or "https".
	Scheme string
	// Route, Backend and Server name what the request met; empty when it did
	// not get that far.
	Route, Backend, Server string
	// Method, Host, Target and Protocol are the request line as received, Host
	// without changes. Protocol is "HTTP/1.1" or "HTTP/1.0".
	Method, Host, Target []byte
	Protocol             string
	// RequestID is the identifier made for, or believed of, this request.
	RequestID []byte
	// UserAgent and Referer are the request's fields of that name.
	UserAgent, Referer []byte
	// User is the name of who was signed in; empty when nobody was.
	User string
	// Status is the status code sent, 0 when none was.
	Status int
	// BytesIn and BytesOut count what was read from and written to the client
	// for this request, heads included.
	BytesIn, BytesOut int64

	// Request, Queue, Connect, Response and Active are HAProxy's TR, Tw, Tc, Tr
	// and Ta: time to receive the head, in queue, to connect, to the head of the
	// answer, and the whole. NotReached marks a phase that did not happen.
	Request, Queue, Connect, Response, Active time.Duration

	// Retries counts repeated attempts; Redispatched says that another server
	// was tried.
	Retries      int
	Redispatched bool

	// Termination is HAProxy's two-character state at the end, for example "--",
	// "cD", "sH", "SC", "PR", "LR".
	Termination [2]byte
	// Cookie is HAProxy's two characters about the persistence cookie, of the
	// request and of the answer; zero where there is none.
	Cookie [2]byte

	// TLSVersion and TLSCipher are crypto/tls numbers, 0 on plain connections.
	TLSVersion, TLSCipher uint16

	// ActiveConns, FrontendConns, BackendConns and ServerConns are the counts of
	// concurrent connections or requests when the record was made; ServerQueue
	// and BackendQueue how many were waiting before this one.
	ActiveConns, FrontendConns, BackendConns, ServerConns int64
	ServerQueue, BackendQueue                             int64

	// RateLimit is the name of the limit that refused the request, or would have;
	// empty when none did.
	RateLimit string

	// Err is why the request failed, nil when it did not. It never holds
	// anything the client or a server sent.
	Err error
}
