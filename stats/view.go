package stats

import (
	"time"

	"doorward/internal/tally"
)

// View is the instance at one moment: everything that the page, the CSV, the JSON
// and the metrics show, before rates and maxima are made of it. Whoever fills it
// may share no memory with it that changes later.
type View struct {
	// Node is about the process, Reload about its last reload.
	Node   Node
	Reload Reload
	// Frontends are the listeners, Routes the routes and Backends the backends, each
	// in the order of the configuration.
	Frontends []Frontend
	Routes    []Route
	Backends  []Backend
	// Limits are the rate limits, Certificates those that are served.
	Limits       []Limit
	Certificates []Certificate
	// SignIn is about who signs in; nil where nobody can.
	SignIn *SignIn
}

// SignIn is about who signs in.
type SignIn struct {
	// Users is how many there are, Sessions how many sessions are open.
	Users, Sessions int
	// Events counts what happened since the start by its kind, as the event log names
	// it. Unkept are those that the event log did not take.
	Events map[string]int64
	Unkept int64
}

// Node is about the process.
type Node struct {
	// Host is the machine's name, Version that of Doorward, Go the release it was
	// built with.
	Host, Version, Go string
	// PID is the process, Started when it began, Now when the View was made.
	PID          int
	Started, Now time.Time
	// Draining says that the instance is about to end.
	Draining bool
	// Connections is how many clients are connected, MaxConnections how many may be,
	// ConnectionsTotal how many there were.
	Connections, MaxConnections, ConnectionsTotal int64
	// Refused counts connections over a client's limit, FailedHandshakes TLS
	// handshakes that came to nothing, Abuses HTTP/2 connections that were ended because
	// their client kept us busy with nothing, Panics mistakes of Doorward itself.
	Refused, FailedHandshakes, Abuses, Panics int64
	// Processors is how many are used, Goroutines how many are there, Memory what
	// the process holds, in bytes.
	Processors, Goroutines int
	Memory                 int64
	// CPU is the processor time used since the start.
	CPU time.Duration
}

// Reload is about the reloads since the start.
type Reload struct {
	// Done and Refused count them.
	Done, Refused int64
	// At is when the configuration in force came into force, FailedAt and Error when
	// and why the last reload was refused; zero and "" if it was not.
	At, FailedAt time.Time
	Error        string
}

// Frontend is a listener.
type Frontend struct {
	// Name is the address as configured.
	Name string
	// TLS says that its connections begin with a handshake.
	TLS bool
	// Open says that it accepts.
	Open bool
	// Connections is how many it has, ConnectionsTotal how many it had, Limit how
	// many the instance may have.
	Connections, ConnectionsTotal, Limit int64
	// Traffic is what its requests counted.
	Traffic tally.Totals
}

// Route is one route.
type Route struct {
	// Name is as configured; Backend is where its requests go, "" for nowhere.
	Name, Backend string
	// Traffic is what its requests counted.
	Traffic tally.Totals
}

// Backend is a set of servers.
type Backend struct {
	// Name and Description are as configured; Algorithm is how it balances, and
	// Cookie the name of its persistence cookie, "" for none.
	Name, Description, Algorithm, Cookie string
	// Servers are its members in the order of the file.
	Servers []Server
	// Queued is how many requests wait for any of its servers, QueueLimit how many
	// may. QueuedMax is the most there were.
	Queued, QueuedMax, QueueLimit int64
	// Active is how many requests are at its servers, ActiveMax the most there were
	// at one time.
	Active, ActiveMax int64
	// Up says that a server takes requests; LastChange is when that last changed, or
	// the start. Downtime is how long it did not, all in all; Downs how often it
	// went down.
	Up         bool
	LastChange time.Time
	Downtime   time.Duration
	Downs      int64
	// Traffic is what its requests counted, on whichever server or none.
	Traffic tally.Totals
	// Stick is its stick table; nil for none.
	Stick *Stick
}

