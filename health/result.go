package health

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"doorward/proxy/backend"
)

// Outcome is what a check came to, in HAProxy's words.
type Outcome uint8

// The outcomes. L7OKC, good on a condition, is HAProxy's for answers of 404 that
// drain a server; no check here gives it.
const (
	Unknown     Outcome = iota // UNK: no check
	Starting                   // INI: no check has ended yet
	Analyzed                   // HANA: bad requests, not a check
	SocketError                // SOCKERR: the connection broke, or there was no socket
	L4OK
	L4Timeout
	L4Connect // L4CON: no connection
	L6OK
	L6Timeout
	L6Response // L6RSP: the handshake went wrong
	L7OK
	L7OKC
	L7Timeout
	L7Response // L7RSP: no HTTP, or not a wanted body
	L7Status   // L7STS: not a wanted status code or field
)

var outcomes = [...]struct{ word, meaning string }{
	Unknown:     {"UNK", "Unknown"},
	Starting:    {"INI", "Initializing"},
	Analyzed:    {"HANA", "Health analyze"},
	SocketError: {"SOCKERR", "Socket error"},
	L4OK:        {"L4OK", "Layer4 check passed"},
	L4Timeout:   {"L4TOUT", "Layer4 timeout"},
	L4Connect:   {"L4CON", "Layer4 connection problem"},
	L6OK:        {"L6OK", "Layer6 check passed"},
	L6Timeout:   {"L6TOUT", "Layer6 timeout"},
	L6Response:  {"L6RSP", "Layer6 invalid response"},
	L7OK:        {"L7OK", "Layer7 check passed"},
	L7OKC:       {"L7OKC", "Layer7 check conditionally passed"},
	L7Timeout:   {"L7TOUT", "Layer7 timeout"},
	L7Response:  {"L7RSP", "Layer7 invalid response"},
	L7Status:    {"L7STS", "Layer7 wrong status"},
}

// String is HAProxy's word, as in the field check_status of its CSV.
func (o Outcome) String() string { return outcomes[o].word }

// Meaning is the outcome for people, as in the field check_desc of HAProxy's CSV.
func (o Outcome) Meaning() string { return outcomes[o].meaning }

// OK tells whether the check was good.
func (o Outcome) OK() bool { return o == L4OK || o == L6OK || o == L7OK || o == L7OKC }

// Result is what one check found.
type Result struct {
	// Outcome is the verdict. Code is the status code of the answer, 0 without one.
	Outcome Outcome
	Code    int
	// Description is more about a check that failed, for people: one line, short and
	// printable, though parts of it may be the server's words. "" for none.
	Description string
	// Dial is how the connection came to be. FirstByte is the time from the request
	// to the first byte of the answer, 0 without one. Took is that of the whole
	// check.
	Dial      backend.DialTimes
	FirstByte time.Duration
	Took      time.Duration
	// At is when the check ended; zero before the first one has.
	At time.Time
}

// String is the outcome with all that is known of it: "L7STS 503: Service
// Unavailable".
func (r Result) String() string {
	text := r.Outcome.String()
	if r.Code != 0 {
		text += " " + strconv.Itoa(r.Code)
	}
	if r.Description != "" {
		text += ": " + r.Description
	}
	return text
}

// maxDescription bounds descriptions, in bytes.
const maxDescription = 120

// describe makes a description. Servers and their certificates have a say in it,
// so nothing of it may move a cursor, break a line or fill a log.
func describe(format string, args ...any) string {
	text := fmt.Sprintf(format, args...)
	var b strings.Builder
	for _, r := range text {
		if !strconv.IsPrint(r) || r == utf8.RuneError {
			r = '?'
		}
		if b.Len()+utf8.RuneLen(r) > maxDescription {
			return b.String()[:b.Len()] + "…"
		}
		b.WriteRune(r)
	}
	return b.String()
}

// cause describes an error without the addresses and system calls that net puts
// around it: whoever reads a description knows them.
func cause(err error) string {
	for {
		switch outer := err.(type) {
		case *net.OpError:
			err = outer.Err
		case *os.SyscallError:
			err = outer.Err
		case *backend.ConnectError:
			err = outer.Err
		case interface{ Unwrap() []error }: // one for each address
			var all []string
			for _, one := range outer.Unwrap() {
				all = append(all, cause(one))
			}
			return describe("%s", strings.Join(all, "; "))
		default:
			return describe("%v", err)
		}
	}
}
