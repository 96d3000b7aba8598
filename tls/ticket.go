package tls

import (
	"crypto/tls"
	"slices"
	"time"
)

// Marks of what a ticket is good for, each followed by what it is about.
const (
	ticketName    = "doorward host "
	ticketClients = "doorward clients "
)

// wrapSession seals a session into a ticket that is good for its host name only, and
// only for as long as the host asks its clients for the same certificates.
// The keys are those of m.tickets, which crypto/tls makes, changes every day,
// and honours for a week; the Managers of one policy share them, so that a
// reload does not cost every client a full handshake.
func (m *Manager) wrapSession(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
	name := canonical(cs.ServerName)
	ss.Extra = append(ss.Extra, []byte(ticketName+name))
	if ca := m.clients.asked([]byte(name)); ca != nil {
		if _, err := ca.Verify(cs.PeerCertificates, time.Now()); err == nil {
			ss.Extra = append(ss.Extra, []byte(ticketClients+ca.id))
		}
	}
	return m.tickets.EncryptTicket(cs, ss)
}

// unwrapSession opens a ticket. One made for another host name (RFC 6066,
// section 3), or for a name that is no longer served, is not honoured: the
// handshake goes on in full and meets the rules in force. Where certificates are
// asked for, neither is one of a client that had shown none, or a bad one: it shall be
// asked again.
func (m *Manager) unwrapSession(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
	ss, err := m.tickets.DecryptTicket(ticket, cs)
	if ss == nil || err != nil {
		return nil, err
	}
	name := canonical(cs.ServerName)
	if m.policy.strictSNI && !m.serves(name) {
		return nil, nil
	}
	if !marked(ss, ticketName+name) {
		return nil, nil
	}
	if ca := m.clients.asked([]byte(name)); ca != nil && !marked(ss, ticketClients+ca.id) {
		return nil, nil
	}
	return ss, nil
}

func marked(ss *tls.SessionState, mark string) bool {
	return slices.ContainsFunc(ss.Extra, func(extra []byte) bool { return string(extra) == mark })
}
