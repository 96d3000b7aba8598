package tls

import (
	"bytes"
	"crypto/tls"
)

// ticketName marks the piece of a ticket that holds the host name.
const ticketName = "doorward host "

// wrapSession seals a session into a ticket that is good for its host name only.
// The keys are those of m.tickets, which crypto/tls makes, changes every day,
// and honours for a week; the Managers of one policy share them, so that a
// reload does not cost every client a full handshake.
func (m *Manager) wrapSession(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
	ss.Extra = append(ss.Extra, []byte(ticketName+canonical(cs.ServerName)))
	return m.tickets.EncryptTicket(cs, ss)
}

// unwrapSession opens a ticket. One made for another host name (RFC 6066,
// section 3), or for a name that is no longer served, is not honoured: the
// handshake goes on in full and meets the rules in force.
func (m *Manager) unwrapSession(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
	ss, err := m.tickets.DecryptTicket(ticket, cs)
	if ss == nil || err != nil {
		return nil, err
	}
	name := canonical(cs.ServerName)
	if m.policy.strictSNI && !m.serves(name) {
		return nil, nil
	}
	for _, extra := range ss.Extra {
		if was, ok := bytes.CutPrefix(extra, []byte(ticketName)); ok && string(was) == name {
			return ss, nil
		}
	}
	return nil, nil
}
