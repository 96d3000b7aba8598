package config

import (
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// mail checks how mail is sent.
func (v *validator) mail() {
	m := &v.cfg.Mail
	p := v.root.key("mail")
	if !p.given || p.node.kind != tableKind {
		return
	}
	if m.Host == "" {
		v.missingf(p, `host = "smtp.example.com"`, "needs a host")
	} else if checkHost(m.Host) != nil {
		v.errorf(p.key("host"), "", "%s is not a host; the port has a key of its own",
			p.key("host").shown())
	}
	if !v.failed[p.key("security").path] {
		v.mailPort(m, p.key("port"))
	}
	user, password := p.key("username"), p.key("password")
	switch hasPassword := m.Password.Reveal() != ""; {
	case v.failed[password.path]:
	case m.Username != "" && !hasPassword:
		v.errorf(user, "", "needs a password")
	case m.Username == "" && hasPassword:
		v.errorf(password, "", "needs a username")
	case hasControl(m.Username) || hasControl(m.Password.Reveal()):
		v.errorf(user, "", "username or password has a control character")
	case m.Security != "none" || isThisMachine(m.Host):
	case hasPassword:
		v.errorf(p.key("security"), `write "starttls" or "tls"`,
			"everybody on the way to %s could read the password", p.key("host").shown())
	default:
		v.warnf(p.key("security"), "everybody on the way can read and change the mail")
	}
	if at := p.key("from"); !at.given {
		v.missingf(p, `from = "doorward@example.com"`, "needs a sender")
	} else if !isMailbox(m.From) {
		v.errorf(at, `write "doorward@example.com"`, "%s is not an address for mail", at.shown())
	}
}

// isThisMachine reports whether a mail server cannot be elsewhere, whatever names
// stand for here: package mail sends no password without TLS to any other.
func isThisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// mailPort fills in the port that belongs to the kind of security.
func (v *validator) mailPort(m *Mail, p place) {
	const submissions = 465
	switch {
	case m.Security == "tls" && !p.given:
		m.Port = submissions
	case m.Security == "none" && !p.given:
		m.Port = 25
	case m.Security == "starttls" && m.Port == submissions:
		v.warnf(p, `mail servers expect security = "tls" on this port`)
	case m.Security == "tls" && m.Port != submissions:
		v.warnf(p, `mail servers expect security = "starttls" on most ports but 465`)
	}
}

// maxRecipients is what every mail server takes (RFC 5321 section 4.5.3.1.8).
const maxRecipients = 100

// alerts checks who is told about changes.
func (v *validator) alerts() {
	a := &v.cfg.Alerts
	p := v.root.key("alerts")
	if at := p.key("mail"); len(a.Mail) > 0 && !v.root.key("mail").given {
		v.errorf(at, "", "needs the table [mail]")
	}
	for i, address := range a.Mail {
		if at := p.key("mail").item(i); !isMailbox(address) {
			v.errorf(at, `write "ops@example.com"`, "%s is not an address for mail", at.shown())
		}
	}
	v.duplicates(a.Mail, p.key("mail"))
	if len(a.Mail) > maxRecipients {
		v.errorf(p.key("mail").item(maxRecipients), "name a mailing list",
			"mail servers take a mail for up to %d addresses", maxRecipients)
	}
	v.webhook(a.Webhook.Reveal(), p.key("webhook"))
	if at := p.key("delay"); a.Delay > Delay(time.Hour) {
		v.errorf(at, "", "%s is longer than 1h", at.shown())
	}
}

// webhook checks a URL that is never shown: most hold a secret.
func (v *validator) webhook(text string, p place) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Opaque != "" || strings.ContainsFunc(text, notPrintable):
		v.errorf(p, `write "https://hooks.example.com/..."`, "is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		v.errorf(p, "", "the URL must begin with https://")
	case checkHost(u.Hostname()) != nil || strings.HasSuffix(u.Host, ":") ||
		u.Port() != "" && hostPort(u.Host) != nil:
		v.errorf(p, "", "the URL has no valid host and port")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		v.warnf(p, "everybody on the way can read what is sent over plain HTTP; use https://")
	}
}

// maxMailbox is the longest address (RFC 5321 section 4.5.3.1.3).
const maxMailbox = 254

// mailbox is an address without quotes and comments: what nobody has, but what
// has carried commands into mail servers.
var mailbox = regexp.MustCompile(
	`^[A-Za-z0-9!#$%&'*+/=?^_{|}~.-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)

// isMailbox reports whether text is "name@example.com", with a name for people
// before it in the form "Name <name@example.com>" or without.
func isMailbox(text string) bool {
	parsed, err := mail.ParseAddress(text)
	if err != nil || strings.ContainsFunc(text, notPrintable) ||
		strings.ContainsFunc(parsed.Name, notPrintable) {
		return false
	}
	// RFC 5322 knows groups and comments too, which nobody means.
	alone := text == parsed.Address || strings.HasSuffix(text, "<"+parsed.Address+">")
	return alone && len(parsed.Address) <= maxMailbox && mailbox.MatchString(parsed.Address)
}
