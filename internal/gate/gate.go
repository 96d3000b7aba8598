// Package gate is what the request path and sign-in have in common: the question
// that the one asks in front of a route, and the other's verdict. It decides
// nothing; neither side knows the other.
package gate

import (
	"net/http"
	"net/netip"
)

// Question is a request as far as it matters to who may pass. Its slices are
// valid until the verdict is there, and must not be changed.
type Question struct {
	// Host is canonical, without port; Authority is as the client wrote it. Path is
	// canonical, the one that is forwarded.
	Host, Authority, Path, Query, Method []byte
	// Secure says that the client speaks HTTPS, to us or to a proxy we trust.
	Secure bool
	// Upgrade is the protocol the client wants to change to, nil is none.
	Upgrade []byte
	// GRPC says that the client expects answers in gRPC's form.
	GRPC   bool
	Client netip.Addr
	Fields Fields
}

// Fields gives access to the fields of a request.
type Fields interface {
	// Field returns the nth value, from 0, of the field with that lower-case name.
	Field(name string, n int) ([]byte, bool)
}

// Verdict is the answer to a Question. The zero Verdict lets pass, and nobody in
// particular.
type Verdict struct {
	// Pass is who passes; nil is nobody in particular.
	Pass Pass
	// Head is what the server is told about them: whole lines of a head, each with
	// CR and LF.
	Head []byte
	// HideAuthorization keeps the Authorization field from the server: it was for us.
	HideAuthorization bool
	// Answer, when not nil, answers in place of the route: with a refusal, unless
	// Status is 0.
	Answer http.Handler
	// Status is that of the refusal, for protocols that say it in their own form.
	Status int
}

// Pass is whose request it is, and by what right: a session, a token. Its dynamic
// type is a pointer. It may be asked by many goroutines.
type Pass interface {
	// UserName is the name of the user, for logs, limits and persistence.
	UserName() string
}

// Gate is the decision in front of a route. Its methods may be called by many
// goroutines.
type Gate interface {
	// Check decides about a request. It keeps nothing of q, and allocates nothing
	// when it lets pass.
	Check(q *Question) Verdict
	// Holds tells whether what a request has opened may stay open: whether the session
	// still is, and its user may still come here, from there. Of q the Client alone is
	// looked at; without a pass, for what is nobody's in particular, Method and Path too.
	Holds(p Pass, q *Question) bool
}
