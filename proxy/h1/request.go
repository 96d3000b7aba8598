package h1

import "bytes"

// Form is the form of a request target (RFC 9112, section 3.2).
type Form uint8

// The forms that we take. Authority form belongs to CONNECT, which is refused.
const (
	OriginForm   Form = iota // /path?query
	AbsoluteForm             // http://authority/path?query
	AsteriskForm             // *
)

// Request is one request head. Its slices point into the buffer given to Parse.
// It is meant to be used again and again.
type Request struct {
	message
	// Method and Target stand as received.
	Method, Target []byte
	Form           Form
	// Authority is the authority of an absolute target, Secure whether its scheme
	// was https.
	Authority []byte
	Secure    bool
	// Path is the target's path, Query what follows its '?', HasQuery whether
	// there was one. Path is "/" for an absolute target without any.
	Path, Query []byte
	HasQuery    bool
	// Host is the Host field, nil when an HTTP/1.0 request has none.
	Host []byte
	// Continue says that the client waits for 100 (Continue) before its body.
	Continue bool
}

// HasBody tells whether a body follows, be it empty chunks.
func (r *Request) HasBody() bool { return r.Chunked || r.Length > 0 }

// Parser reads request heads.
type Parser struct {
	Limits
	// Protected tells which field names a Connection field may not name. When nil,
	// what Connection names is left alone.
	Protected func(name []byte) bool
}

const maxMethod = 32

var slash = []byte("/")

// Parse reads the head at the start of b into r and returns how many bytes it
// takes. The error is ErrIncomplete while b holds a beginning only and nothing
// wrong, else a *SyntaxError. After an error r holds what was read before it, and
// nothing of an earlier request.
func (p *Parser) Parse(b []byte, r *Request) (int, error) {
	*r = Request{message: message{Fields: r.Fields[:0]}}
	n, err := p.parse(b, r)
	if err == ErrIncomplete && len(b) >= p.HeadBytes {
		if bytes.IndexByte(b, '\n') < 0 {
			return 0, errTargetLength
		}
		return 0, errHeadBytes
	}
	if err == nil && n > p.HeadBytes {
		return 0, errHeadBytes
	}
	return n, err
}

func (p *Parser) parse(b []byte, r *Request) (int, error) {
	start := 0
	// One empty line before the request line is tolerated (RFC 9112, section 2.2).
	if len(b) >= 2 && b[0] == '\r' && b[1] == '\n' {
		start = 2
	}
	line, size, err := nextLine(b[start:])
	if err != nil {
		return 0, p.early(b[start:], err)
	}
	if err := p.requestLine(line, r); err != nil {
		return 0, err
	}
	start += size
	fields, n, err := parseFields(b[start:], r.Fields[:0], p.HeadFields)
	r.Fields = fields
	if err != nil {
		return 0, err
	}
	if err := r.framing(p.Protected); err != nil {
		return 0, err
	}
	if err := r.single(); err != nil {
		return 0, err
	}
	return start + n, nil
}

// early refuses a request line before it has ended, when it cannot become one.
func (p *Parser) early(b []byte, err error) error {
	if err != ErrIncomplete {
		return err
	}
	if len(b) > maxMethod && bytes.IndexByte(b[:maxMethod+1], ' ') < 0 {
		return errMethod
	}
	if len(b) > maxMethod+p.TargetBytes+len("  HTTP/1.1\r") {
		return errTargetLength
	}
	return ErrIncomplete
}

func (p *Parser) requestLine(line []byte, r *Request) error {
	i := bytes.IndexByte(line, ' ')
	j := bytes.LastIndexByte(line, ' ')
	if i <= 0 || i == j {
		return errRequestLine
	}
	method, target, version := line[:i], line[i+1:j], line[j+1:]
	if len(method) > maxMethod || !IsToken(method) {
		return errMethod
	}
	if len(target) == 0 {
		return errRequestLine
	}
	if len(target) > p.TargetBytes {
		return errTargetLength
	}
	if !all(target, targetChar) {
		return errTarget
	}
	minor, err := parseVersion(version)
	if err != nil {
		return err
	}
	r.Method, r.Target, r.Minor = method, target, minor
	return r.target()
}

func parseVersion(v []byte) (minor int, err error) {
	if len(v) != 8 || string(v[:5]) != "HTTP/" || v[6] != '.' {
		return 0, errVersion
	}
	major, low := v[5], v[7]
	if major < '0' || major > '9' || low < '0' || low > '9' {
		return 0, errVersion
	}
	if major != '1' {
		if major == '2' {
			return 0, errHTTP2
		}
		return 0, errMajor
	}
	if low == '0' {
		return 0, nil
	}
	return 1, nil
}

// target tells the forms apart and refuses what is none of them, and the
// methods that have no business at a reverse proxy: CONNECT would make a tunnel,
// TRACE and TRACK echo credentials.
func (r *Request) target() error {
	r.Form, r.Authority, r.Secure = OriginForm, nil, false
	switch string(r.Method) {
	case "CONNECT", "TRACE", "TRACK":
		return errRefused
	}
	switch {
	case r.Target[0] == '/':
		r.split(r.Target)
	case len(r.Target) == 1 && r.Target[0] == '*':
		if string(r.Method) != "OPTIONS" {
			return errAsterisk
		}
		r.Form = AsteriskForm
		r.Path, r.Query, r.HasQuery = r.Target, nil, false
	default:
		return r.absolute()
	}
	return nil
}

func (r *Request) split(t []byte) {
	r.Path, r.Query, r.HasQuery = t, nil, false
	if i := bytes.IndexByte(t, '?'); i >= 0 {
		r.Path, r.Query, r.HasQuery = t[:i], t[i+1:], true
	}
}

func (r *Request) absolute() error {
	i := bytes.Index(r.Target, []byte("://"))
	if i < 0 {
		return errTargetForm
	}
	switch {
	case EqualFold(r.Target[:i], "http"):
	case EqualFold(r.Target[:i], "https"):
		r.Secure = true
	default:
		return errTargetForm
	}
	r.Form = AbsoluteForm
	rest := r.Target[i+3:]
	end := bytes.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	r.Authority = rest[:end]
	if end == 0 || bytes.IndexByte(r.Authority, '@') >= 0 {
		return errTargetForm
	}
	r.split(rest[end:])
	if len(r.Path) == 0 {
		r.Path = slash
	}
	return nil
}

// single reads the fields of which a request may have one.
func (r *Request) single() error {
	r.Host, r.Continue = nil, false
	hosts, expects := 0, 0
	for i := range r.Fields {
		f := &r.Fields[i]
		switch f.Kind {
		case Host:
			hosts++
			r.Host = f.Value
		case Expect:
			expects++
			if expects > 1 || !EqualFold(f.Value, "100-continue") {
				return errExpect
			}
			r.Continue = true
		}
	}
	switch {
	case hosts > 1:
		return errTwoHosts
	case hosts == 0 && r.Minor == 1:
		return errNoHost
	}
	if r.Continue && !r.HasBody() {
		return errExpect
	}
	if r.Upgrade != nil && !IsToken(r.Upgrade) {
		return r.upgradeList()
	}
	return nil
}

// upgradeList refuses a list of protocols: which one counts is a matter of
// opinion. A single "name/version" is one protocol.
func (r *Request) upgradeList() error {
	name, version, ok := bytes.Cut(r.Upgrade, slash)
	if !ok || !IsToken(name) || !IsToken(version) {
		return errUpgrades
	}
	return nil
}
