package health

import "fmt"

// Initial says how a server begins: when it is first seen, and when it comes out
// of maintenance.
type Initial string

// The words are those of HAProxy's init-state.
const (
	None      Initial = "none"       // as up; the default
	Up        Initial = "up"         // up, and down after one failed check
	Down      Initial = "down"       // down, and up after one good check
	FullyUp   Initial = "fully-up"   // up, and down after Fall failed checks
	FullyDown Initial = "fully-down" // down, and up after Rise good checks
)

// OnError says what too many bad requests in a row do to a server.
type OnError string

// The words are those of HAProxy's on-error.
const (
	FailCheck   OnError = "fail-check"   // count as a failed check; the default
	FastChecks  OnError = "fastinter"    // only make the next check come soon
	SuddenDeath OnError = "sudden-death" // as a failed check, and the next one is the last
	MarkDown    OnError = "mark-down"    // the server is down
)

// Counter is the health of a server, HAProxy's to the number: 0 is down, Rise and
// more is up, and Rise+Fall-1 is as good as it gets. One failed check on the way
// up starts over, and so does one good check on the way down. Rise and Fall are at
// least 1. A Counter is a value; its methods return the next one.
type Counter struct {
	Rise, Fall, Value int
}

// begin is the counter of a server that nothing is known of.
func begin(rise, fall int, initial Initial) Counter {
	c := Counter{Rise: rise, Fall: fall, Value: rise}
	switch initial {
	case Down:
		c.Value = rise - 1
	case FullyUp:
		c.Value = c.best()
	case FullyDown:
		c.Value = 0
	}
	return c
}

func (c Counter) best() int { return c.Rise + c.Fall - 1 }

// Up tells whether the server takes requests.
func (c Counter) Up() bool { return c.Value >= c.Rise }

// Pass is the counter after a good check.
func (c Counter) Pass() Counter {
	if c.Value < c.best() {
		c.Value++
	}
	if c.Up() {
		c.Value = c.best()
	}
	return c
}

// Fail is the counter after a failed check.
func (c Counter) Fail() Counter {
	if c.Value > 0 {
		c.Value--
	}
	if !c.Up() {
		c.Value = 0
	}
	return c
}

// Punish is the counter after too many bad requests in a row.
func (c Counter) Punish(how OnError) Counter {
	switch how {
	case FastChecks:
		return c
	case SuddenDeath:
		c.Value = min(c.Value, c.Rise+1)
	case MarkDown:
		c.Value = min(c.Value, c.Rise)
	}
	return c.Fail()
}

// String is what HAProxy's status column says: "UP", "UP 2/3" while going down,
// "DOWN 1/2" while coming up, "DOWN".
func (c Counter) String() string {
	switch {
	case c.Value == c.best():
		return "UP"
	case c.Up():
		return fmt.Sprintf("UP %d/%d", c.Value-c.Rise+1, c.Fall)
	case c.Value > 0:
		return fmt.Sprintf("DOWN %d/%d", c.Value, c.Rise)
	}
	return "DOWN"
}
