package mail_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"doorward/mail"
)

func TestSend(t *testing.T) {
	ca := newAuthority(t)
	config := ca.server(t, "127.0.0.1")
	plain, login := []string{"X-NEW", "PLAIN"}, []string{"LOGIN"}
	for name, c := range map[string]struct {
		server *server
		signIn bool
		secure bool
	}{
		"starttls and PLAIN":     {&server{tls: config, mechanisms: plain}, true, true},
		"starttls and LOGIN":     {&server{tls: config, mechanisms: login}, true, true},
		"starttls, nobody asked": {&server{tls: config}, false, true},
		"tls and PLAIN": {
			&server{tls: config, implicit: true, mechanisms: plain}, true, true,
		},
		"tls and LOGIN": {
			&server{tls: config, implicit: true, mechanisms: login}, true, true,
		},
		"none":           {&server{}, false, false},
		"none and PLAIN": {&server{insecure: true, mechanisms: plain}, true, false},
		"none and LOGIN": {&server{insecure: true, mechanisms: login}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := c.server.start(t)
			o.CAFile = ca.file
			if c.signIn {
				o.Username, o.Password = username, password
			}
			m := hello()
			m.To = []string{"ops@example.com", "Boss <boss@example.com>"}
			if err := send(t, o, m); err != nil {
				t.Fatalf("Send: %v", err)
			}
			got := c.server.messages()
			if len(got) != 1 {
				t.Fatalf("%d messages arrived, want 1", len(got))
			}
			if got[0].from != "doorward@example.com" || got[0].secure != c.secure ||
				!slices.Equal(got[0].to, []string{"ops@example.com", "boss@example.com"}) {
				t.Errorf("arrived: %+v, want it secure: %v", got[0], c.secure)
			}
			var want []string
			if c.signIn {
				want = []string{password}
			}
			if signed := c.server.passwords(); !slices.Equal(signed, want) {
				t.Errorf("passwords that arrived: %q, want %q", signed, want)
			}
		})
	}
}

func TestSenderServesManyAtOnce(t *testing.T) {
	ca := newAuthority(t)
	server := server{tls: ca.server(t, "127.0.0.1")}
	o := server.start(t)
	o.CAFile = ca.file
	s, err := mail.New(o)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if err := s.Send(t.Context(), hello()); err != nil {
				t.Errorf("Send: %v", err)
			}
		})
	}
	group.Wait()
	if n := len(server.messages()); n != 8 {
		t.Errorf("%d messages arrived, want 8", n)
	}
}

