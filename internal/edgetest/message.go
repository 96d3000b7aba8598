package edgetest

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// Field is one header line.
type Field struct {
	// Name is as it stood there, Value without white space around it.
	Name, Value string
}

// Message is a request or an answer as the strict parser read it.
type Message struct {
	// Line is the first line without its end.
	Line string
	// Method and Path are of a request, Path with the query; Status of an answer.
	Method, Path string
	Status       int
	// Fields and Trailers are in order, as they stood there.
	Fields, Trailers []Field
	// Length is the Content-Length, -1 if there is none; Chunked the other framing.
	Length  int64
	Chunked bool
	// Body is decoded.
	Body string
	// Raw is everything that was read of the message.
	Raw string
	// Err says why the message is not whole, nil if it is.
	Err error
}

// Values are the values of all fields of the name, in any case.
func (m *Message) Values(name string) []string { return values(m.Fields, name) }

// Get is the value of the first field of the name, "" without one.
func (m *Message) Get(name string) string {
	if v := m.Values(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

func values(fields []Field, name string) (out []string) {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			out = append(out, f.Value)
		}
	}
	return out
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"

var (
	requestLine = regexp.MustCompile(`^(` + token + `) ([!-~]+) HTTP/1\.1$`)
	statusLine  = regexp.MustCompile(`^HTTP/1\.1 ([1-5][0-9][0-9]) [^\x00-\x08\x0a-\x1f\x7f]*$`)
	fieldName   = regexp.MustCompile(`^` + token + `$`)
	length      = regexp.MustCompile(`^(0|[1-9][0-9]{0,17})$`)
	chunkSize   = regexp.MustCompile(`^[0-9a-f]{1,15}$`)
)

// wire reads messages from a stream and keeps what it read of the present one.
// It knows fewer forms than RFC 9112 allows, and only those that we send.
type wire struct {
	*bufio.Reader
	raw []byte
}

// line reads one line, which must end in CR LF and hold no other of the two.
func (w *wire) line() (string, error) {
	line, err := w.ReadString('\n')
	w.raw = append(w.raw, line...)
	if err != nil {
		return "", err
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok || strings.ContainsAny(text, "\r\n") {
		return "", fmt.Errorf("line %q does not end in CR LF alone", line)
	}
	return text, nil
}

func (w *wire) take(n int64) (string, error) {
	b := make([]byte, min(n, 64<<10))
	start := len(w.raw)
	for left := n; left > 0; {
		k, err := w.Reader.Read(b[:min(left, int64(len(b)))])
		w.raw = append(w.raw, b[:k]...)
		left -= int64(k)
		if err != nil && left > 0 {
			return string(w.raw[start:]), err
		}
	}
	return string(w.raw[start:]), nil
}

// head reads the first line and the fields. The message is nil when nothing came
// at all.
func (w *wire) head() (*Message, error) {
	w.raw = w.raw[:0]
	m := &Message{Length: -1}
	var err error
	if m.Line, err = w.line(); err == nil {
		m.Fields, err = w.fields()
	}
	if err == nil {
		err = m.framing()
	}
	m.Raw = string(w.raw)
	switch {
	case err == nil:
		return m, nil
	case len(w.raw) == 0:
		return nil, err
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	m.Err = err
	return m, err
}

func (w *wire) fields() (fields []Field, err error) {
	for {
		text, err := w.line()
		if err != nil || text == "" {
			return fields, err
		}
		name, value, ok := strings.Cut(text, ":")
		if !ok || !fieldName.MatchString(name) || strings.ContainsFunc(value, isControl) {
			return fields, fmt.Errorf("field line %q", text)
		}
		fields = append(fields, Field{name, strings.Trim(value, " \t")})
	}
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

func (m *Message) framing() error {
	lengths, codings := m.Values("Content-Length"), m.Values("Transfer-Encoding")
	switch {
	case len(lengths)+len(codings) > 1:
		return fmt.Errorf("Content-Length %q, Transfer-Encoding %q", lengths, codings)
	case len(codings) == 1:
		if codings[0] != "chunked" {
			return fmt.Errorf("Transfer-Encoding %q", codings[0])
		}
		m.Chunked = true
	case len(lengths) == 1:
		if !length.MatchString(lengths[0]) {
			return fmt.Errorf("Content-Length %q", lengths[0])
		}
		m.Length, _ = strconv.ParseInt(lengths[0], 10, 64)
	}
	return nil
}

// body reads the body that the framing says, until the end of the stream if it
// says nothing and open is true.
func (w *wire) body(m *Message, open bool) (err error) {
	switch {
	case m.Chunked:
		err = w.chunks(m)
	case m.Length > 0:
		m.Body, err = w.take(m.Length)
	case m.Length < 0 && open:
		m.Body, err = w.take(1 << 40)
		if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	m.Raw = string(w.raw)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	m.Err = err
	return err
}

func (w *wire) chunks(m *Message) error {
	var body strings.Builder
	defer func() { m.Body += body.String() }()
	for {
		text, err := w.line()
		if err != nil {
			return err
		}
		if !chunkSize.MatchString(text) {
			return fmt.Errorf("chunk size %q", text)
		}
		n, _ := strconv.ParseInt(text, 16, 64)
		if n == 0 {
			m.Trailers, err = w.fields()
			return err
		}
		data, err := w.take(n)
		body.WriteString(data)
		if err != nil {
			return err
		}
		end, err := w.line()
		if err != nil {
			return err
		}
		if end != "" {
			return fmt.Errorf("chunk data followed by %q", end)
		}
	}
}

// requestHead reads the head of a request.
func (w *wire) requestHead() (*Message, error) {
	m, err := w.head()
	if m == nil || err != nil {
		return m, err
	}
	part := requestLine.FindStringSubmatch(m.Line)
	if part == nil {
		m.Err = fmt.Errorf("request line %q", m.Line)
		return m, m.Err
	}
	m.Method, m.Path = part[1], part[2]
	return m, nil
}

// answer reads an answer to a request of the method.
func (w *wire) answer(method string) (*Message, error) {
	m, err := w.head()
	if m == nil || err != nil {
		return m, err
	}
	part := statusLine.FindStringSubmatch(m.Line)
	if part == nil {
		m.Err = fmt.Errorf("status line %q", m.Line)
		return m, m.Err
	}
	m.Status, _ = strconv.Atoi(part[1])
	if method == "HEAD" || m.Status < 200 || m.Status == 204 || m.Status == 304 {
		return m, nil
	}
	return m, w.body(m, true)
}

// AcceptFor is the answer to the key of a WebSocket's handshake (RFC 6455, section
// 4.2.2).
func AcceptFor(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
