package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
)

// Phase is how far a message came.
type Phase string

// The phases, in their order.
const (
	PhaseConnect    Phase = "connect"    // look up the name, open the connection
	PhaseGreeting   Phase = "greeting"   // the server says that it is one
	PhaseTLS        Phase = "TLS"        // STARTTLS, handshake, certificate
	PhaseSignIn     Phase = "sign in"    // username and password
	PhaseSender     Phase = "sender"     // may this user send as From
	PhaseRecipients Phase = "recipients" // does the server take mail for them
	PhaseMessage    Phase = "message"    // does it take this one
)

// SendError is the error of a message that did not reach all recipients.
type SendError struct {
	// Server is "host:port".
	Server string
	// Phase is where it ended.
	Phase Phase
	// Code is the server's reply code (RFC 5321, section 4.2.1); 0 when it was not
	// a reply that ended it.
	Code int
	// Undelivered are the recipients who did not get the message, as they were
	// given. The others did: only these are left for another attempt.
	Undelivered []string
	// Mend says what may help, in words of the configuration.
	Mend string

	cause error
	final bool // without a reply, and yet nothing to try again
}

// Error is one line with the server, the phase, the cause and the mend. It does
// not hold the password.
func (e *SendError) Error() string {
	return fmt.Sprintf("mail server %s, %s: %v; %s", e.Server, e.Phase, e.cause, e.Mend)
}

// Unwrap returns the cause.
func (e *SendError) Unwrap() error { return e.cause }

// Temporary says that the same may go well a little later: the server was not
// reached, or said so (replies 400 to 499).
func (e *SendError) Temporary() bool {
	if e.Code != 0 {
		return e.Code/100 == 4
	}
	return !e.final
}

var (
	errNoSTARTTLS = errors.New("the server offers no STARTTLS, so neither password nor message" +
		" was sent")
	errNoSignIn  = errors.New("the server offers neither PLAIN nor LOGIN to sign in with")
	errTalkative = errors.New("the server does not stop talking")
)

// failed makes the error of a phase for the recipients given.
func (s *Sender) failed(ctx context.Context, phase Phase, err error, to []string) *SendError {
	e := &SendError{Server: s.address, Phase: phase, Undelivered: to, cause: err}
	switch {
	case ctx.Err() != nil:
		// The connection was closed under the phase: what it says is a consequence.
		e.cause = ctx.Err()
		if errors.Is(e.cause, context.DeadlineExceeded) {
			e.cause = fmt.Errorf("not done within %v: %w", s.options.Timeout, e.cause)
		}
	default:
		e.Code = replyCode(err)
	}
	e.final = final(err)
	e.Mend = s.mend(e)
	if text := s.printable(e.cause.Error()); text != e.cause.Error() {
		e.cause = errors.New(text)
	}
	return e
}

// replyCode is the code of a reply that refused something; 0: it was no reply.
func replyCode(err error) int {
	if reply, ok := errors.AsType[*textproto.Error](err); ok {
		return reply.Code
	}
	return 0
}

func final(err error) bool {
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	return certificate || noTLS || errors.Is(err, errNoSTARTTLS) || errors.Is(err, errNoSignIn)
}

// printable makes one line of what a server said, without the password.
func (s *Sender) printable(text string) string {
	const most = 300
	text = s.secrets.Replace(text)
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool {
		return r == ' ' || notPrintable(r)
	}), " ")
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "..."
	}
	return text
}

// mend is the advice for an error that has all but this.
func (s *Sender) mend(e *SendError) string {
	switch e.Phase {
	case PhaseConnect:
		return "check mail.host, mail.port, and that a firewall lets this machine out to them"
	case PhaseGreeting:
		if s.options.Security != ImplicitTLS && silent(e.cause) {
			return "check mail.port; a server that waits for TLS at once, as on port 465," +
				` needs mail.security = "tls"`
		}
		return "check that a mail server listens there for this machine"
	case PhaseTLS:
		return s.mendTLS(e.cause)
	case PhaseSignIn:
		return mendSignIn(e)
	case PhaseSender:
		return "the server must let this user send as " + strconv.Quote(s.from.Address) +
			": check mail.from"
	case PhaseRecipients:
		return "check these addresses, and that the server passes on mail from here: " +
			strings.Join(e.Undelivered, ", ")
	}
	return "the server did not take the message: look for its reason there"
}

// silent says that a server hung up or kept quiet, as one does that waits for
// the client to begin.
func silent(err error) bool {
	var timeout net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

func (s *Sender) mendTLS(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "mail.host must be a name in the server's certificate, and its authority one" +
			" that this machine believes"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return `the server begins in the clear: use mail.security = "starttls"`
	}
	if errors.Is(err, errNoSTARTTLS) {
		return `if the server has a port for TLS (465), use it with mail.security = "tls";` +
			" if it offered STARTTLS before, somebody on the way may be hiding it"
	}
	return "the server must speak TLS 1.2 or newer there"
}

func mendSignIn(e *SendError) string {
	switch text := e.cause.Error(); {
	case errors.Is(e.cause, errNoSignIn):
		return "leave out mail.username and mail.password, or use the server's submission port"
	case strings.Contains(text, "5.7.30"), strings.Contains(text, "5.7.139"):
		return "Microsoft 365 takes no password for this mailbox: allow SMTP AUTH for it"
	case e.Code/100 == 4:
		return "the server cannot check passwords at the moment"
	}
	return "check mail.username and mail.password"
}
