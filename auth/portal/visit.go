package portal

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"doorward/auth/cookie"
)

// stateAge is how long a visitor may take at a provider.
const stateAge = 10 * time.Minute

// visit is what a visitor signs in for, as it goes through the addresses of our
// pages and through the state at a provider. Nothing in it is believed before it
// was looked at: see Portal.address and Portal.signed.
type visit struct {
	// Return is where to go in the end, Fragment the part of it behind the "#".
	Return   string `json:"r,omitempty"`
	Fragment string `json:"f,omitempty"`
	// Bind is the hash of the browser cookie of the host that sent the visitor, and
	// Sig what proves that our gate wrote it.
	Bind string `json:"b,omitempty"`
	Sig  string `json:"s,omitempty"`
}

func visitOf(q url.Values) visit {
	return visit{
		Return: q.Get("return"), Fragment: q.Get("fragment"),
		Bind: q.Get("bind"), Sig: q.Get("sig"),
	}
}

// values is the query that carries the visit on.
func (v visit) values() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{
		"return": v.Return, "fragment": v.Fragment, "bind": v.Bind, "sig": v.Sig,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// at is the address of a page of ours that carries the visit on.
func (v visit) at(path string, extra ...string) string {
	q := v.values()
	for i := 0; i+1 < len(extra); i += 2 {
		if extra[i+1] != "" {
			q.Set(extra[i], extra[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// signed tells whether our gate sent the visitor, from a browser with that bind.
func (p *Portal) signed(v visit) bool {
	return v.Bind != "" && p.o.Box.Check("start", v.Sig, v.Return+"\n"+v.Bind)
}

// What a way through a provider is for.
const (
	forSignIn = ""
	forLink   = "link" // to add the identity to the account of a session
)

// passage is one way through a provider and back: the content of the state. It is
// sealed, so the visitor carries it and nothing is kept here.
type passage struct {
	ID       []byte `json:"t"`
	Provider string `json:"p"`
	Browser  string `json:"c"` // cookie.Public of the browser that left
	Begun    int64  `json:"i"` // in seconds
	// Asked says that the provider was told to ask for the password again, or for
	// another account.
	Asked   bool   `json:"q,omitempty"`
	For     string `json:"w,omitempty"`
	Session string `json:"n,omitempty"` // the public id of the session that links
	visit
}

func (s *passage) begun() time.Time { return time.Unix(s.Begun, 0) }

// nonce ties the ID token to this passage (OpenID Connect Core section 3.1.2.1).
func (p *Portal) nonce(s *passage) string {
	return base64.RawURLEncoding.EncodeToString(p.o.Box.Derive("nonce", string(s.ID)))
}

// verifier ties the code to this passage (RFC 7636 section 4.1).
func (p *Portal) verifier(s *passage) string {
	return base64.RawURLEncoding.EncodeToString(p.o.Box.Derive("pkce", string(s.ID)))
}

func (p *Portal) sealState(s *passage) (string, error) {
	plain, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	return p.o.Box.Seal("state", plain, nil), nil
}

// What can be wrong with a state.
var (
	errState   = errors.New("the state is none that we gave")
	errOld     = errors.New("the state is too old")
	errBrowser = errors.New("the state was given to another browser")
)

// openState judges the state that came back with an answer of a provider. With errOld
// and errBrowser there is a passage to start again from, and nothing else.
func (p *Portal) openState(raw, provider, browser string) (*passage, error) {
	plain, err := p.o.Box.Open("state", raw, nil)
	if raw == "" || err != nil {
		return nil, errState
	}
	s := new(passage)
	if err := json.Unmarshal(plain, s); err != nil || s.Provider != provider {
		return nil, errState
	}
	if age := p.now().Sub(s.begun()); age > stateAge || age < -time.Minute {
		return s, errOld
	}
	if browser == "" || s.Browser != cookie.Public(browser) {
		return s, errBrowser
	}
	return s, nil
}
