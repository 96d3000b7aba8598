package proxy

import (
	"io"
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"doorward/proxy/backend"
	"doorward/proxy/h1"
	"doorward/proxy/netio"
)

// Trial is an exchange without connections: one request head and what becomes of
// it, for tests that need no socket.
type Trial struct{ x *exchange }

// NewTrial reads a request head that came from peer over l.
func NewTrial(s *Snapshot, l *Listener, peer, head string) (*Trial, error) {
	s.Prepare()
	x := newExchange()
	x.c = &conn{e: New(Options{Log: zap.NewNop()}), l: l, peer: netip.MustParseAddrPort(peer)}
	x.snap = s
	x.start()
	x.in.push([]byte(head))
	n, err := s.parser.Parse(x.in.bytes(), x.req)
	x.head = n
	return &Trial{x}, err
}

// Decide returns the status of a refusal, 0 when the request has a route.
func (t *Trial) Decide() int { return t.x.decide() }

// Client is the address that the request is attributed to.
func (t *Trial) Client() netip.AddrPort { return t.x.client }

// RequestHead is what the server gets.
func (t *Trial) RequestHead() string {
	t.x.backend = t.x.route.Backend
	t.x.up.prepare(t.x)
	t.x.rewritePath()
	return string(t.x.appendRequestHead(nil))
}

// AnswerHead is what the client gets for a server's answer head.
func (t *Trial) AnswerHead(head string) (string, error) {
	if _, err := h1.ParseResponse([]byte(head), &t.x.resp, answerLimits); err != nil {
		return "", err
	}
	t.x.keep = !t.x.req.Close
	f := t.x.framingOf(t.x.resp.BodyOf(t.x.isHead()))
	return string(t.x.appendAnswerHead(nil, f)), nil
}

// Expand is a template's value for the request.
func (t *Trial) Expand(template Template) string { return string(template.append(nil, t.x)) }

// Passes tells whether anybody may send a field of the name, and whether at
// least trusted proxies may.
func Passes(name string) (anybody, proxies bool) {
	g := guardOf([]byte(name))
	return g == passes, g == passes || g == trusted || g == identity
}

// ProtectedFromConnection is protectedFromConnection.
func ProtectedFromConnection(name string) bool { return protectedFromConnection([]byte(name)) }

// ReadProxyHeader reads a PROXY header from a socket, and returns the address it
// names and the connection behind it.
func ReadProxyHeader(sock net.Conn, limit time.Duration) (netip.AddrPort, *netio.Conn, error) {
	e := New(Options{Log: zap.NewNop()})
	c := &conn{e: e, io: netio.New(sock), peer: addrPort(sock.RemoteAddr())}
	err := c.readProxyHeader(limit)
	return c.peer, c.io, err
}

// Upload moves the body of a request from its client to a server, and returns
// what the client did wrong.
func Upload(client, server net.Conn, clientTimeout time.Duration, head string) error {
	s := &Snapshot{Limits: Limits{Limits: answerLimits}}
	s.Limits.TargetBytes = answerLimits.HeadBytes
	t, err := NewTrial(s, &Listener{}, "192.0.2.1:1", head)
	if err != nil {
		return err
	}
	x := t.x
	x.e = New(Options{Log: zap.NewNop()})
	x.c.io = netio.New(client)
	x.route = &Route{ClientTimeout: clientTimeout, Request: &Changes{}}
	x.to = &backend.Conn{Conn: netio.New(server)}
	x.up.prepare(x)
	x.up.start()
	<-x.up.done
	return x.up.err
}

// HandlerBody reads the body of a request as handlers do.
func HandlerBody(client net.Conn, clientTimeout time.Duration, head string) error {
	s := &Snapshot{Limits: Limits{Limits: answerLimits}}
	s.Limits.TargetBytes = answerLimits.HeadBytes
	t, err := NewTrial(s, &Listener{}, "192.0.2.1:1", head)
	if err != nil {
		return err
	}
	t.x.c.io = netio.New(client)
	t.x.route = &Route{ClientTimeout: clientTimeout, Request: &Changes{}}
	t.x.up.prepare(t.x)
	_, err = io.Copy(io.Discard, &handlerBody{x: t.x})
	return err
}

// Buffer is a buffer that starts with room for so many bytes.
type Buffer struct{ b buffer }

// NewBuffer makes a Buffer.
func NewBuffer(room int) *Buffer { return &Buffer{buffer{b: make([]byte, room)}} }

// Bytes are those that were pushed and not taken.
func (b *Buffer) Bytes() []byte { return b.b.bytes() }

// Room is how many bytes can be read without growing, Size the whole of it.
func (b *Buffer) Room() int { return len(b.b.free()) }

// Size is the length of the buffer.
func (b *Buffer) Size() int { return len(b.b.b) }

// Push adds bytes at the end.
func (b *Buffer) Push(p []byte) { b.b.push(p) }

// Take removes n bytes at the front.
func (b *Buffer) Take(n int) { b.b.r += n }

// Discard moves what is left to the front.
func (b *Buffer) Discard() { b.b.discard() }

// Grow makes room at the end.
func (b *Buffer) Grow(most int) { b.b.grow(most) }

// FrameChunk frames data in place, as it stands in a bulk buffer.
func FrameChunk(data string, last bool, trailers []h1.Field) string {
	b := make([]byte, chunkRoom+len(data)+chunkTail)
	copy(b[chunkRoom:], data)
	return string(frameChunk(b, len(data), last, trailers))
}

// AppendChunk appends data, framed or not.
func AppendChunk(b, data string, chunked bool) string {
	return string(appendChunk([]byte(b), []byte(data), chunked))
}

// Passing are the trailers that may go on.
func Passing(trailers []h1.Field, ch *Changes) []h1.Field { return passing(trailers, ch) }

// Subscriber is what connections are counted by.
func Subscriber(a netip.Addr) netip.Addr { return subscriber(a) }

// PerClient counts connections by client.
type PerClient struct{ p perClient }

// Join counts one more, unless there are most already.
func (p *PerClient) Join(a netip.Addr, most int) bool { return p.p.join(a, most) }

// Leave counts one less.
func (p *PerClient) Leave(a netip.Addr) { p.p.leave(a) }

// Clients is how many clients are known.
func (p *PerClient) Clients() int { return len(p.p.n) }

// Shrink makes a buffer ready for another exchange.
func (b *Buffer) Shrink(size int) { b.b.shrink(size) }

// SlowAnswer is how long a server thinks before somebody looks after the client.
const SlowAnswer = slowAnswer