// Each error names the server, the phase and a mend, and knows whether to try
// again is of use.
func TestSendError(t *testing.T) {
	ca := newAuthority(t)
	config := ca.server(t, "127.0.0.1")
	refused := func(code int, text string) error {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.NoEnhancedCode, Message: text}
	}
	for name, c := range map[string]struct {
		server    *server
		change    func(*mail.Options)
		phase     mail.Phase
		code      int
		temporary bool
		mend      string
	}{
		"wrong password": {
			server: &server{tls: config, mechanisms: []string{"PLAIN"}},
			change: func(o *mail.Options) { o.Password = "other" },
			phase:  mail.PhaseSignIn, code: 535, mend: "check mail.username and mail.password",
		},
		"no mechanism that we know": {
			server: &server{tls: config, mechanisms: []string{"GSSAPI"}},
			phase:  mail.PhaseSignIn, mend: "leave out mail.username",
		},
		"sender refused": {
			server: &server{tls: config, mechanisms: []string{"PLAIN"}, refuse: map[string]error{
				"doorward@example.com": refused(550, "5.7.60 not your address"),
			}},
			phase: mail.PhaseSender, code: 550, mend: `"doorward@example.com": check mail.from`,
		},
		"busy": {
			server: &server{tls: config, mechanisms: []string{"PLAIN"}, refuse: map[string]error{
				"doorward@example.com": refused(451, "come back later"),
			}},
			phase: mail.PhaseSender, code: 451, temporary: true, mend: "check mail.from",
		},
		"recipient refused": {
			server: &server{tls: config, mechanisms: []string{"PLAIN"}, refuse: map[string]error{
				"ops@example.com": refused(550, "nobody here"),
			}},
			phase: mail.PhaseRecipients, code: 550, mend: "mail from here: ops@example.com",
		},
		"message refused": {
			server: &server{
				tls: config, mechanisms: []string{"PLAIN"},
				content: refused(554, "looks like spam"),
			},
			phase: mail.PhaseMessage, code: 554, mend: "look for its reason there",
		},
		"starttls where TLS is at once": {
			server: &server{tls: config, implicit: true, mechanisms: []string{"PLAIN"}},
			change: func(o *mail.Options) {
				o.Security, o.Timeout = mail.StartTLS, 100*time.Millisecond
			},
			phase: mail.PhaseGreeting, temporary: true, mend: `mail.security = "tls"`,
		},
		"TLS at once where starttls is needed": {
			server: &server{tls: config, mechanisms: []string{"PLAIN"}},
			change: func(o *mail.Options) { o.Security = mail.ImplicitTLS },
			phase:  mail.PhaseTLS, mend: `mail.security = "starttls"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := c.server.start(t)
			o.CAFile, o.Username, o.Password = ca.file, username, password
			if c.change != nil {
				c.change(&o)
			}
			err := send(t, o, hello())
			e, ok := errors.AsType[*mail.SendError](err)
			if !ok {
				t.Fatalf("Send = %v, want a SendError", err)
			}
			if e.Phase != c.phase || e.Code != c.code || e.Temporary() != c.temporary ||
				!slices.Equal(e.Undelivered, []string{"ops@example.com"}) {
				t.Errorf("phase %q, code %d, temporary %v, undelivered %q, want %q, %d, %v, ops",
					e.Phase, e.Code, e.Temporary(), e.Undelivered, c.phase, c.code, c.temporary)
			}
			for _, want := range []string{"127.0.0.1:", string(c.phase) + ": ", c.mend} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not contain %q", err, want)
				}
			}
			if n := len(c.server.messages()); n != 0 {
				t.Errorf("%d messages arrived all the same", n)
			}
		})
	}
}

func TestOneRefusedRecipientDoesNotStopTheOthers(t *testing.T) {
	server := server{refuse: map[string]error{
		"gone@example.com":  &smtp.SMTPError{Code: 550, Message: "nobody here"},
		"later@example.com": &smtp.SMTPError{Code: 450, Message: "greylisted"},
	}}
	m := hello()
	m.To = []string{"gone@example.com", "ops@example.com", "Later <later@example.com>"}
	err := send(t, server.start(t), m)
	e, ok := errors.AsType[*mail.SendError](err)
	want := []string{"gone@example.com", "Later <later@example.com>"}
	if !ok || e.Code != 450 || !e.Temporary() || !slices.Equal(e.Undelivered, want) {
		t.Errorf("Send = %v with %+v, want code 450, undelivered %q", err, e, want)
	}
	got := server.messages()
	if len(got) != 1 || !slices.Equal(got[0].to, []string{"ops@example.com"}) {
		t.Errorf("arrived: %+v, want one message for ops", got)
	}
}

func TestNoServer(t *testing.T) {
	l := listen(t)
	host, port := place(t, l)
	l.Close()
	err := send(t, mail.Options{Host: host, Port: port, From: "d@example.com"}, hello())
	e, ok := errors.AsType[*mail.SendError](err)
	if !ok || e.Phase != mail.PhaseConnect || !e.Temporary() ||
		!strings.Contains(err.Error(), "mail.port") {
		t.Errorf("Send = %v, want a temporary error of the phase connect with mail.port", err)
	}
}

// A server that hangs, in whatever phase, holds a message no longer than Timeout.
func TestTimeout(t *testing.T) {
	ehlo := "250-mail.test\r\n250 STARTTLS\r\n"
	for phase, lines := range map[mail.Phase][]string{
		mail.PhaseGreeting:   {},
		mail.PhaseTLS:        {"220 hi\r\n", ehlo, "220 go ahead\r\n"},
		mail.PhaseSender:     {"220 hi\r\n", "250 mail.test\r\n"},
		mail.PhaseRecipients: {"220 hi\r\n", "250 mail.test\r\n", "250 ok\r\n"},
		mail.PhaseMessage:    {"220 hi\r\n", "250 mail.test\r\n", "250 ok\r\n", "250 ok\r\n"},
	} {
		t.Run(string(phase), func(t *testing.T) {
			o, _ := script(t, lines...)
			o.Timeout = 50 * time.Millisecond
			if phase != mail.PhaseTLS {
				o.Security = mail.NoTLS
			}
			err := send(t, o, hello())
			e, ok := errors.AsType[*mail.SendError](err)
			if !ok || e.Phase != phase || !e.Temporary() ||
				!errors.Is(err, context.DeadlineExceeded) ||
				!strings.Contains(err.Error(), "not done within 50ms") {
				t.Errorf("Send = %v, want a timeout in the phase %q", err, phase)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	l := listen(t)
	host, port := place(t, l)
	s, err := mail.New(mail.Options{Host: host, Port: port, From: "doorward@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, _ := l.Accept()
		cancel()
		accepted <- conn
	}()
	if err := s.Send(ctx, hello()); !errors.Is(err, context.Canceled) {
		t.Errorf("Send = %v, want that it was cancelled", err)
	}
	(<-accepted).Close()
}

// The message is the server's with its answer to it. An error after that would
// have it sent again.
func TestGoodbyeMayFail(t *testing.T) {
	o, heard := script(t, "220 hi\r\n", "250-mail.test\r\n250 SMTPUTF8\r\n", "250 ok\r\n", "250 ok\r\n",
		"354 go on\r\n", "250 taken\r\n", "500 what?\r\n")
	o.Security = mail.NoTLS
	if err := send(t, o, hello()); err != nil {
		t.Errorf("Send: %v", err)
	}
	if text := heard(); !strings.Contains(text, "QUIT\r\n") || strings.Contains(text, "UTF8") ||
		!strings.Contains(text, "EHLO [127.0.0.1]\r\n") {
		t.Errorf("the server heard %q", text)
	}
}

func TestOptions(t *testing.T) {
	good := mail.Options{Host: "mail.example.com", From: "doorward@example.com"}
	for name, c := range map[string]struct {
		change func(*mail.Options)
		want   string // "": it is fine
	}{
		"the least":          {func(*mail.Options) {}, ""},
		"no host":            {func(o *mail.Options) { o.Host = "" }, "host"},
		"host of two lines":  {func(o *mail.Options) { o.Host = "a\r\nb" }, "host"},
		"host with port":     {func(o *mail.Options) { o.Host = "mail.test:587" }, "host"},
		"bad port":           {func(o *mail.Options) { o.Port = 70000 }, "port 70000"},
		"bad security":       {func(o *mail.Options) { o.Security = "ssl" }, "use starttls"},
		"no from":            {func(o *mail.Options) { o.From = "" }, "from"},
		"negative timeout":   {func(o *mail.Options) { o.Timeout = -1 }, "timeout"},
		"user, no password":  {func(o *mail.Options) { o.Username = "me" }, "password"},
		"password, no user":  {func(o *mail.Options) { o.Password = "p" }, "username"},
		"no such CA file":    {func(o *mail.Options) { o.CAFile = "missing.pem" }, "missing.pem"},
		"CA file of rubbish": {func(o *mail.Options) { o.CAFile = "send_test.go" }, "PEM"},
		"clear password": {func(o *mail.Options) {
			o.Username, o.Password, o.Security = "me", "secret", mail.NoTLS
		}, "use starttls or tls"},
		"clear password on this machine": {func(o *mail.Options) {
			o.Host, o.Username, o.Password, o.Security = "::1", "me", "secret", mail.NoTLS
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			c.change(&o)
			_, err := mail.New(o)
			if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, mail.ErrOption) ||
				!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret")) {
				t.Errorf("New = %v, want %q", err, c.want)
			}
		})
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	ca := newAuthority(t)
	config := ca.server(t, "127.0.0.1")
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	for _, implicit := range []bool{false, true} {
		server := server{tls: config, implicit: implicit, mechanisms: []string{"PLAIN"}}
		o := server.start(t)
		o.CAFile, o.Username, o.Password = ca.file, username, password
		err := send(t, o, hello())
		if e, ok := errors.AsType[*mail.SendError](err); !ok || e.Phase != mail.PhaseTLS ||
			!strings.Contains(err.Error(), "TLS 1.2") || len(server.passwords()) != 0 {
			t.Errorf("Send to a server with TLS 1.1 = %v", err)
		}
	}
}
