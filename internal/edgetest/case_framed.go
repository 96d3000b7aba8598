package edgetest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// RunFramed runs the inputs of the cases that have a form in HTTP/2, and tells how many
// those are: Frames as they are, and of Send what can be said in frames. What must become of them is the same: the stream of what is refused may
// be reset instead, and is where HTTP/2 itself forbids what text may say. A server
// must have seen what the case says and nothing else, and must answer a canary on the
// same connection and on others.
func RunFramed(t *testing.T, e *Edge, r *Recorder, cases []Case) (ran int) {
	for _, c := range cases {
		inputs := c.framedInputs()
		if ran += len(inputs); len(inputs) == 0 {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			l := &line{t: t, e: e, r: r}
			for _, in := range inputs {
				if l.run(in); t.Failed() { // what follows may have to be waited for
					break
				}
			}
			for _, f := range e.canaries(t, true) {
				t.Error(f)
			}
		})
	}
	e.Stop()
	r.Close()
	if late, raw := r.Take(); len(late) > 0 {
		t.Errorf("%d requests reached the server that no case expected:\n%.4000q", len(late), raw)
	}
	return ran
}

// framedInputs are those inputs of the case.
func (c *Case) framedInputs() (inputs []*framedInput) {
	for _, q := range c.Frames {
		inputs = append(inputs, &framedInput{Case: *c, text: q.String(), q: q, reset: c.Resets})
	}
	if c.Over == "plain" || c.Status == 0 {
		return inputs
	}
	for _, input := range c.Send {
		if in := c.framed(input); in != nil {
			inputs = append(inputs, in)
		}
	}
	return inputs
}

// framedInput is one input over HTTP/2 and what must come of it.
type framedInput struct {
	Case
	text  string
	q     Framed
	reset bool // nothing but a reset will do
	large bool // more than may be answered
}

// framed is nil for an input that HTTP/2 has no form for.
func (c *Case) framed(text string) *framedInput {
	q, ok := InFrames(text)
	if !ok {
		return nil
	}
	in := &framedInput{Case: *c, text: text, q: q, reset: c.Resets}
	bytes, large := sizeOf(q.Head)
	behind, _ := sizeOf(q.Trailers)
	if c.Reach == 0 && len(q.Trailers) > 0 { // they come when the server has heard of it
		in.Broken = 1
	}
	switch in.large = max(bytes, behind) > 2*headBytes; {
	case large && c.Status != 414:
		in.Status, in.Reach, in.Broken, in.Check = 431, 0, 0, nil
	case !q.fits():
		in.reset, in.Reach = true, 0
	case c.Status == 431 && len(q.Trailers) == 0, // Host counts in text alone
		c.Reach == 0 && strings.EqualFold(q.Get("host"), q.Get(":authority")) && q.Get("host") != "":
		return nil
	}
	return in
}

// line is a connection that is used for several inputs.
type line struct {
	t *testing.T
	e *Edge
	r *Recorder
	f *Frames
	// next is the next stream.
	next uint32
}

// mostStreams keeps connections short, since all of them end after Patience.
const mostStreams = 40

func (l *line) stream() uint32 {
	l.next += 2
	return l.next - 2
}

func (l *line) hangUp() {
	if l.f != nil {
		l.f.Close()
	}
	l.f = nil
}

func (l *line) run(in *framedInput) {
	if l.f == nil || l.next > 2*mostStreams {
		l.hangUp()
		l.f, l.next = l.e.DialHTTP2(l.t, "app.example"), 1
	}
	id := l.stream()
	l.f.Send(id, in.q, func() {
		if in.Broken > 0 {
			Until(func() bool { return l.r.Count() > 0 })
		}
	})
	reply, err := l.f.TryWait(id)
	o := &Outcome{Input: in.text, TLS: true, Answers: []*Message{reply.message()}}
	faults := in.answer(reply, err, l.f)
	if l.f.GoAway != nil || err != nil {
		l.hangUp()
	}
	faults = append(faults, l.canary()...)
	o.Requests, o.Raw = l.r.Take()
	faults = append(faults, in.server(o)...)
	for _, f := range faults {
		l.t.Errorf("%s\n   sent %.300q over HTTP/2", f, in.text)
	}
	if in.Check != nil && len(faults) == 0 && !reply.Reset && reply.Status == strconv.Itoa(in.Status) {
		in.Check(l.t, o)
	}
}

// answer judges the client's side.
func (in *framedInput) answer(r *Reply, err error, f *Frames) (faults []string) {
	for _, name := range []string{"connection", "keep-alive", "proxy-connection",
		"transfer-encoding", "upgrade"} {
		if v := r.Get(name); v != "" {
			faults = append(faults, fmt.Sprintf("answer with %s: %s", name, v))
		}
	}
	reset := r.Reset && r.Code == http2.ErrCodeProtocol && r.Status == ""
	switch {
	case in.large && (err != nil || f.GoAway != nil):
	case err != nil:
		faults = append(faults, fmt.Sprintf("%v: %+v", err, r))
	case in.reset && !reset:
		faults = append(faults, fmt.Sprintf("want a reset: %+v", r))
	case in.reset, reset && in.Reach == 0 && in.Status >= 400:
	case r.Status != strconv.Itoa(in.Status) || !r.Ended:
		faults = append(faults, fmt.Sprintf("want %d: %+v", in.Status, r))
	}
	return faults
}

// canary asks for one on the connection, if it is still there.
func (l *line) canary() (faults []string) {
	if l.f == nil {
		return nil
	}
	path := fmt.Sprintf("%sframed-%x", canaryPath, time.Now().UnixNano())
	id := l.stream()
	l.f.Headers(id, true, Get(canaryHost, path)...)
	r, err := l.f.TryWait(id)
	if err != nil || r.Status != "200" || string(r.Body) != "GET "+path {
		defer l.hangUp()
		return []string{fmt.Sprintf("canary on the same connection: %+v, error %v", r, err)}
	}
	return nil
}

// message is the answer in the form that cases know.
func (r *Reply) message() *Message {
	m := &Message{Body: string(r.Body)}
	m.Status, _ = strconv.Atoi(r.Status)
	for _, line := range r.Fields {
		name, value, _ := strings.Cut(line, ": ")
		m.Fields = append(m.Fields, Field{name, value})
	}
	m.Raw = strings.Join(r.Fields, "\r\n") + "\r\n\r\n" + m.Body
	return m
}
