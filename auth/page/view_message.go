package page

import "time"

// Kind is what a message says.
type Kind string

// The messages, with the status that each has when none is given.
const (
	// NotMember is a user whom the rule does not let in (403), with Rule and Missing.
	NotMember Kind = "not_member"
	// WrongNetwork, WrongMethod, NeedsMFA and WrongProvider are the other reasons
	// of a rule (403).
	WrongNetwork  Kind = "wrong_network"
	WrongMethod   Kind = "wrong_method"
	NeedsMFA      Kind = "needs_mfa"
	WrongProvider Kind = "wrong_provider"
	// InFrame is somebody in a frame who has to sign in, which cannot be done there;
	// FormLost somebody whose form was not taken for want of a session (401 each).
	InFrame  Kind = "in_frame"
	FormLost Kind = "form_lost"
	// Loop is a sign-in that came back too often (403), with Cause.
	Loop Kind = "loop"
	// ProviderError is an answer of a provider that lets nobody in (403), with
	// Detail and Hint.
	ProviderError Kind = "provider_error"
	// ProviderDown is a provider that cannot be asked (503), with Detail.
	ProviderDown Kind = "provider_down"
	// Pending is an account that waits for approval, Disabled one that is closed,
	// NoAccount one that there is not, and none is made (403 each).
	Pending   Kind = "pending"
	Disabled  Kind = "disabled"
	NoAccount Kind = "no_account"
	// NameCollides is an account that exists and is not this identity's (403).
	NameCollides Kind = "name_collides"
	// Stale is an attempt to sign in that is too old, or of another browser (400).
	Stale Kind = "stale"
	// BadReturn is a return address that leads nowhere of ours (400).
	BadReturn Kind = "bad_return"
	// Foreign is a form that another site sent (403).
	Foreign Kind = "foreign"
	// LinkOver is a one-time link that is wrong, used or over (404).
	LinkOver Kind = "link_over"
	// Refused is a consent that was not given (403).
	Refused Kind = "refused"
	// NotFound is a page that is not there (404), Busy too many requests (503, or
	// 429 with Wait), Failed a mistake of ours or of the store (500).
	NotFound Kind = "not_found"
	Busy     Kind = "busy"
	Failed   Kind = "failed"
)

// Cause is why a sign-in comes back again and again.
type Cause string

// The causes of a Loop.
const (
	// CauseUnknown lists the others.
	CauseUnknown Cause = ""
	// CauseCookie is a browser that does not send our cookie back.
	CauseCookie Cause = "cookie"
	// CauseClock is a clock that is wrong, here or at the provider.
	CauseClock Cause = "clock"
	// CauseHost is a host whose cookies are not those of the sign-in.
	CauseHost Cause = "host"
	// CauseServer is an application that sends people back to sign in though they
	// are.
	CauseServer Cause = "server"
)

// Message is the view of a page that tells something and has little to do.
type Message struct {
	Frame
	// Kind is what it tells.
	Kind Kind
	// App is what was asked for: title, or host in its place.
	App App
	// Rule is the name of the rule that refused, Missing the groups any one of which
	// would have opened it, by the titles to show.
	Rule    string
	Missing []string
	// Cause is that of a Loop.
	Cause Cause
	// Provider is the title of the provider that it is about.
	Provider string
	// Detail is a technical text for who runs this, such as what a provider
	// answered, Hint what to do about it. Both are shown as they are.
	Detail, Hint string
	// RequestID finds the request in the logs.
	RequestID string
	// Wait is when to try again; 0 is not known. It becomes Retry-After.
	Wait time.Duration
	// Begin is where to sign in, Whole the page that the frame should show, Another
	// where to sign in with another account, Retry where to try again, Home where the
	// portal is. Empty shows no such button.
	Begin, Whole, Another, Retry, Home string
}
