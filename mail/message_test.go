package mail_test

import (
	"bufio"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"os"
	"strings"
	"testing"
	"time"

	"doorward/mail"
)

// parsed reads a message that has one part.
func parsed(t *testing.T, data string) (netmail.Header, string) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatalf("the message does not parse: %v\n%s", err, data)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	return m.Header, string(body)
}

func TestMessage(t *testing.T) {
	server := server{}
	o := server.start(t)
	o.From = `"Türhüter" <doorward@example.com>`
	subject := "Störung: app/web1 ist weg " + strings.Repeat("ä", 100)
	text := "Grüße\n" + strings.Repeat("lang ", 500) + "\n"
	err := send(t, o, mail.Message{
		To:      []string{"ops@example.com", `"Böse, Bob" <bob@example.com>`},
		Subject: subject, Text: text,
	})
	if err != nil {
		t.Fatal(err)
	}
	data := server.messages()[0].data
	lines := bufio.NewScanner(strings.NewReader(data))
	for lines.Scan() {
		if line := lines.Text(); len(line) > 78 || strings.ContainsFunc(line, notASCII) {
			t.Errorf("a line of %d bytes: %q", len(line), line)
		}
	}
	header, body := parsed(t, data)
	if body != strings.ReplaceAll(text, "\n", "\r\n") {
		t.Errorf("the text is %q", body)
	}
	if got, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject")); got != subject {
		t.Errorf("the subject is %q (%v), want %q", got, err, subject)
	}
	from, _ := header.AddressList("From")
	to, _ := header.AddressList("To")
	if len(from) != 1 || from[0].Name != "Türhüter" || len(to) != 2 || to[1].Name != "Böse, Bob" {
		t.Errorf("from %v, to %v", from, to)
	}
	checkHeader(t, header)
}

func notASCII(r rune) bool { return r > 126 }

// checkHeader looks at what every message bears, and what none may tell.
func checkHeader(t *testing.T, header netmail.Header) {
	t.Helper()
	if date, err := header.Date(); err != nil || time.Since(date) > time.Minute {
		t.Errorf("date %v, %v", date, err)
	}
	if id := header.Get("Message-Id"); !strings.HasSuffix(id, "@example.com>") || len(id) < 30 {
		t.Errorf("message id %q", id)
	}
	if got := header.Get("Auto-Submitted"); got != "auto-generated" {
		t.Errorf("Auto-Submitted: %q", got)
	}
	host, _ := os.Hostname()
	for name, values := range header {
		if strings.Contains(strings.ToLower(name+values[0]), "go-mail") ||
			host != "" && strings.Contains(values[0], host) {
			t.Errorf("%s: %s tells strangers what runs here", name, values[0])
		}
	}
}

func TestHTML(t *testing.T) {
	server := server{}
	m := hello()
	m.HTML = "<p>Hello&nbsp;ö.</p>\n"
	if err := send(t, server.start(t), m); err != nil {
		t.Fatal(err)
	}
	message, err := netmail.ReadMessage(strings.NewReader(server.messages()[0].data))
	if err != nil {
		t.Fatal(err)
	}
	kind, parameters, _ := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if kind != "multipart/alternative" {
		t.Fatalf("content type %q", kind)
	}
	parts := multipart.NewReader(message.Body, parameters["boundary"])
	for _, want := range [][2]string{
		{"text/plain; charset=UTF-8", "Hello.\r\n"},
		{"text/html; charset=UTF-8", "<p>Hello&nbsp;ö.</p>\r\n"},
	} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(part)
		if got := part.Header.Get("Content-Type"); got != want[0] || string(body) != want[1] {
			t.Errorf("part %q with %q, want %q", got, body, want)
		}
	}
}

func TestMessagesThatAreRefused(t *testing.T) {
	for name, change := range map[string]func(*mail.Message){
		"no recipient":        func(m *mail.Message) { m.To = nil },
		"too many recipients": func(m *mail.Message) { m.To = make([]string, 101) },
		"no text":             func(m *mail.Message) { m.Text, m.HTML = "", "<p>Hello</p>" },
		"endless subject":     func(m *mail.Message) { m.Subject = strings.Repeat("x", 201) },
	} {
		t.Run(name, func(t *testing.T) {
			m := hello()
			change(&m)
			server := server{}
			refusedMessage(t, send(t, server.start(t), m), name)
		})
	}
}

func TestCheckAddress(t *testing.T) {
	for _, good := range []string{
		"a@b", "ops@example.com", "ops+edge@sub.example.com", "Ops <ops@example.com>",
		`"Ops, all" <ops@xn--bcher-kva.example>`, "<ops@example.com>", "Türhüter <ops@example.com>",
	} {
		if err := mail.CheckAddress(good); err != nil {
			t.Errorf("CheckAddress(%q) = %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "ops", "ops@", "@example.com", "a@b, c@d", "ops@bücher.example",
		"Doe, Jo <jo@example.com>", "ops@example.com (Ops)", "ops: ops@example.com;",
	} {
		if err := mail.CheckAddress(bad); err == nil {
			t.Errorf("CheckAddress(%q) finds nothing", bad)
		}
	}
}
