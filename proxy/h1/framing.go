package h1

// message is what request and answer have in common once the fields are read.
type message struct {
	// Fields are the header lines in order.
	Fields []Field
	// Minor is the version: HTTP/1.Minor, 0 or 1.
	Minor int
	// Length is the Content-Length, -1 when there is none.
	Length int64
	// Chunked says that the body is framed by chunks.
	Chunked bool
	// Close says that the connection ends after this message.
	Close bool
	// Upgrade is the one protocol that the message wants to change to, only set
	// when the Connection field says so too.
	Upgrade []byte

	close, keepAlive, upgradeToken bool
	tokens                         int
}

// maxTokens bounds the elements of the Connection fields of a message: each costs
// a walk over all fields.
const maxTokens = 32

// Find returns the value of the first field of the kind.
func (m *message) Find(kind Kind) ([]byte, bool) {
	for i := range m.Fields {
		if m.Fields[i].Kind == kind {
			return m.Fields[i].Value, true
		}
	}
	return nil, false
}

// Get returns the value of the first field of a name given in lower case.
func (m *message) Get(name string) ([]byte, bool) {
	for i := range m.Fields {
		if EqualFold(m.Fields[i].Name, name) {
			return m.Fields[i].Value, true
		}
	}
	return nil, false
}

// framing reads the fields that say where the message ends and what becomes of
// the connection.
func (m *message) framing(protected func(name []byte) bool) error {
	m.Length, m.Chunked, m.Upgrade = -1, false, nil
	m.close, m.keepAlive, m.upgradeToken, m.tokens = false, false, false, 0
	var upgrade []byte
	for i := range m.Fields {
		f := &m.Fields[i]
		var err error
		switch f.Kind {
		case ContentLength:
			err = m.length(f.Value)
		case TransferEncoding:
			err = m.coding(f.Value)
		case Connection:
			err = m.connection(f.Value, protected)
		case Upgrade:
			if upgrade != nil {
				err = errUpgrades
			}
			upgrade = f.Value
		}
		if err != nil {
			return err
		}
	}
	if m.Chunked && m.Length >= 0 {
		return errTwoFramings
	}
	// Close wins over keep-alive, which HTTP/1.0 needs (RFC 9112, section 9.3).
	m.Close = m.close || m.Minor == 0 && !m.keepAlive
	if m.upgradeToken {
		m.Upgrade = upgrade
	}
	return nil
}

func (m *message) length(v []byte) (err error) {
	if m.Length >= 0 {
		return errTwoLengths
	}
	m.Length, err = parseLength(v)
	return err
}

func (m *message) coding(v []byte) error {
	if m.Minor == 0 {
		return errCoding10
	}
	if m.Chunked || !EqualFold(v, "chunked") {
		return errCoding
	}
	m.Chunked = true
	return nil
}

// connection reads one Connection field and marks the fields it names, which
// end here (RFC 9110, section 7.6.1).
func (m *message) connection(v []byte, protected func([]byte) bool) error {
	for ; v != nil; m.tokens++ {
		if m.tokens == maxTokens {
			return errTokens
		}
		var token []byte
		token, v = nextElement(v)
		switch {
		case len(token) == 0:
		case EqualFold(token, "close"):
			m.close = true
		case EqualFold(token, "keep-alive"):
			m.keepAlive = true
		case EqualFold(token, "upgrade"):
			m.upgradeToken = true
		default:
			if err := m.nominate(token, protected); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *message) nominate(token []byte, protected func([]byte) bool) error {
	if protected == nil {
		return nil
	}
	if !IsToken(token) || protected(token) {
		return errProtected
	}
	for i := range m.Fields {
		f := &m.Fields[i]
		if f.Kind.nominable() && sameName(f.Name, token) {
			f.Kind = Nominated
		}
	}
	return nil
}

func sameName(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}
