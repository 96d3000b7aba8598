package edgetest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// Canaries are requests to a host of their own, which every recorder answers as
// Echo does, whatever its script.
const (
	canaryHost = "canary.example"
	canaryPath = "/canary-"
)

// Case is what a client sends, and all that may come of it. Run judges it by the
// bytes on both sides of the edge.
type Case struct {
	// Name begins with the id of the case: "H1-01_CL.TE".
	Name string
	// Send are the inputs, each on a connection of its own, expected to fare alike.
	// ⏎ is CR LF.
	Send []string
	// Frames are inputs that HTTP/2 has words for, and maybe nobody else. Only RunFramed
	// looks at them.
	Frames []Framed
	// Status is that of the only answer, Statuses those of several. Without both
	// the connection must end without an answer.
	Status   int
	Statuses []int
	// Resets says that streams of HTTP/2 are reset, whatever the Status.
	Resets bool
	// Closes says that the connection ends after the last answer, orderly. Else the
	// next request on it must be served.
	Closes bool
	// Reach is how many requests get to the server, whole; Broken how many are cut
	// off on the way there.
	Reach, Broken int
	// Never are texts that must not get to the server, letters in any case.
	Never []string
	// Pieces sends the input so many bytes at a time; 0 is all at once.
	Pieces int
	// Over is the one listener to use: "plain" or "tls". "" is both.
	Over string
	// Check looks closer.
	Check func(testing.TB, *Outcome)
}

// Outcome is what came of one input.
type Outcome struct {
	// Input is what was sent, TLS over which listener.
	Input string
	TLS   bool
	// Answers are the final answers, Informational those before them.
	Answers, Informational []*Message
	// Requests are those that the server got.
	Requests []*Message
	// Raw is everything that the server got.
	Raw string
}

// Run runs the cases one after the other, each input over both listeners. After
// each the server must have seen what the case says and nothing else, and must
// answer canaries: one on a new connection of a client, which takes the pooled
// connection of the edge, and one more behind it.
func Run(t *testing.T, e *Edge, r *Recorder, cases []Case) {
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			for _, input := range c.Send {
				if c.Over != "tls" {
					c.run(t, e, r, &Outcome{Input: input})
				}
				if c.Over != "plain" {
					c.run(t, e, r, &Outcome{Input: input, TLS: true})
				}
			}
		})
	}
	// What was on its way to the server when its case ended shows now.
	e.Stop()
	r.Close()
	if late, raw := r.Take(); len(late) > 0 {
		t.Errorf("%d requests reached the server that no case expected:\n%.4000q", len(late), raw)
	}
}

func (c *Case) run(t *testing.T, e *Edge, r *Recorder, o *Outcome) {
	client := e.dialFor(t, o.TLS)
	defer client.Close()
	if c.Pieces > 0 {
		client.SendPieces(o.Input, c.Pieces)
	} else {
		client.Send(o.Input)
	}
	faults := c.answers(client, o)
	client.Close()
	if c.Broken > 0 {
		Until(func() bool { return r.Count() >= c.Reach+c.Broken })
	}
	faults = append(faults, e.canaries(t, o.TLS)...)
	o.Requests, o.Raw = r.Take()
	faults = append(faults, c.server(o)...)
	for _, f := range faults {
		t.Errorf("%s\n   sent %.300q, TLS %v", f, Bytes(o.Input), o.TLS)
	}
	if c.Check != nil && len(faults) == 0 {
		c.Check(t, o)
	}
}

func (e *Edge) dialFor(t *testing.T, tls bool) *Client {
	t.Helper()
	if tls {
		return e.DialTLS(t, "app.example")
	}
	return e.Dial(t)
}

