package stats

import (
	"fmt"
	"strconv"
	"time"
)

// The states that a row is coloured by. They are HAProxy's; a backup server has
// the same ones in other colours.
const (
	stateUp      = "up"
	stateFalling = "falling" // up, and checks fail
	stateRising  = "rising"  // down, and checks succeed
	stateDown    = "down"
	stateDrain   = "drain"
	stateMaint   = "maint"
	stateNoCheck = "nocheck"
	stateOpen    = "open" // a listener
)

// serverState is what a server is coloured by: its status without the figures.
func serverState(s *Server) string {
	h := &s.Health
	switch {
	case s.Admin == "maint":
		return stateMaint
	case s.Admin == "drain" && s.IsUp():
		return stateDrain
	case !h.Checked:
		return stateNoCheck
	case h.Up && h.leftToFall() != "":
		return stateFalling
	case h.Up:
		return stateUp
	case h.Counter > 0:
		return stateRising
	}
	return stateDown
}

// statusHint says since when, and who decided it.
func statusHint(s *Server, now time.Time) string {
	hint := healthText(&s.Health, now)
	if by := adminText(s, now); s.Admin != "ready" && by != noFigure {
		hint += "\n" + by
	}
	return hint
}

// healthText is what checks say, and for how long they have.
func healthText(h *Health, now time.Time) string {
	switch {
	case !h.Checked:
		return "none"
	case h.Up:
		return "up for " + agoText(h.LastChange, now)
	}
	return "down for " + agoText(h.LastChange, now)
}

// adminText is what somebody last said about a server, and when.
func adminText(s *Server, now time.Time) string {
	if s.AdminAt.IsZero() {
		return noFigure
	}
	return fmt.Sprintf("%s: %s, %s ago", s.AdminBy, s.Admin, agoText(s.AdminAt, now))
}

// lastCheck is the result of the last check, short and as a sentence.
func lastCheck(s *Server) (short, long string) {
	h := &s.Health
	switch {
	case !h.Checked:
		return noFigure, "this server is not checked"
	case h.At.IsZero() && s.Admin == "maint":
		return noFigure, "no check, as long as it is in maintenance"
	case h.At.IsZero():
		return "…", "no check has ended yet"
	}
	short = h.Status
	if h.Code != 0 {
		short += "/" + strconv.Itoa(h.Code)
	}
	if h.Took > 0 { // what requests saw took no check
		short += " in " + tookText(h.Took)
	}
	long = short
	if h.Description != "" {
		long += ": " + h.Description
	}
	return short, long
}
