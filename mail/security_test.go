package mail_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"doorward/mail"
)

// Whoever is between us and the server can take the word STARTTLS out of its
// answers. The password and the message must not leave then.
func TestStrippedSTARTTLS(t *testing.T) {
	t.Run("not offered", func(t *testing.T) {
		server := server{insecure: true, mechanisms: []string{"PLAIN", "LOGIN"}}
		o := server.start(t)
		o.Security, o.Username, o.Password = mail.StartTLS, username, password
		refusedBeforeTLS(t, send(t, o, hello()))
		if len(server.passwords()) != 0 || len(server.messages()) != 0 {
			t.Errorf("the server got passwords %q and messages %v",
				server.passwords(), server.messages())
		}
	})
	ehlo := "250-mail.test\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n"
	for name, lines := range map[string][]string{
		"offered and refused": {"220 hi\r\n", ehlo, "454 not now\r\n", "250 ok\r\n"},
		"no extensions":       {"220 hi\r\n", "502 no EHLO\r\n", "250 mail.test\r\n", "250 ok\r\n"},
		"answers in advance": {"220 hi\r\n", ehlo, "220 go ahead\r\n" +
			"250-mail.test\r\n250 AUTH PLAIN\r\n235 welcome\r\n250 ok\r\n250 ok\r\n354 go\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			o, heard := script(t, lines...)
			o.Username, o.Password = username, password
			if name == "answers in advance" {
				o.Timeout = 100e6 // the rest of the handshake never comes
			}
			refusedBeforeTLS(t, send(t, o, hello()))
			if text := heard(); strings.Contains(text, "AUTH") || strings.Contains(text, "MAIL") {
				t.Errorf("the server heard %q", text)
			}
		})
	}
}

func refusedBeforeTLS(t *testing.T, err error) {
	t.Helper()
	if e, ok := errors.AsType[*mail.SendError](err); !ok || e.Phase != mail.PhaseTLS {
		t.Errorf("Send = %v, want an error of the phase TLS", err)
	}
}

func TestServerMustBeWhoItIsTakenFor(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	for name, c := range map[string]struct {
		file  string
		names []string
	}{
		"another name":      {ca.file, []string{"other.test"}},
		"another authority": {other.file, []string{"127.0.0.1"}},
		"not of the system": {"", []string{"127.0.0.1"}},
	} {
		for _, implicit := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				server := server{
					tls: ca.server(t, c.names...), implicit: implicit,
					mechanisms: []string{"PLAIN"},
				}
				o := server.start(t)
				o.CAFile, o.Username, o.Password = c.file, username, password
				err := send(t, o, hello())
				refusedBeforeTLS(t, err)
				if e, ok := errors.AsType[*mail.SendError](err); !ok || e.Temporary() ||
					!strings.Contains(err.Error(), "mail.host must be a name in") {
					t.Errorf("Send = %v, want a lasting error about the certificate", err)
				}
				if len(server.passwords()) != 0 || len(server.messages()) != 0 {
					t.Error("password or message were given away")
				}
			})
		}
	}
}

// Servers repeat lines that they do not understand, and those end in logs.
func TestErrorsHideThePassword(t *testing.T) {
	encode := base64.StdEncoding.EncodeToString
	plain := encode([]byte("\x00" + username + "\x00" + password))
	for _, reply := range []string{
		"535 no: AUTH PLAIN " + plain, "535 no: " + encode([]byte(password)),
		"535-wrong\r\n535 password " + password, "334 !" + plain, "nonsense " + plain,
	} {
		o, _ := script(t, "220 hi\r\n", "250-mail.test\r\n250 AUTH PLAIN\r\n", reply+"\r\n",
			"500 what?\r\n", "221 bye\r\n")
		o.Security, o.Username, o.Password = mail.NoTLS, username, password
		err := send(t, o, hello())
		e, ok := errors.AsType[*mail.SendError](err)
		if !ok || e.Phase != mail.PhaseSignIn {
			t.Fatalf("Send = %v, want an error of the phase sign in", err)
		}
		for inner := error(e); inner != nil; inner = errors.Unwrap(inner) {
			for _, secret := range []string{plain, password, encode([]byte(password)), "\n"} {
				if strings.Contains(inner.Error(), secret) {
					t.Errorf("reply %q: the error is %q", reply, inner)
				}
			}
		}
	}
}

func TestServerThatDoesNotStopTalking(t *testing.T) {
	o, _ := script(t, strings.Repeat("220-"+strings.Repeat("x", 1000)+"\r\n", 2000))
	err := send(t, o, hello())
	if e, ok := errors.AsType[*mail.SendError](err); !ok || e.Phase != mail.PhaseGreeting ||
		!strings.Contains(err.Error(), "does not stop talking") || len(err.Error()) > 500 {
		t.Errorf("Send = %.600v, want an end to the greeting", err)
	}
}

func TestSecurity(t *testing.T) {
	t.Run("LOC-31_mail_header_injection", func(t *testing.T) {
		server := server{}
		o := server.start(t)
		for _, address := range []string{
			"user@x.test\r\nBcc: evil@x.test", "user@x.test\nRCPT TO:<evil@x.test>",
			"user@x.test>\r\nDATA", "user\x00@x.test", "\"a> RCPT=<b\"@x.test",
			`"toni@x.test> ORCPT=admin@x.test"@x.test`, "user@x.test, evil@x.test",
			"evil: user@x.test;", "<user@x.test> <evil@x.test>", "user@[127.0.0.1]",
			"=?utf-8?q?Ops=0D=0ABcc:_evil@x.test?= <user@x.test>", "user@x.test\u2028",
			"us\u00e9r@x.test", "user@@x.test", "user@", "", "\xff@x.test",
			"\"Ops\r\n Bcc: evil@x.test\" <user@x.test>", strings.Repeat("a", 300) + "@x.test",
		} {
			m := hello()
			m.To = []string{"ops@example.com", address}
			refusedMessage(t, send(t, o, m), address)
			o := o
			o.From = address
			if _, err := mail.New(o); err == nil {
				t.Errorf("New takes %q as sender", address)
			}
		}
		for _, subject := range []string{
			"Hi\r\nBcc: evil@x.test", "Hi\nBcc: evil@x.test", "Hi\rthere", "Hi\x00",
			"Hi\u0085there", "Hi\u2028there", "Hi\xff", "\u202eih",
		} {
			m := hello()
			m.Subject = subject
			refusedMessage(t, send(t, o, m), subject)
		}
		if n := len(server.messages()); n != 0 {
			t.Errorf("%d messages arrived", n)
		}
	})
	t.Run("LOC-31_text_stays_text", func(t *testing.T) {
		server := server{}
		m := hello()
		m.Text = "one\n.\nQUIT\n..two\r\n.\r\nMAIL FROM:<evil@x.test>\r\n"
		if err := send(t, server.start(t), m); err != nil {
			t.Fatal(err)
		}
		got := server.messages()
		if len(got) != 1 || got[0].from != "doorward@example.com" {
			t.Fatalf("arrived: %+v, want one message of ours", got)
		}
		want := "one\r\n.\r\nQUIT\r\n..two\r\n.\r\nMAIL FROM:<evil@x.test>\r\n"
		if _, body := parsed(t, got[0].data); body != want {
			t.Errorf("the text is %q, want %q", body, want)
		}
	})
}

func refusedMessage(t *testing.T, err error, what string) {
	t.Helper()
	if !errors.Is(err, mail.ErrMessage) || strings.ContainsAny(err.Error(), "\r\n") {
		t.Errorf("Send with %q = %v, want that the message is refused, in one line", what, err)
	}
}
