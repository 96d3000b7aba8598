package alert_test

import (
	"io"
	"net"
	netmail "net/mail"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"doorward/alert"
	"doorward/mail"
)

// letterbox is a mail server's end of a conversation, for any sender.
type letterbox struct {
	refused string // a recipient
	letters chan string
}

func (b *letterbox) Reset()                               {}
func (b *letterbox) Logout() error                        { return nil }
func (b *letterbox) Mail(string, *smtp.MailOptions) error { return nil }

func (b *letterbox) Rcpt(to string, _ *smtp.RcptOptions) error {
	if to == b.refused {
		return &smtp.SMTPError{Code: 550, Message: "nobody here"}
	}
	return nil
}

func (b *letterbox) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	b.letters <- string(data)
	return err
}

// The way from a change to a mail server of other people's making.
func TestAlertThroughAMailServer(t *testing.T) {
	box := &letterbox{refused: "gone@example.com", letters: make(chan string, 3)}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return box, nil
	}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(l) }()
	defer func() { server.Close(); l.Close(); <-done }()

	sender, err := mail.New(mail.Options{
		Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Security: mail.NoTLS,
		From: "Doorward <doorward@example.com>",
	})
	if err != nil {
		t.Fatal(err)
	}
	to := []string{"gone@example.com", "ops@example.com"}
	a, logged := started(t, alert.Options{Mailer: sender, To: to})
	a.Tell(down())
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	letter, err := netmail.ReadMessage(strings.NewReader(<-box.letters))
	if err != nil {
		t.Fatal(err)
	}
	want := "[doorward edge1] app/web1 DOWN, 2 of 3 servers left"
	if got := letter.Header.Get("Subject"); got != want {
		t.Errorf("subject %q, want %q", got, want)
	}
	lost := logged.FilterMessageSnippet("lost").All()
	if len(lost) != 1 || len(box.letters) != 0 ||
		!strings.Contains(lost[0].ContextMap()["error"].(string), "gone@example.com") {
		t.Errorf("%d more mails, logged %v, want one error that names the refused address",
			len(box.letters), logged.All())
	}
}
