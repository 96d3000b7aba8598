package stats

import "time"

// Picture is a View together with what a Sampler knows of its rows. Page, CSV,
// JSON and metrics show nothing else. It may be shared between goroutines that
// only read it.
type Picture struct {
	// Node and Reload are the View's.
	Node   Node
	Reload Reload
	// All is about all listeners together. Its SessionsMax is the most connections
	// at one time.
	All Seen
	// CPU is how many processors were in use in the last second: 0.5 is half of one.
	CPU float64
	// Frontends, Routes and Backends are the rows, in the order of the View.
	Frontends []FrontendRow
	Routes    []RouteRow
	Backends  []BackendRow
	// Limits and Certificates are the View's.
	Limits       []Limit
	Certificates []Certificate
	// SignIn is the View's.
	SignIn *SignIn
}

// FrontendRow is a listener and what was seen of it. Its sessions are
// connections.
type FrontendRow struct {
	Frontend
	Seen
}

// RouteRow is a route and what was seen of it. Nothing counts its connections and
// sessions.
type RouteRow struct {
	Route
	Seen
}

// BackendRow is a backend and what was seen of it. Its sessions are requests at
// servers, its connections those that were opened to servers.
type BackendRow struct {
	Backend
	Seen
	// Servers are the backend's servers with what was seen of them, in the order of
	// the file. They stand in the place of Backend.Servers, which is nil here.
	Servers []ServerRow
}

// ServerRow is a server and what was seen of it. Its sessions are requests, its
// connections those that were opened to it.
type ServerRow struct {
	Server
	Seen
}

// Seen is what looking every second tells of a row. The zero value is a row that
// was not seen before.
type Seen struct {
	// RequestRate is how many requests ended in the last second, RequestRateMax the
	// most in any second since the row was first seen.
	RequestRate, RequestRateMax float64
	// ConnectionRate is how many connections began in the last second,
	// ConnectionRateMax the most in any second.
	ConnectionRate, ConnectionRateMax float64
	// BytesInRate and BytesOutRate are what clients sent and got in the last second,
	// in bytes.
	BytesInRate, BytesOutRate float64
	// SessionsMax is the most sessions there were at one time.
	SessionsMax int64
	// LastSession is when a session was last seen to begin or end, exact to a second;
	// zero for never.
	LastSession time.Time
	// Queue, Connect, Response and Total are the times of requests.
	Queue, Connect, Response, Total Timing
}

// Timing is about one of the four times of requests. The zero value is no request
// yet.
type Timing struct {
	// Mean is the mean over about the last 1024 requests.
	Mean time.Duration
	// Max is an estimate of the longest one: exact when it was alone in its second,
	// else at most twice as long as it was. Of several above 16 s that end in the
	// same second it is the mean.
	Max time.Duration
}
