package page

import (
	"net/http"
	"time"
)

// look is how a kind of message looks.
type look struct {
	status     int
	sign, mood string
}

// looks are those of all kinds.
var looks = map[Kind]look{
	NotMember:     {http.StatusForbidden, "lock", ""},
	WrongNetwork:  {http.StatusForbidden, "lock", ""},
	WrongMethod:   {http.StatusForbidden, "lock", ""},
	NeedsMFA:      {http.StatusForbidden, "phone", ""},
	WrongProvider: {http.StatusForbidden, "lock", ""},
	InFrame:       {http.StatusUnauthorized, "lock", ""},
	FormLost:      {http.StatusUnauthorized, "clock", "warn"},
	Loop:          {http.StatusForbidden, "loop", "warn"},
	ProviderError: {http.StatusForbidden, "alert", "warn"},
	ProviderDown:  {http.StatusServiceUnavailable, "plug", "warn"},
	Pending:       {http.StatusForbidden, "clock", ""},
	Disabled:      {http.StatusForbidden, "lock", "bad"},
	NoAccount:     {http.StatusForbidden, "person", ""},
	NameCollides:  {http.StatusForbidden, "person", "warn"},
	Stale:         {http.StatusBadRequest, "clock", ""},
	BadReturn:     {http.StatusBadRequest, "compass", "warn"},
	Foreign:       {http.StatusForbidden, "alert", "warn"},
	LinkOver:      {http.StatusNotFound, "link", ""},
	Refused:       {http.StatusForbidden, "lock", ""},
	NotFound:      {http.StatusNotFound, "compass", ""},
	Busy:          {http.StatusServiceUnavailable, "clock", "warn"},
	Failed:        {http.StatusInternalServerError, "alert", "bad"},
}

// status is that of a kind. With a time to wait, it was the client who asked too
// often.
func (k Kind) status(wait time.Duration) int {
	if k == Busy && wait > 0 {
		return http.StatusTooManyRequests
	}
	if l, ok := looks[k]; ok {
		return l.status
	}
	return http.StatusInternalServerError
}

// message is the view of a message; the templates ask for its parts on no other
// page.
func (s *sheet) message() *Message {
	m, _ := s.V.(*Message)
	return m
}

// Sign is the icon of the message, Mood its colour.
func (s *sheet) Sign() string { return looks[s.message().Kind].sign }

// Mood is the colour of the message.
func (s *sheet) Mood() string { return looks[s.message().Kind].mood }

// Window is where the links of the message open. Who has lost a form keeps the page,
// behind which the form is.
func (s *sheet) Window() string {
	switch {
	case s.message().Kind == FormLost:
		return "_blank"
	case s.Framed:
		return "_top"
	default:
		return "_self"
	}
}

// Told is the text of the message. Every placeholder of any message is given.
func (s *sheet) Told() []piece {
	m := s.message()
	app, provider := m.App.Title, m.Provider
	if app == "" {
		app = s.Say("message.this_page")
	}
	if provider == "" {
		provider = s.Say("message.the_provider")
	}
	return s.Marked("message."+string(m.Kind)+".text", "app", app, "provider", provider,
		"wait", s.wait(m.Wait))
}

// Causes are why a sign-in goes in circles: the one that is known, or all.
func (s *sheet) Causes() []string {
	m := s.message()
	if m.Kind != Loop {
		return nil
	}
	if m.Cause != CauseUnknown {
		return []string{s.Say("cause." + string(m.Cause))}
	}
	var all []string
	for _, c := range []Cause{CauseCookie, CauseClock, CauseHost, CauseServer} {
		all = append(all, s.Say("cause."+string(c)))
	}
	return all
}
