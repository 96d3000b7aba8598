package proxy

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/net/http2"

	"doorward/proxy/h1"
	"doorward/proxy/netio"
)

// Status codes of gRPC (grpc/grpc, doc/statuscodes.md).
const (
	grpcCancelled         = 1
	grpcUnknown           = 2
	grpcDeadlineExceeded  = 4
	grpcPermissionDenied  = 7
	grpcResourceExhausted = 8
	grpcUnimplemented     = 12
	grpcInternal          = 13
	grpcUnavailable       = 14
	grpcUnauthenticated   = 16
)

// isGRPC tells whether the request is a call of gRPC. Calls of gRPC-Web are none: what
// translates them makes calls of its own.
func (x *exchange) isGRPC() bool {
	v, ok := x.req.Get("content-type")
	if !ok || !hasFold(v, "application/grpc") {
		return false
	}
	rest := v[len("application/grpc"):]
	return len(rest) == 0 || rest[0] == '+' || rest[0] == ';'
}

// grpcStatus is what an answer of ours means to a caller of gRPC, by the mapping that
// gRPC has for servers that do not speak it (grpc/grpc,
// doc/http-grpc-status-mapping.md). Three are said more exactly than there: the time
// that ran out, what is too large, and what is not to be had.
func grpcStatus(status int) int {
	switch status {
	case http.StatusBadRequest:
		return grpcInternal
	case http.StatusUnauthorized:
		return grpcUnauthenticated
	case http.StatusForbidden:
		return grpcPermissionDenied
	case http.StatusNotFound, http.StatusNotImplemented:
		return grpcUnimplemented
	case http.StatusRequestEntityTooLarge, http.StatusRequestHeaderFieldsTooLarge:
		return grpcResourceExhausted
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable:
		return grpcUnavailable
	case http.StatusGatewayTimeout:
		return grpcDeadlineExceeded
	}
	return grpcUnknown
}

// grpcFailure answers a call of gRPC, as gRPC expects it, with what status means, and
// tells whether the request is one: an answer of 200 and no body, with the failure in
// its fields. Log and statistics have the status that others would have got.
func (x *exchange) grpcFailure(status int) (handled bool) {
	if !x.isGRPC() {
		return false
	}
	x.afterLocal()
	b := appendStatusLine(x.out[:0], http.StatusOK, []byte(http.StatusText(http.StatusOK)))
	if x.stream == nil {
		b = append(b, "Content-Length: 0\r\n"...)
	}
	b = append(b, "Content-Type: application/grpc\r\n"...)
	for _, f := range x.grpcTrailers(grpcStatus(status), hint(status)) {
		b = appendField(b, &f)
	}
	b = appendDate(b, x.changes())
	x.out = x.appendOurs(b, x.changes(), 0)
	x.rec.Status = status
	x.answered = true
	if x.stream != nil {
		x.answer(x.out, nil, true)
	} else if !x.write(x.out) {
		x.keep, x.linger = false, false
	}
	return true
}

// grpcTrailers are the fields that end a call.
func (x *exchange) grpcTrailers(code int, message string) []h1.Field {
	message += " Request " + string(x.requestID())
	return []h1.Field{
		{Name: []byte("Grpc-Status"), Value: strconv.AppendInt(nil, int64(code), 10)},
		{Name: []byte("Grpc-Message"), Value: appendPercent(nil, message)},
	}
}

// appendPercent writes a message as gRPC does (grpc/grpc, doc/PROTOCOL-HTTP2.md): all
// but printable ASCII, and the sign itself, as %XX.
func appendPercent(b []byte, text string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '%' {
			b = append(b, '%', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

// grpcBreak ends a call whose answer has begun and breaks off, in a way that gRPC
// understands. It tells whether that was done.
func (x *exchange) grpcBreak(err error) bool {
	if x.stream == nil || !x.isGRPC() {
		return false
	}
	code := grpcCodeOf(err)
	trailers := x.grpcTrailers(code, "The server broke off.")
	return x.sent(0, x.stream.End(trailers))
}

// grpcCodeOf is what it means to a caller that an answer breaks off, by the mapping
// that gRPC has for resets (grpc/grpc, doc/PROTOCOL-HTTP2.md).
func grpcCodeOf(err error) int {
	if err == errStall || err == errDeadline {
		return grpcDeadlineExceeded
	}
	var reset http2.StreamError
	if !errors.As(err, &reset) {
		return grpcUnavailable
	}
	switch reset.Code {
	case http2.ErrCodeRefusedStream:
		return grpcUnavailable
	case http2.ErrCodeCancel:
		return grpcCancelled
	case http2.ErrCodeEnhanceYourCalm:
		return grpcResourceExhausted
	case http2.ErrCodeInadequateSecurity:
		return grpcPermissionDenied
	}
	return grpcInternal
}

// callTimeout is how much is left of the time that the client gives a call of gRPC;
// without a limit, or with one that cannot be read, there is none.
func (x *exchange) callTimeout() (time.Duration, bool) {
	v, ok := x.req.Get("grpc-timeout")
	if !ok || !x.isGRPC() {
		return 0, false
	}
	d, ok := parseCallTimeout(v)
	return d - time.Duration(netio.Now()-x.headAt), ok
}

// parseCallTimeout reads at most eight digits and a unit.
func parseCallTimeout(v []byte) (time.Duration, bool) {
	const most = 8
	if len(v) < 2 || len(v) > most+1 {
		return 0, false
	}
	n := time.Duration(0)
	for _, c := range v[:len(v)-1] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + time.Duration(c-'0')
	}
	unit, ok := map[byte]time.Duration{
		'H': time.Hour, 'M': time.Minute, 'S': time.Second,
		'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
	}[v[len(v)-1]]
	const longest = 1 << 62
	if ok && n > longest/unit {
		return longest, true
	}
	return n * unit, ok
}

// deadlinePassed answers a call that has no time left.
func (x *exchange) deadlinePassed() failure {
	x.rec.Err = errDeadline
	x.end('c', 'H')
	x.fail(http.StatusGatewayTimeout)
	return failure{}
}
