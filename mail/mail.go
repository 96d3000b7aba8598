// Package mail sends mail through a submission server (RFC 6409).
//
//	sender, err := mail.New(mail.Options{
//		Host:     "smtp.example.com",
//		Username: "doorward",
//		Password: password,
//		From:     "Doorward <doorward@example.com>",
//	})
//	...
//	err = sender.Send(ctx, mail.Message{
//		To:      []string{"ops@example.com"},
//		Subject: "Hello",
//		Text:    "Hello.\n",
//	})
//
// The package owns everything between a [Message] and the server's answer: the
// form of the message, the connection, TLS, signing in, and errors that say
// which of these went wrong and what mends it. Whether to try again, to wait or
// to give up is left to the caller; [SendError.Temporary] helps to decide.
//
// What it promises:
//   - With STARTTLS or TLS nothing but the greeting leaves before the server has
//     proven with a certificate that it is Host; TLS 1.2 is the least. A server
//     that no longer offers STARTTLS, or somebody on the way who hides it, gets
//     neither the password nor the message.
//   - Without TLS no password is sent, except to this very machine.
//   - No text that a caller passes becomes a header, a recipient or a command of
//     its own.
//   - No error shows the password, even if the server repeats it.
package mail

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

// How a connection is secured, for Options.Security.
const (
	// StartTLS begins in the clear and demands TLS before anything else (RFC 3207).
	StartTLS = "starttls"
	// ImplicitTLS begins with TLS (RFC 8314, section 3.3).
	ImplicitTLS = "tls"
	// NoTLS is for a server on this machine, or one that takes mail from this
	// address without a password.
	NoTLS = "none"
)

const defaultTimeout = 30 * time.Second

// ErrOption is in every error of [New].
var ErrOption = errors.New("mail option")

// Options describes the submission server. Host and From are required.
type Options struct {
	// Host is the server's name, which its certificate must bear, or an address.
	Host string
	// Port is 587 when 0; 465 with ImplicitTLS and 25 with NoTLS.
	Port int
	// Username and Password sign in. Both or neither.
	Username, Password string
	// Security is StartTLS, ImplicitTLS or NoTLS; "" means StartTLS.
	Security string
	// From is the sender, "doorward@example.com" or
	// "Doorward <doorward@example.com>".
	From string
	// Timeout is for one message, from the connection to the end; 0 means 30 s.
	Timeout time.Duration
	// CAFile names a PEM file with the authorities that are believed in place of
	// the system's. It is read by New.
	CAFile string
}

// Sender sends mail. It holds no connection between messages and may be used by
// many goroutines at once.
type Sender struct {
	options Options
	address string // host:port
	from    netmail.Address
	tls     *tls.Config
	secrets *strings.Replacer // takes the password out of a text
}

// New makes a sender. It does not connect. The error names the option at fault.
func New(o Options) (*Sender, error) {
	s, err := newSender(o)
	if err != nil {
		return nil, fmt.Errorf("%w %w", ErrOption, err)
	}
	return s, nil
}

func newSender(o Options) (*Sender, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	from, err := parseAddress(o.From)
	if err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	roots, err := readRoots(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("CA file: %w", err)
	}
	return &Sender{
		options: o,
		address: net.JoinHostPort(o.Host, strconv.Itoa(o.Port)),
		from:    from,
		tls:     &tls.Config{ServerName: o.Host, MinVersion: tls.VersionTLS12, RootCAs: roots},
		secrets: secrets(o.Username, o.Password),
	}, nil
}

// complete fills in what was left out, and refuses what makes no sense.
func (o *Options) complete() error {
	if o.Security == "" {
		o.Security = StartTLS
	}
	usual, known := map[string]int{StartTLS: 587, ImplicitTLS: 465, NoTLS: 25}[o.Security]
	if o.Port == 0 {
		o.Port = usual
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	switch {
	case !known:
		return fmt.Errorf("security %q: use starttls, tls or none", o.Security)
	case !plausible(o.Host):
		return fmt.Errorf("host %q: the name or address of a mail server is needed", o.Host)
	case o.Port < 1 || o.Port > 65535:
		return fmt.Errorf("port %d: use 1 to 65535", o.Port)
	case o.Timeout < 0:
		return fmt.Errorf("timeout %v: a positive time is needed", o.Timeout)
	case (o.Username == "") != (o.Password == ""):
		return errors.New("username and password: one does not work without the other")
	case o.Username != "" && o.Security == NoTLS && !loopback(o.Host):
		return fmt.Errorf("security none: everybody on the way to %s could read the password;"+
			" use starttls or tls, or no username", o.Host)
	}
	return nil
}

// plausible keeps out what the name of a host is mistaken for: a URL, a name with
// a port.
func plausible(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host != "" && !strings.ContainsAny(host, " /:[]") &&
		!strings.ContainsFunc(host, notPrintable)
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	return roots, nil
}

// secrets knows the forms in which the mechanisms send a password, since servers
// repeat a line that they did not understand.
func secrets(username, password string) *strings.Replacer {
	if password == "" {
		return strings.NewReplacer()
	}
	encode := base64.StdEncoding.EncodeToString
	return strings.NewReplacer(
		encode([]byte("\x00"+username+"\x00"+password)), "***",
		encode([]byte(password)), "***",
		password, "***",
	)
}
