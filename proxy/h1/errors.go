package h1

import "errors"

// ErrIncomplete says that the head, or the line, does not end in the bytes given
// so far, and that nothing in them is wrong.
var ErrIncomplete = errors.New("incomplete")

// SyntaxError is a message that must not be forwarded. Nothing after it on the
// same connection may be read as HTTP.
type SyntaxError struct {
	// Status is what answers a request with this error: 400, 405, 413, 414, 417,
	// 431 or 505. An answer with this error becomes 502.
	Status int
	// Reason says what was wrong, in words that hold no byte of the message.
	Reason string
}

// Error gives the reason.
func (e *SyntaxError) Error() string { return e.Reason }

func bad(reason string) *SyntaxError { return &SyntaxError{Status: 400, Reason: reason} }

// The errors are made once: refusing a request should cost no more than the
// parse did.
var (
	errBareLF       = bad("line feed without carriage return")
	errBareCR       = bad("carriage return inside a line")
	errFold         = bad("folded header line")
	errLeading      = bad("white space before the first header")
	errNoColon      = bad("header line without a colon")
	errName         = bad("illegal byte in a header name")
	errValue        = bad("control character in a header value")
	errRequestLine  = bad("malformed request line")
	errMethod       = bad("illegal method")
	errVersion      = bad("malformed protocol version")
	errTarget       = bad("illegal byte in the request target")
	errTargetForm   = bad("request target in no known form")
	errTwoFramings  = bad("both Content-Length and Transfer-Encoding")
	errTwoLengths   = bad("more than one Content-Length")
	errLength       = bad("malformed Content-Length")
	errCoding       = bad("Transfer-Encoding other than chunked")
	errCoding10     = bad("Transfer-Encoding in an HTTP/1.0 message")
	errTwoHosts     = bad("more than one Host")
	errNoHost       = bad("no Host in an HTTP/1.1 request")
	errUpgrades     = bad("more than one protocol to upgrade to")
	errTokens       = bad("malformed or overlong Connection header")
	errProtected    = bad("Connection header names a protected header")
	errChunkSize    = bad("malformed chunk size")
	errChunkEnd     = bad("chunk data not followed by a line end")
	errChunkExt     = bad("malformed or overlong chunk extension")
	errTrailer      = bad("framing or routing header among the trailers")
	errCase         = bad("upper case in a header name")
	errBlanks       = bad("white space around a header value")
	errConnection   = bad("header that belongs to a connection, not to a stream")
	errStatusLine   = bad("malformed status line")
	errAsterisk     = bad("asterisk target without OPTIONS")
	errExpect       = &SyntaxError{417, "expectation other than 100-continue"}
	errHTTP2        = &SyntaxError{505, "HTTP/2 preface on an HTTP/1 connection"}
	errMajor        = &SyntaxError{505, "protocol version not supported"}
	errTargetLength = &SyntaxError{414, "request target too long"}
	errHeadBytes    = &SyntaxError{431, "header section too large"}
	errHeadFields   = &SyntaxError{431, "too many header fields"}
	errNameLength   = &SyntaxError{431, "header name too long"}
	errRefused      = &SyntaxError{405, "method not allowed"}
)

// ErrExpect is the error of a request that waits to be asked for a body that it has not.
var ErrExpect error = errExpect

// ErrLarge is the error of a head that is larger than the limits allow.
var ErrLarge error = errHeadBytes
