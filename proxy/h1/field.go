package h1

import "bytes"

// Kind tells the field names apart that the request path must know, so that
// nothing compares names twice.
type Kind uint8

// The kinds. Hop-by-hop fields come first; see Kind.HopByHop.
const (
	Other Kind = iota
	Connection
	KeepAlive
	ProxyConnection
	ProxyAuthenticate
	ProxyAuthorization
	TE
	Trailer
	TransferEncoding
	Upgrade
	HTTP2Settings
	Nominated // named by the Connection field of its message
	ContentLength
	Host
	Expect
	Cookie
	Authorization
	UserAgent
	Referer
	Date
	Forbidden // a spelling that other software folds to a framing field
)

// HopByHop tells whether fields of this kind end at us (RFC 9110, section
// 7.6.1): the framing and the connection of the other side are its own.
func (k Kind) HopByHop() bool { return k >= Connection && k <= Nominated }

// headOnly tells whether fields of this kind must not stand behind a body: framing,
// routing and credentials are not decided so late (RFC 9110, section 6.5.1).
func (k Kind) headOnly() bool {
	switch k {
	case ContentLength, Host, Expect, Cookie, Authorization, Forbidden:
		return true
	}
	return k.HopByHop()
}

// nominable tells whether naming a field of this kind in Connection takes it out
// of the message. The other kinds end here anyway, or are protected.
func (k Kind) nominable() bool {
	return k == Other || k == UserAgent || k == Referer || k == Date
}

// Field is one header line, in slices of the buffer it was read into. Value has
// no white space around it and no control character but tab.
type Field struct {
	// Name is a token, in the case it was sent in.
	Name, Value []byte
	// Kind is what the name means to the request path.
	Kind Kind
}

// Limits bound what a head may be.
type Limits struct {
	// HeadBytes is the size of the head with its first line, HeadFields the number
	// of fields, TargetBytes the length of a request's target.
	HeadBytes, HeadFields, TargetBytes int
}

// maxName is the longest field name we take; longer ones are an attack.
const maxName = 256

// kindOf classifies a valid name by its length first.
func kindOf(name []byte) Kind {
	switch len(name) {
	case 2:
		return pick(name, "te", TE)
	case 4:
		if k := pick(name, "host", Host); k != Other {
			return k
		}
		return pick(name, "date", Date)
	case 6:
		if k := pick(name, "cookie", Cookie); k != Other {
			return k
		}
		return pick(name, "expect", Expect)
	case 7:
		return kind7(name)
	case 10:
		return kind10(name)
	case 13:
		return pick(name, "authorization", Authorization)
	case 14:
		if k := folded(name, "content-length", ContentLength); k != Other {
			return k
		}
		return pick(name, "http2-settings", HTTP2Settings)
	case 16:
		return pick(name, "proxy-connection", ProxyConnection)
	case 17:
		return folded(name, "transfer-encoding", TransferEncoding)
	case 18:
		return pick(name, "proxy-authenticate", ProxyAuthenticate)
	case 19:
		return pick(name, "proxy-authorization", ProxyAuthorization)
	}
	return Other
}

func kind7(name []byte) Kind {
	switch lower(name[0]) {
	case 'u':
		return pick(name, "upgrade", Upgrade)
	case 't':
		return pick(name, "trailer", Trailer)
	case 'r':
		return pick(name, "referer", Referer)
	}
	return Other
}

func kind10(name []byte) Kind {
	switch lower(name[0]) {
	case 'c':
		return pick(name, "connection", Connection)
	case 'k':
		return pick(name, "keep-alive", KeepAlive)
	case 'u':
		return pick(name, "user-agent", UserAgent)
	}
	return Other
}

func pick(name []byte, want string, kind Kind) Kind {
	if EqualFold(name, want) {
		return kind
	}
	return Other
}

// folded is pick for the two framing fields: a name that becomes one of them
// once every sign is read as '-' is Forbidden (security case H1-08).
func folded(name []byte, want string, kind Kind) Kind {
	exact := true
	for i, c := range name {
		if lower(c) == want[i] {
			continue
		}
		if want[i] != '-' || isAlnum(c) {
			return Other
		}
		exact = false
	}
	if exact {
		return kind
	}
	return Forbidden
}

func isAlnum(c byte) bool {
	c = lower(c)
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
}

// nextLine cuts the first line off b. It returns the line without its CR LF, or
// ErrIncomplete.
func nextLine(b []byte) (line []byte, size int, err error) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil, 0, ErrIncomplete
	}
	if i == 0 || b[i-1] != '\r' {
		return nil, 0, errBareLF
	}
	return b[:i-1], i + 1, nil
}

// parseFields reads field lines up to and with the empty line that ends them.
// It appends to fields, and returns the bytes taken.
func parseFields(b []byte, fields []Field, most int) ([]Field, int, error) {
	taken := 0
	for first := true; ; first = false {
		line, size, err := nextLine(b[taken:])
		if err != nil {
			return fields, 0, err
		}
		taken += size
		if len(line) == 0 {
			return fields, taken, nil
		}
		if len(fields) == most {
			return fields, 0, errHeadFields
		}
		f, err := parseField(line, first)
		if err != nil {
			return fields, 0, err
		}
		fields = append(fields, f)
	}
}

func parseField(line []byte, first bool) (Field, error) {
	if line[0] == ' ' || line[0] == '\t' {
		if first {
			return Field{}, errLeading
		}
		return Field{}, errFold
	}
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return Field{}, errNoColon
	}
	name := line[:colon]
	if !IsToken(name) {
		return Field{}, errName
	}
	if len(name) > maxName {
		return Field{}, errNameLength
	}
	value := trim(line[colon+1:])
	if !plainValue(value) {
		if bytes.IndexByte(value, '\r') >= 0 {
			return Field{}, errBareCR
		}
		return Field{}, errValue
	}
	return Field{Name: name, Value: value, Kind: kindOf(name)}, nil
}

// parseLength reads a Content-Length: digits alone, at most what fits.
func parseLength(v []byte) (int64, error) {
	if len(v) == 0 || len(v) > 256 {
		return 0, errLength
	}
	var n int64
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, errLength
		}
		d := int64(c - '0')
		if n > (1<<63-1-d)/10 {
			return 0, errLength
		}
		n = n*10 + d
	}
	return n, nil
}
