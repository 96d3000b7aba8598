package acme

import "time"

// State is how it stands with a name.
type State string

// The states.
const (
	Ordering State = "ordering" // no certificate yet, none refused
	Ready    State = "ready"    // a certificate, and nothing wrong with its renewal
	Failing  State = "failing"  // the last try failed, with or without a certificate
)

// Status is how it stands with a name.
type Status struct {
	Name      string    // as it was given to Manage
	State     State     // one of those above
	Source    string    // always "acme"
	CA        string    // host of the authority that issued, or is asked first
	Issuer    string    // who signed the certificate; empty: there is none
	NotBefore time.Time // zero: there is no certificate
	NotAfter  time.Time // zero: there is no certificate
	// RenewFrom and RenewUntil are when it will be renewed, as the authority
	// suggests (RFC 9773) or by its age. Zero: there is no certificate.
	RenewFrom, RenewUntil time.Time
	// LastError is why the last try came to nothing, in a line; empty: it did not.
	LastError string
	LastTry   time.Time // that came to nothing; zero: none since the last success
	NextTry   time.Time // zero: one is running, or there will be none
	Failures  int       // since the last success
}

// Status lists all names in their order.
func (m *Manager) Status() []Status {
	all := m.entries()
	list := make([]Status, len(all))
	m.mu.Lock()
	defer m.mu.Unlock()
	for n, e := range all {
		list[n] = m.status(e)
	}
	return list
}

func (m *Manager) status(e *entry) Status {
	s := Status{
		Name: e.name, State: Ordering, Source: "acme", CA: m.issuers[0].host,
		LastError: e.tries.Reason, LastTry: e.tries.Last, NextTry: e.next,
		Failures: e.tries.Failures,
	}
	if e.busy != nil && !e.next.After(time.Now()) {
		s.NextTry = time.Time{}
	}
	if e.stored != nil {
		leaf := e.stored.leaf()
		s.State, s.CA, s.Issuer = Ready, e.stored.issuer.host, leaf.Issuer.String()
		s.NotBefore, s.NotAfter = leaf.NotBefore, leaf.NotAfter
		s.RenewFrom, s.RenewUntil = e.stored.window()
	}
	if e.tries.Failures > 0 {
		s.State = Failing
	}
	return s
}
