package mail_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"doorward/mail"
)

const (
	username = "doorward"
	password = "hunter2/correct+horse"
)

// TestMain fails the package when goroutines outlive their tests.
func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	poll, end := time.NewTicker(time.Millisecond), time.Now().Add(5*time.Second)
	for ; code == 0 && runtime.NumGoroutine() > before; <-poll.C {
		if time.Now().After(end) {
			buf := make([]byte, 1<<20)
			fmt.Printf("goroutines left:\n%s\n", buf[:runtime.Stack(buf, true)])
			code = 1
		}
	}
	os.Exit(code)
}

// authority signs certificates for servers.
type authority struct {
	file string // PEM
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(t.TempDir(), "ca.pem")}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	der, key := a.issue(t, template)
	a.key = key
	a.cert, _ = x509.ParseCertificate(der)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(a.file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) issue(t *testing.T, c *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

// server makes the TLS side of a server that bears the names.
func (a *authority) server(t *testing.T, names ...string) *tls.Config {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour)}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, name)
		}
	}
	der, key := a.issue(t, c)
	return &tls.Config{Certificates: []tls.Certificate{
		{Certificate: [][]byte{der}, PrivateKey: key},
	}}
}

// server is a submission server whose answers a test chooses.
type server struct {
	tls        *tls.Config      // nil: it has none
	implicit   bool             // TLS at once
	insecure   bool             // offers to sign in without TLS
	mechanisms []string         // none: nobody can sign in
	refuse     map[string]error // by address, of sender or recipient
	content    error            // the answer to the message

	mu     sync.Mutex
	seen   []received
	signed []string // passwords that arrived
}

type received struct {
	from, user string
	to         []string
	data       string
	secure     bool
}

// start serves until the test ends and gives the options to reach the server.
func (s *server) start(t *testing.T) mail.Options {
	t.Helper()
	l := listen(t)
	host, port := place(t, l)
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{server: s, conn: c}, nil
	}))
	server.Domain, server.AllowInsecureAuth = "mail.test", s.insecure
	server.ErrorLog = quiet{}
	security := mail.NoTLS
	switch {
	case s.implicit:
		security, l = mail.ImplicitTLS, tls.NewListener(l, s.tls)
	case s.tls != nil:
		security, server.TLSConfig = mail.StartTLS, s.tls
	}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(l) }()
	// The server does not know its listener yet when it is closed at once.
	t.Cleanup(func() { server.Close(); l.Close(); <-done })
	return mail.Options{
		Host: host, Port: port, Security: security, From: "Doorward <doorward@example.com>",
		Timeout: 10 * time.Second,
	}
}

func (s *server) messages() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

func (s *server) passwords() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signed
}

// check is what both mechanisms end in.
func (s *server) check(user, pass string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signed = append(s.signed, pass)
	if user != username || pass != password {
		return smtp.ErrAuthFailed
	}
	return nil
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

type session struct {
	server *server
	conn   *smtp.Conn
	now    received
}

func (s *session) AuthMechanisms() []string { return s.server.mechanisms }

func (s *session) Auth(mechanism string) (sasl.Server, error) {
	check := func(_, user, pass string) error {
		s.now.user = user
		return s.server.check(user, pass)
	}
	if mechanism == sasl.Login {
		return &login{check: check}, nil
	}
	return sasl.NewPlainServer(check), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if len(s.server.mechanisms) > 0 && s.now.user == "" {
		return smtp.ErrAuthRequired
	}
	s.now.from = from
	return s.server.refuse[from]
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := s.server.refuse[to]; err != nil {
		return err
	}
	s.now.to = append(s.now.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil || s.server.content != nil {
		return errors.Join(err, s.server.content)
	}
	s.now.data = string(data)
	_, s.now.secure = s.conn.TLSConnectionState()
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.seen = append(s.server.seen, s.now)
	return nil
}

func (s *session) Reset()        { s.now = received{user: s.now.user} }
func (s *session) Logout() error { return nil }

// login is the mechanism LOGIN, which the library leaves to us.
type login struct {
	check func(identity, user, pass string) error
	user  string
	step  int
}

func (l *login) Next(response []byte) ([]byte, bool, error) {
	l.step++
	switch l.step {
	case 1:
		return []byte("User Name\x00"), false, nil // as Exchange asks
	case 2:
		l.user = string(response)
		return []byte("Password\x00"), false, nil
	}
	return nil, true, l.check("", l.user, string(response))
}

// script is a server that says lines whatever it hears: it sends one, then reads
// one, and so on. At the end it keeps quiet until the client leaves. It returns
// the options to reach it and what it heard.
func script(t *testing.T, lines ...string) (mail.Options, func() string) {
	t.Helper()
	l := listen(t)
	var heard strings.Builder
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		buf := make([]byte, 4096)
		for _, line := range lines {
			io.WriteString(conn, line)
			n, err := conn.Read(buf)
			heard.Write(buf[:n])
			if err != nil {
				return
			}
		}
		io.Copy(&heard, conn)
	}()
	stop := func() string { l.Close(); <-done; return heard.String() }
	t.Cleanup(func() { stop() })
	host, port := place(t, l)
	return mail.Options{
		Host: host, Port: port, From: "doorward@example.com", Timeout: 10 * time.Second,
	}, stop
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func place(t *testing.T, l net.Listener) (string, int) {
	t.Helper()
	address := l.Addr().(*net.TCPAddr)
	return address.IP.String(), address.Port
}

func hello() mail.Message {
	return mail.Message{To: []string{"ops@example.com"}, Subject: "Hello", Text: "Hello.\n"}
}

// send makes a sender and sends one message.
func send(t *testing.T, o mail.Options, m mail.Message) error {
	t.Helper()
	s, err := mail.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s.Send(t.Context(), m)
}
