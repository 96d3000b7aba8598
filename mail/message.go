package mail

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	netmail "net/mail"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"
)

// MaxRecipients is how many recipients one message may have: what every server
// must take (RFC 5321, section 4.5.3.1.8).
const MaxRecipients = 100

const (
	maxSubject = 200 // characters
	maxAddress = 254 // what fits a path, RFC 5321 section 4.5.3.1.3
)

// ErrMessage is in every error about a message that was not even begun to be
// sent. To try again is of no use.
var ErrMessage = errors.New("mail message")

// Message is one mail. All recipients see each other: for strangers send one
// each.
type Message struct {
	// To has 1 to 100 addresses, "ops@example.com" or "Ops <ops@example.com>".
	To []string
	// Subject is one line of at most 200 characters. Line breaks and other control
	// characters are refused.
	Subject string
	// Text is the message as plain text, lines ending with "\n". Required.
	Text string
	// HTML is the same for readers that show it; "": there is none. The caller
	// escapes what it puts in.
	HTML string
}

// letter is a message in the form that it travels in.
type letter struct {
	to   []netmail.Address
	data []byte
}

// compose writes the message out. What it refuses says why without being sent.
func (s *Sender) compose(m Message) (letter, error) {
	to, err := recipients(m.To)
	if err == nil {
		err = m.check()
	}
	if err != nil {
		return letter{}, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	var data bytes.Buffer
	if _, err := s.write(m, to).WriteTo(&data); err != nil {
		return letter{}, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	return letter{to: to, data: data.Bytes()}, nil
}

func (m Message) check() error {
	switch {
	case !utf8.ValidString(m.Subject) || strings.ContainsFunc(m.Subject, notPrintable):
		return fmt.Errorf("subject %q: only printable characters are allowed", m.Subject)
	case utf8.RuneCountInString(m.Subject) > maxSubject:
		return fmt.Errorf("subject %.40q...: more than %d characters", m.Subject, maxSubject)
	case m.Text == "":
		return errors.New("there is no text")
	}
	return nil
}

func (s *Sender) write(m Message, to []netmail.Address) *gomail.Msg {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(&s.from)
	for i := range to {
		msg.AddToMailAddress(&to[i])
	}
	msg.Subject(m.Subject)
	_, domain, _ := strings.Cut(s.from.Address, "@")
	// By default the library tells the name of this machine and its process id.
	msg.SetMessageIDWithValue(rand.Text() + "@" + domain)
	// No answer from somebody's holiday (RFC 3834, section 5.2; the other one is
	// what Exchange goes by).
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader(gomail.HeaderXAutoResponseSuppress, "All")
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return msg
}

func recipients(list []string) ([]netmail.Address, error) {
	if len(list) == 0 || len(list) > MaxRecipients {
		return nil, fmt.Errorf("%d recipients: 1 to %d are possible", len(list), MaxRecipients)
	}
	to := make([]netmail.Address, 0, len(list))
	for _, text := range list {
		address, err := parseAddress(text)
		if err != nil {
			return nil, fmt.Errorf("recipient: %w", err)
		}
		to = append(to, address)
	}
	return to, nil
}

// plainAddress leaves out what RFC 5321 would allow: quoted local parts, which
// have carried further commands into other senders (GO-2025-3988), addresses of
// machines, and letters that only some servers can pass on (RFC 6531).
var plainAddress = regexp.MustCompile(
	`^[A-Za-z0-9!#$%&'*+/=?^_{|}~.-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)

// CheckAddress says what is wrong with an address for Message.To or
// Options.From; nil: nothing that can be seen without sending.
func CheckAddress(text string) error {
	_, err := parseAddress(text)
	return err
}

func parseAddress(text string) (netmail.Address, error) {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, notPrintable) {
		return netmail.Address{}, fmt.Errorf("address %q has characters that no address has", text)
	}
	address, err := netmail.ParseAddress(text)
	switch {
	case err != nil || text != address.Address && !strings.HasSuffix(text, "<"+address.Address+">"):
		// RFC 5322 knows groups and comments too, which nobody means.
		return netmail.Address{}, fmt.Errorf(`address %q: use the form "name@example.com"`, text)
	case strings.ContainsFunc(address.Name, notPrintable): // it may have been encoded
		return netmail.Address{}, fmt.Errorf("address %q has a name with control characters", text)
	case len(address.Address) > maxAddress || !plainAddress.MatchString(address.Address):
		return netmail.Address{}, fmt.Errorf("address %q: only the letters A to Z, digits and"+
			" usual signs are possible; write other domains in their xn-- form", text)
	}
	return *address, nil
}

// notPrintable holds for control characters, line separators and what changes
// the direction of writing: nothing that belongs in one line.
func notPrintable(r rune) bool {
	return !unicode.IsGraphic(r) || unicode.In(r, unicode.Zl, unicode.Zp)
}
