package mail

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/wneessen/go-mail/smtp"
)

// maxReplies is how much a server may say in one session: a reply has at most
// 512 bytes a line (RFC 5321, section 4.5.3.1.5), and there are few.
const maxReplies = 1 << 20

// Send hands the message to the server and returns when that has taken it. It
// goes to every recipient that the server accepts. The error is a *[SendError],
// or one with [ErrMessage] in it when the message itself was refused before.
func (s *Sender) Send(ctx context.Context, m Message) error {
	l, err := s.compose(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return s.failed(ctx, PhaseConnect, err, m.To)
	}
	defer conn.Close()
	// Closing ends whatever the session waits for, and stays: a deadline would be
	// moved by the next phase.
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	d := delivery{
		Sender: s, letter: l, given: m.To,
		conn: &boundedConn{Conn: conn, left: maxReplies},
	}
	return d.run(ctx)
}

// delivery is one message on one connection.
type delivery struct {
	*Sender
	letter  letter
	given   []string // the recipients in the caller's form
	conn    net.Conn
	client  *smtp.Client
	refused []string // of given
	reason  error    // of the first refusal, a temporary one before others
}

func (d *delivery) run(ctx context.Context) error {
	for _, step := range []struct {
		phase Phase
		do    func(context.Context) error
	}{
		{PhaseTLS, d.handshake},
		{PhaseGreeting, d.greet},
		{PhaseTLS, d.startTLS},
		{PhaseSignIn, d.signIn},
		{PhaseSender, d.sender},
		{PhaseRecipients, d.recipients},
		{PhaseMessage, d.data},
	} {
		if err := step.do(ctx); err != nil {
			return d.failed(ctx, step.phase, err, d.given)
		}
	}
	// The message is the server's now: a goodbye that fails changes nothing, and
	// to report it would bring the message twice.
	_ = d.client.Quit()
	if d.reason != nil {
		return d.failed(context.WithoutCancel(ctx), PhaseRecipients, d.reason, d.refused)
	}
	return nil
}

// handshake begins with TLS where the server expects that.
func (d *delivery) handshake(ctx context.Context) error {
	if d.options.Security != ImplicitTLS {
		return nil
	}
	conn := tls.Client(d.conn, d.tls)
	d.conn = conn
	return conn.HandshakeContext(ctx)
}

func (d *delivery) greet(context.Context) error {
	client, err := smtp.NewClient(d.conn, d.options.Host)
	if err != nil {
		return err
	}
	d.client = client
	// Our addresses need no SMTPUTF8, and a message marked with it is sent back by
	// the next server that does not know it.
	client.SkipSMTPUTF8(true)
	return client.Hello(literal(d.conn.LocalAddr()))
}

// literal is how a client without a name of its own says hello (RFC 5321,
// section 4.1.3). The name of this machine is nobody's business, and servers
// refuse it when it has no dot.
func literal(local net.Addr) string {
	address, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return "localhost"
	}
	ip := address.Addr().Unmap().WithZone("")
	if ip.Is6() {
		return "[IPv6:" + ip.String() + "]"
	}
	return "[" + ip.String() + "]"
}

func (d *delivery) startTLS(context.Context) error {
	if d.options.Security != StartTLS {
		return nil
	}
	if offered, _ := d.client.Extension("STARTTLS"); !offered {
		return errNoSTARTTLS
	}
	return d.client.StartTLS(d.tls)
}

func (d *delivery) signIn(context.Context) error {
	if d.options.Username == "" {
		return nil
	}
	_, offered := d.client.Extension("AUTH")
	mechanism := d.mechanism(strings.Fields(strings.ToUpper(offered)))
	if mechanism == nil {
		return errNoSignIn
	}
	return d.client.Auth(mechanism)
}

// mechanism is the one to sign in with, of those that the server offers; nil:
// none. Both tell the password, in a connection that is private by now. Those
// that do not are offered by servers whose own password store cannot serve them.
func (s *Sender) mechanism(offered []string) smtp.Auth {
	o := s.options
	clear := o.Security == NoTLS // to this machine, as New made sure
	switch {
	case slices.Contains(offered, "PLAIN"):
		return smtp.PlainAuth("", o.Username, o.Password, o.Host, clear)
	case slices.Contains(offered, "LOGIN"): // all that Microsoft's servers have
		return smtp.LoginAuth(o.Username, o.Password, o.Host, clear)
	}
	return nil
}

func (d *delivery) sender(context.Context) error {
	return d.client.Mail("<" + d.from.Address + ">")
}

// recipients goes on when the server takes at least one of them.
func (d *delivery) recipients(context.Context) error {
	for i, to := range d.letter.to {
		err := d.client.Rcpt("<" + to.Address + ">")
		if err == nil {
			continue
		}
		code := replyCode(err)
		if code == 0 { // not a refusal: the connection is gone
			return err
		}
		d.refused = append(d.refused, d.given[i])
		if d.reason == nil || code/100 == 4 && replyCode(d.reason)/100 != 4 {
			d.reason = err
		}
	}
	if len(d.refused) == len(d.letter.to) {
		return d.reason
	}
	return nil
}

func (d *delivery) data(context.Context) error {
	w, err := d.client.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(d.letter.data); err != nil {
		return err
	}
	return w.Close()
}

// boundedConn ends the reading from a server that fills the memory.
type boundedConn struct {
	net.Conn
	left int
}

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTalkative
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
