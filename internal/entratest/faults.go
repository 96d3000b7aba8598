package entratest

import (
	"io"
	"net/http"
	"time"
)

// Part is one thing that the provider is asked for.
type Part string

// The parts. All is every one of them, those without a name included.
const (
	All       Part = ""
	Discovery Part = "discovery"
	Keys      Part = "keys"
	Authorize Part = "authorize"
	TokenPart Part = "token"
	Logout    Part = "logout"
	Me        Part = "me"
	// MemberObjects is Graph's getMemberObjects, MemberOf its transitiveMemberOf,
	// Names its getByIds.
	MemberObjects Part = "member-objects"
	MemberOf      Part = "member-of"
	Names         Part = "names"
	Photo         Part = "photo"
	UserInfo      Part = "userinfo"
	// Unknown is everything else: paths that nobody serves, and hosts that must
	// not be called, as the retired graph.windows.net.
	Unknown Part = "unknown"
)

// Fault is what goes wrong with a part. Those before Status come first and leave
// the answer good, if no other says otherwise.
type Fault struct {
	// Hold delays the answer until the channel is closed, Delay by a time; with
	// both it is what comes first.
	Hold  <-chan struct{}
	Delay time.Duration
	// Break ends the connection without an answer.
	Break bool
	// Status is an answer instead of the good one, with Header and Body; 0: the
	// good one. Size repeats the body until it has so many bytes; 0: it is sent once.
	Status int
	Header http.Header
	Body   string
	Size   int64
	// Times is how many requests it happens to; 0: all until Heal.
	Times int
}

// Fail makes a part fail, instead of how it failed before.
func (s *Server) Fail(p Part, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[p] = &f
}

// Heal ends all faults.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.faults)
}

// fails does what a fault says, and tells whether that was the answer.
func (s *Server) fails(p Part, w http.ResponseWriter, r *http.Request) bool {
	f, ended := s.fault(p)
	if f == nil {
		return false
	}
	f.wait(r, ended)
	if f.Break {
		panic(http.ErrAbortHandler)
	}
	if f.Status == 0 {
		return false
	}
	for name, values := range f.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	w.WriteHeader(f.Status)
	for sent := int64(0); ; {
		n, err := io.WriteString(w, f.Body)
		if sent += int64(n); err != nil || n == 0 || sent >= f.Size {
			return true
		}
	}
}

// wait is over when the fault says, when the client goes, or the provider.
func (f *Fault) wait(r *http.Request, ended <-chan struct{}) {
	var passed <-chan time.Time
	switch {
	case f.Delay > 0:
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		passed = timer.C
	case f.Hold == nil:
		return
	}
	select {
	case <-f.Hold:
	case <-passed:
	case <-ended:
	case <-r.Context().Done():
	}
}

// fault takes the part's own before that of all.
func (s *Server) fault(p Part) (*Fault, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range []Part{p, All} {
		f := s.faults[name]
		if f == nil {
			continue
		}
		now := *f
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				delete(s.faults, name)
			}
		}
		return &now, s.ended
	}
	return nil, nil
}
