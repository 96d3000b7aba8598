package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

const (
	// ticketVersion begins every ticket, so that a later form can be told apart.
	ticketVersion = '1'
	half          = 16
	// TicketSize is the length of a ticket's text: the version and 32 bytes as
	// base64url. No other length is a ticket.
	TicketSize = 1 + 43
)

// ticketID is the half of a ticket that it is looked up by.
type ticketID [half]byte

// ticket is what names a session on one host.
type ticket struct {
	ID   ticketID          `json:"i"`
	Hash [sha256.Size]byte `json:"h"` // of the secret half
	Host string            `json:"a"`
}

// lastSigns are what a ticket may end with: its last sign has two bits for nothing,
// which others would spell the same bytes by (security case COOK-06).
const lastSigns = "AEIMQUYcgkosw048"

// newTicket makes a ticket for a host, and the text that the browser keeps.
func newTicket(host string) (t ticket, text string) {
	var raw [2 * half]byte
	_, _ = rand.Read(raw[:]) // never fails, by its documentation
	t = ticket{ID: ticketID(raw[:half]), Hash: sha256.Sum256(raw[half:]), Host: host}
	b := make([]byte, 1, TicketSize)
	b[0] = ticketVersion
	return t, string(base64.RawURLEncoding.AppendEncode(b, raw[:]))
}

// Plausible tells whether a text may be a ticket, of whatever session: no other ever will
// be one.
func Plausible(text []byte) bool {
	_, _, ok := parseTicket(text)
	return ok
}

// parseTicket reads the text of a ticket. It allocates nothing.
func parseTicket(text []byte) (id ticketID, hash [sha256.Size]byte, ok bool) {
	if len(text) != TicketSize || text[0] != ticketVersion ||
		strings.IndexByte(lastSigns, text[TicketSize-1]) < 0 {
		return id, hash, false
	}
	var raw [2*half + 1]byte // the library wants room for what is not there
	for _, c := range text {
		if c == '\r' || c == '\n' { // which it reads over
			return id, hash, false
		}
	}
	if n, err := base64.RawURLEncoding.Decode(raw[:], text[1:]); err != nil || n != 2*half {
		return id, hash, false
	}
	return ticketID(raw[:half]), sha256.Sum256(raw[half : 2*half]), true
}