// Server is a member of a backend.
type Server struct {
	// Name is unique in the backend; Address is where it is, URL the same as
	// configured.
	Name, Address, URL string
	// Backup says that it gets requests only when no other server can.
	Backup bool
	// Health is what checks say.
	Health Health
	// Admin is what people say: "ready", "drain" or "maint". AdminBy and AdminAt are
	// who and when; "" and zero when it was never changed.
	Admin, AdminBy string
	AdminAt        time.Time
	// Weight is its share, ConfiguredWeight the one in the file, Share the percent
	// of it that slow start allows, 100 when there is none.
	Weight, ConfiguredWeight, Share int
	// Active is how many requests it has, ActiveMax the most there were at one time,
	// Limit how many it may have; 0 is any number.
	Active, ActiveMax, Limit int64
	// Queued is how many requests wait for this very server, QueuedMax the most there
	// were, QueueLimit how many may; 0 is any number.
	Queued, QueuedMax, QueueLimit int64
	// Claims is how many requests were given to it, Connections how many connections
	// were opened, Reused how often one served again, Failures how often there was
	// none to be had, Idle how many wait for a request.
	Claims, Connections, Reused, Failures, Idle int64
	// Cookie is its value in the persistence cookie, "" for none.
	Cookie string
	// Traffic is what its requests counted.
	Traffic tally.Totals
}

// Health is what checks know of a server.
type Health struct {
	// Checked says that the server is checked at all; without, the rest is empty and
	// the server counts as up.
	Checked bool
	// Up is the verdict. Counter is HAProxy's: 0 is down for long, Rise is up, and
	// Rise + Fall - 1 is up for long.
	Up                  bool
	Rise, Fall, Counter int
	// Status is HAProxy's word for the last check ("L7OK"), Code the status code of
	// an HTTP check, 0 for none, Took how long it took, Description a line about it,
	// At when it ended. Running says that a check is under way.
	Status      string
	Code        int
	Took        time.Duration
	Description string
	At          time.Time
	Running     bool
	// Fails counts checks that failed while the server was up, Downs how often it
	// went down, Downtime how long it was, all in all. LastChange is when it last
	// went up or down, or was first seen.
	Fails, Downs int64
	Downtime     time.Duration
	LastChange   time.Time
}

// Stick is a stick table.
type Stick struct {
	// On is what it remembers clients by, Size how many it has room for, Used how
	// many it knows, Expire how long it remembers them.
	On         string
	Size, Used int64
	Expire     time.Duration
	// Matched counts requests whose client was known, Stored those that were
	// remembered, Evicted entries that went because there was no more room, Refused
	// clients that were not remembered for the same reason.
	Matched, Stored, Evicted, Refused int64
}

// Limit is a rate limit.
type Limit struct {
	// Name and By are as configured. LogOnly says that it only counts.
	Name, By string
	LogOnly  bool
	// Keys is how many clients, routes or users it knows; Queued is how many requests
	// wait now.
	Keys, Queued int64
	// Passed, Refused and Delayed count requests; Refused with LogOnly those that
	// would have been.
	Passed, Refused, Delayed int64
}

// Certificate is one that is served.
type Certificate struct {
	// Names are the hosts it is for, Source is the file it came from.
	Names  []string
	Source string
	// Issuer is who signed it, NotAfter when it ends.
	Issuer   string
	NotAfter time.Time
	// State is how it stands with one that is ordered: "ready", "ordering" or "failing";
	// empty for others. Error is why the last order came to nothing, NextTry when there
	// will be another one.
	State, Error string
	NextTry      time.Time
}

// Source gives views.
type Source interface {
	// View is the instance now. It may be called at any time from any goroutine.
	View() View
}

// Steward does what the buttons of the page ask for.
type Steward interface {
	// SetAdmin sets what people say of a server, "ready", "drain" or "maint". By is
	// the user who asked. Errors are for that user to read.
	SetAdmin(backend, server, state, by string) error
}
