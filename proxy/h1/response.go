package h1

// Response is one answer head. Its slices point into the buffer given to
// ParseResponse.
type Response struct {
	message
	// Status is 100 to 999, Reason the phrase after it, which may be empty.
	Status int
	Reason []byte
}

// Body says how the body of an answer ends.
type Body uint8

// The ways a body may end (RFC 9112, section 6.3).
const (
	NoBody     Body = iota // there is none
	ByLength               // after Length bytes
	ByChunks               // after the last chunk
	UntilClose             // with the connection
)

// BodyOf tells how the body of the answer ends, given whether it answers HEAD.
func (r *Response) BodyOf(head bool) Body {
	switch {
	case head, r.Status < 200, r.Status == 204, r.Status == 304:
		return NoBody
	case r.Chunked:
		return ByChunks
	case r.Length == 0:
		return NoBody
	case r.Length > 0:
		return ByLength
	}
	return UntilClose
}

// ParseResponse reads the head at the start of b into r and returns how many
// bytes it takes, or ErrIncomplete, or a *SyntaxError: then nothing of the
// answer may reach a client.
func ParseResponse(b []byte, r *Response, l Limits) (int, error) {
	line, size, err := nextLine(b)
	if err == nil {
		err = r.statusLine(line)
	}
	n := 0
	if err == nil {
		r.Fields, n, err = parseFields(b[size:], r.Fields[:0], l.HeadFields)
	}
	if err == ErrIncomplete && len(b) >= l.HeadBytes {
		return 0, errHeadBytes
	}
	if err != nil {
		return 0, err
	}
	if size+n > l.HeadBytes {
		return 0, errHeadBytes
	}
	// What a server's Connection field names besides the fixed set is left alone:
	// it could name what protects the client (security case HOP-08).
	if err := r.framing(nil); err != nil {
		return 0, err
	}
	return size + n, nil
}

func (r *Response) statusLine(line []byte) error {
	if len(line) < 12 || string(line[:7]) != "HTTP/1." || line[8] != ' ' {
		return errStatusLine
	}
	if line[7] != '0' && line[7] != '1' {
		return errStatusLine
	}
	r.Minor = int(line[7] - '0')
	r.Status = 0
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return errStatusLine
		}
		r.Status = r.Status*10 + int(c-'0')
	}
	if r.Status < 100 {
		return errStatusLine
	}
	r.Reason = nil
	if len(line) > 12 {
		if line[12] != ' ' || !plainValue(line[13:]) {
			return errStatusLine
		}
		r.Reason = line[13:]
	}
	return nil
}