// answers reads the client's side.
func (c *Case) answers(client *Client, o *Outcome) (faults []string) {
	want := c.Statuses
	if c.Status != 0 {
		want = []int{c.Status}
	}
	method, _, _ := strings.Cut(o.Input, " ")
	for _, status := range want {
		m, err := client.TryAnswer(method)
		for err == nil && m.Status < 200 {
			o.Informational = append(o.Informational, m)
			m, err = client.TryAnswer(method)
		}
		if err != nil || m.Status != status {
			return append(faults, fmt.Sprintf("answer %+v, error %v, want %d", m, err, status))
		}
		o.Answers = append(o.Answers, m)
		faults = append(faults, c.judge(m, o, len(o.Answers) == len(want))...)
	}
	if c.Closes || len(want) == 0 {
		if end := client.End(); end != Closed {
			faults = append(faults, fmt.Sprintf("connection %v, want it closed", end))
		}
		return faults
	}
	return append(faults, canary(client, "same")...)
}

// judge looks at one answer: whether it says what becomes of the connection, and
// does not show the other side of it.
func (c *Case) judge(m *Message, o *Outcome, last bool) (faults []string) {
	says := strings.EqualFold(m.Get("Connection"), "close")
	if says != (last && c.Closes) {
		faults = append(faults, fmt.Sprintf("Connection: %q", m.Values("Connection")))
	}
	return faults
}

// server judges what the server got.
func (c *Case) server(o *Outcome) (faults []string) {
	whole, broken := 0, 0
	for _, m := range o.Requests {
		if m.Err != nil {
			broken++
			if !Cut(m.Err) {
				faults = append(faults, fmt.Sprintf("server got %.500q: %v", m.Raw, m.Err))
			}
			continue
		}
		whole++
		if err := Check(m); err != nil {
			faults = append(faults, err.Error())
		}
	}
	if whole != c.Reach || broken != c.Broken {
		faults = append(faults, fmt.Sprintf("%d requests reached the server and %d in part,"+
			" want %d and %d: %.1000q", whole, broken, c.Reach, c.Broken, o.Raw))
	}
	for _, text := range c.Never {
		if strings.Contains(strings.ToLower(o.Raw), strings.ToLower(Bytes(text))) {
			faults = append(faults, fmt.Sprintf("the server got %q: %.1000q", text, o.Raw))
		}
	}
	return faults
}

// Check tells what is wrong with a request that reached a server: it needs one
// Host, at most one framing, which the parser saw to, and a path.
func Check(m *Message) error {
	if hosts := m.Values("Host"); len(hosts) != 1 || hosts[0] == "" {
		return fmt.Errorf("server got Host %q: %.1000q", hosts, m.Raw)
	}
	if m.Path[0] != '/' && !(m.Path == "*" && m.Method == "OPTIONS") {
		return fmt.Errorf("server got target %q", m.Path)
	}
	return nil
}

// Canaries sends two requests on new TLS connections, and fails the test unless
// each gets its own answer.
func (e *Edge) Canaries(t *testing.T) {
	t.Helper()
	for _, f := range e.canaries(t, true) {
		t.Error(f)
	}
}

func (e *Edge) canaries(t *testing.T, tls bool) (faults []string) {
	t.Helper()
	for _, name := range []string{"new", "pooled"} {
		var client *Client
		if tls {
			client = e.DialTLS(t, canaryHost)
		} else {
			client = e.Dial(t)
		}
		faults = append(faults, canary(client, name)...)
		client.Close()
	}
	return faults
}

// canary sends one and looks for its answer.
func canary(c *Client, name string) (faults []string) {
	path := fmt.Sprintf("%s%s-%x", canaryPath, name, time.Now().UnixNano())
	c.Send("GET " + path + " HTTP/1.1⏎Host: " + canaryHost + "⏎⏎")
	m, err := c.TryAnswer("GET")
	if err != nil || m.Status != 200 || m.Body != "GET "+path {
		return []string{fmt.Sprintf("canary %s: %+v, error %v", name, m, err)}
	}
	return nil
}

// Cut tells whether a request whose Err this is was well formed as far as it came.
func Cut(err error) bool {
	var broke *net.OpError
	return errors.Is(err, errUnread) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.As(err, &broke)
}
