package config

import (
	"reflect"
	"strconv"
)

// Check says how the servers of a backend are watched. What a server must answer
// is in Expect; how often it is asked and how many answers count are HAProxy's
// inter, rise and fall.
type Check struct {
	// What is done: an HTTP request, the question of gRPC's health checking protocol, a
	// TLS handshake, or only a TCP connection.
	Type string `toml:"type" default:"http" enum:"http,grpc,tls,tcp"`
	// The method of the request.
	Method string `toml:"method" default:"GET"`
	// The path of the request, with a query where one is needed.
	Path string `toml:"path" default:"/"`
	// The version of HTTP, where it is another one than requests have.
	Version string `toml:"version" enum:"2,1.1,1.0" shows:"that of requests"`
	// The gRPC service to ask about. Empty: the server as a whole.
	Service string `toml:"service"`
	// The Host field of the request.
	Host string `toml:"host" shows:"the server's address"`
	// More fields of the request: name = value.
	Headers Fields `toml:"headers"`
	// The body of the request.
	Body string `toml:"body"`
	// What the answer must be: a list of status codes, as in [200, "2xx",
	// "300-310"], or a table with more conditions.
	Expect Expect `toml:"expect" shows:"2xx and 3xx"`
	// The port to check in place of the server's. 0: the server's.
	Port int `toml:"port" default:"0" min:"0" max:"65535"`
	// TLS as requests have it (https:// servers), or never.
	TLS string `toml:"tls" default:"server" enum:"server,off"`
	// Time between two checks of a server.
	Interval Duration `toml:"interval" haproxy:"inter" default:"2s"`
	// Time between two checks while a server is between up and down.
	FastInterval Duration `toml:"fast_interval" haproxy:"fastinter" shows:"interval"`
	// Time between two checks of a server that is down.
	DownInterval Duration `toml:"down_interval" haproxy:"downinter" shows:"interval"`
	// How long a check may take: after the connection was made, if this is given;
	// as a whole, if not.
	Timeout Duration `toml:"timeout" shows:"interval, for the whole check"`
	// Good answers in a row after which a server that is down is up.
	Rise int `toml:"rise" default:"2" min:"1" max:"1000"`
	// Bad answers in a row after which a server that is up is down.
	Fall int `toml:"fall" default:"3" min:"1" max:"1000"`
	// How a server begins: up, until one check fails (none, up) or fall of them do
	// (fully-up); or down, until one check passes (down) or rise of them do
	// (fully-down).
	Initial string `toml:"initial" haproxy:"init-state" default:"none" enum:"none,up,down,fully-up,fully-down"`
	// Percent by which intervals vary, so that checks do not fall together.
	Jitter int `toml:"jitter" haproxy:"spread-checks" default:"5" min:"0" max:"50"`
	// What is logged: every change of a check's result, or up and down alone.
	Log string `toml:"log" default:"changes" enum:"changes,transitions"`
	// Requests count as checks too: whether they reach the server (layer4), or what
	// it answers as well (layer7: 5xx other than 501 and 505 is bad).
	Observe string `toml:"observe" default:"off" enum:"off,layer4,layer7"`
	// Bad requests in a row after which on_error happens.
	ErrorLimit int `toml:"error_limit" default:"10" min:"1" max:"1000000"`
	// What happens then: one check counts as failed, checks become fast, the next
	// failed check marks the server down, or it is marked down at once.
	OnError string `toml:"on_error" default:"fail-check" enum:"fail-check,fastinter,sudden-death,mark-down"`
}

// Expect is what the answer to a check must be. All conditions that are given
// must hold. Without any, Load fills in the status codes 200 to 399.
type Expect struct {
	// Status codes: 200, "2xx" or "300-310". One must fit.
	Status []StatusRange `toml:"status" shows:"2xx and 3xx"`
	// A regular expression that the status code must match.
	StatusRegex string `toml:"status_regex"`
	// A text that the body must contain.
	Body string `toml:"body"`
	// A regular expression that something in the body must match.
	BodyRegex string `toml:"body_regex"`
	// Fields that the answer must have: name = "value", "*", or "~regex" for something
	// in the value.
	Header map[string]string `toml:"header"`
	// Turns it round: an answer that fits is bad.
	Not bool `toml:"not" default:"false"`
}

// StatusRange is a range of status codes, both ends included.
type StatusRange struct {
	// From and To are 100 to 599, and From is never above To.
	From, To int
}

// UnmarshalText reads "200", "2xx" or "300-310".
func (s *StatusRange) UnmarshalText(text []byte) error {
	from, to, ok := parseStatuses(string(text))
	if !ok {
		return &valueError{"is not a status code, 100 to 599", `write 200, "2xx" or "300-310"`}
	}
	if from > to {
		return &valueError{what: "ends before it begins"}
	}
	*s = StatusRange{from, to}
	return nil
}

// String returns the range as a file would have it.
func (s StatusRange) String() string {
	from := strconv.Itoa(s.From)
	switch {
	case s.From == s.To:
		return from
	case s.From%100 == 0 && s.To == s.From+99:
		return from[:1] + "xx"
	}
	return from + "-" + strconv.Itoa(s.To)
}

// Holds reports whether a status code is in the range.
func (s StatusRange) Holds(code int) bool { return s.From <= code && code <= s.To }

func parseStatuses(text string) (from, to int, ok bool) {
	code := func(s string) (int, bool) {
		n, err := strconv.Atoi(s)
		return n, err == nil && len(s) == 3 && n >= 100 && n <= 599
	}
	switch {
	case len(text) == 3 && (text[1:] == "xx" || text[1:] == "XX"):
		from, ok = code(text[:1] + "00")
		return from, from + 99, ok
	case len(text) == 7 && text[3] == '-':
		from, ok = code(text[:3])
		to, last := code(text[4:])
		return from, to, ok && last
	}
	from, ok = code(text)
	return from, from, ok
}

// decode takes a list of status codes or a table.
func (e *Expect) decode(d *decoder, p place) bool {
	switch p.node.kind {
	case listKind:
		return d.list(reflect.ValueOf(&e.Status).Elem(), "", p)
	case tableKind:
		return d.table(reflect.ValueOf(e).Elem(), p)
	}
	d.errorf(p, `write [200] or { body = "ok" }`, "must be %v or %v, not %v",
		listKind, tableKind, p.node.kind)
	return false
}
