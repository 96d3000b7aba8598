package logs

import (
	"strconv"
	"time"

	"doorward/internal/access"
)

// haproxyLine encodes records as HAProxy's "option httplog" does, so that what
// reads those lines reads ours:
//
//	%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc
//	%ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r
//
// in one line. Captured headers (%hr %hs) do not exist here, and HAProxy leaves
// them and their blanks out as well when it captures none.
type haproxyLine struct{}

func newHAProxy() encoder { return haproxyLine{} }

func (haproxyLine) append(dst []byte, r *access.Record) []byte {
	dst = appendClient(dst, r)
	dst = append(dst, " ["...)
	dst = r.Start.Local().AppendFormat(dst, "02/Jan/2006:15:04:05.000")
	dst = append(dst, "] "...)
	dst = appendName(dst, r.Listener, "-")
	if r.Scheme == "https" {
		dst = append(dst, '~')
	}
	dst = append(dst, ' ')
	// A request that reached no backend bears the name of its listener, as in
	// HAProxy a frontend answers for itself.
	dst = appendName(dst, r.Backend, r.Listener)
	dst = append(dst, '/')
	dst = appendName(dst, r.Server, "<NOSRV>")
	dst = appendTimers(dst, r)
	dst = append(dst, ' ')
	if r.Status == 0 {
		dst = append(dst, "-1"...)
	} else {
		dst = strconv.AppendInt(dst, int64(r.Status), 10)
	}
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, r.BytesOut, 10)
	dst = append(dst, " - - "...) // captured cookies
	state := termination(r)
	dst = append(dst, state[:]...)
	dst = appendCookie(dst, r.Cookie)
	dst = appendLoad(dst, r)
	return append(appendRequest(dst, r), '\n')
}

func appendClient(dst []byte, r *access.Record) []byte {
	if !r.Client.IsValid() {
		return append(dst, "-:0"...)
	}
	dst = r.Client.Addr().Unmap().AppendTo(dst)
	dst = append(dst, ':')
	return strconv.AppendUint(dst, uint64(r.Client.Port()), 10)
}

func appendTimers(dst []byte, r *access.Record) []byte {
	between := byte(' ')
	for _, d := range [...]time.Duration{r.Request, r.Queue, r.Connect, r.Response, r.Active} {
		dst = append(dst, between)
		between = '/'
		if d < 0 {
			dst = append(dst, "-1"...)
		} else {
			dst = strconv.AppendInt(dst, d.Milliseconds(), 10)
		}
	}
	return dst
}

// appendCookie appends what became of the persistence cookie.
func appendCookie(dst []byte, state [2]byte) []byte {
	for _, c := range state {
		if c == 0 {
			c = '-'
		}
		dst = append(dst, c)
	}
	return append(dst, ' ')
}

// appendLoad appends the counts of connections, retries and queues.
func appendLoad(dst []byte, r *access.Record) []byte {
	for _, n := range [...]int64{r.ActiveConns, r.FrontendConns, r.BackendConns, r.ServerConns} {
		dst = strconv.AppendInt(dst, n, 10)
		dst = append(dst, '/')
	}
	if r.Redispatched {
		dst = append(dst, '+')
	}
	dst = strconv.AppendInt(dst, int64(r.Retries), 10)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, r.ServerQueue, 10)
	dst = append(dst, '/')
	return strconv.AppendInt(dst, r.BackendQueue, 10)
}

func appendRequest(dst []byte, r *access.Record) []byte {
	if len(r.Method) == 0 {
		return append(dst, ` "<BADREQ>"`...)
	}
	dst = append(dst, ' ', '"')
	dst = appendEncoded(dst, r.Method, false)
	dst = append(dst, ' ')
	dst = appendEncoded(dst, r.Target, false)
	dst = append(dst, ' ')
	dst = append(dst, r.Protocol...)
	return append(dst, '"')
}

// appendName appends the name of something from the config file, which may hold
// a blank there but not here.
func appendName(dst []byte, name, absent string) []byte {
	if name == "" {
		name = absent
	}
	if name == "" {
		return append(dst, '-')
	}
	return appendEncoded(dst, name, true)
}

// appendEncoded writes the bytes that HAProxy encodes in a request line, quotes,
// "#", control characters and all beyond ASCII, as "#" and two hexadecimal
// digits.
func appendEncoded[S []byte | string](dst []byte, s S, blanks bool) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c >= 0x7f || c == '"' || c == '#' || blanks && c == ' ' {
			dst = append(dst, '#', digits[c>>4], digits[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}
