package entratest

import (
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
	// Hold delays the answer until the channel is closed; nil: not.
	Hold <-chan struct{}
	// Delay delays it by a time.
	Delay time.Duration
	// Break ends the connection without an answer.
	Break bool
	// Status is an answer instead of the good one, with Header and Body; 0: the
	// good one.
	Status int
	Header http.Header
	Body   string
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
	if f.Hold != nil || f.Delay > 0 {
		wait := make(<-chan time.Time)
		if f.Hold == nil {
			timer := time.NewTimer(f.Delay)
			defer timer.Stop()
			wait = timer.C
		}
		select {
		case <-f.Hold:
		case <-wait:
		case <-ended:
		case <-r.Context().Done():
		}
	}
	if f.Break {
		panic(http.ErrAbortHandler)
	}
	if f.Status == 0 {
		return false
	}
	for name, values := range f.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(f.Status)
	_, _ = w.Write([]byte(f.Body))
	return true
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
