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
	hint := ""
	if s.Health.Checked {
		hint = "for " + agoText(s.Health.LastChange, now)
	}
	if s.Admin == "ready" || s.AdminAt.IsZero() {
		return hint
	}
	if hint != "" {
		hint += ", "
	}
	return fmt.Sprintf("%s%s by %s since %s", hint, s.Admin, s.AdminBy, momentText(s.AdminAt))
}

// lastCheck is the result of the last check, short and as a sentence.
func lastCheck(h *Health) (short, long string) {
	switch {
	case !h.Checked:
		return noFigure, "this server is not checked"
	case h.Status == "":
		return "…", "no check has ended yet"
	}
	short = h.Status
	if h.Code != 0 {
		short += "/" + strconv.Itoa(h.Code)
	}
	short += " in " + tookText(h.Took)
	long = short
	if h.Description != "" {
		long += ": " + h.Description
	}
	return short, long
}
