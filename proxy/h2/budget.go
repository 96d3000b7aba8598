package h2

import (
	"time"

	"golang.org/x/net/http2"
)

// Budget is an allowance: Burst at once, and Rate more each second.
type Budget struct {
	Burst, Rate float64
}

// Budgets bound, per connection, what costs us and gains an honest client nothing. Work
// that a client really gets done earns it more of them, so that a busy connection
// never comes to the end of one.
type Budgets struct {
	// Resets are streams that the client gives up, or has us give up by breaking the
	// rules on them (CVE-2023-44487, CVE-2025-8671). A whole answer earns half of one.
	Resets Budget
	// Settings are SETTINGS frames.
	Settings Budget
	// Pings are PING frames, Windows WINDOW_UPDATE frames. What we send earns them:
	// clients answer it with both.
	Pings, Windows Budget
	// Empty are DATA frames without data that do not end a body either.
	Empty Budget
	// Others are PRIORITY frames and those of types that we do not know. Each request
	// earns two: some clients send one with each.
	Others Budget
}

// DefaultBudgets are far above what browsers, gRPC and proxies do.
func DefaultBudgets() Budgets {
	return Budgets{
		Resets:   Budget{Burst: 200, Rate: 20},
		Settings: Budget{Burst: 20, Rate: 1},
		Pings:    Budget{Burst: 100, Rate: 5},
		Windows:  Budget{Burst: 2000, Rate: 100},
		Empty:    Budget{Burst: 100, Rate: 10},
		Others:   Budget{Burst: 300, Rate: 10},
	}
}

// purse is what is left of a budget. It is used by the goroutine that reads.
type purse struct {
	Budget
	left float64
	at   time.Time
}

func newPurse(b Budget) purse { return purse{Budget: b, left: b.Burst} }

// spend takes one, and tells whether there was one.
func (p *purse) spend(now time.Time) bool {
	if p.left < 1 {
		if !p.at.IsZero() {
			p.left = min(p.Burst, p.left+now.Sub(p.at).Seconds()*p.Rate)
		}
		p.at = now
	}
	if p.left < 1 {
		return false
	}
	p.left--
	return true
}

// earn adds what work has earned.
func (p *purse) earn(n float64) { p.left = min(p.Burst, p.left+n) }

// purses are those of a connection.
type purses struct {
	resets, settings, pings, windows, empty, others purse
}

func newPurses(b Budgets) purses {
	return purses{
		resets: newPurse(b.Resets), settings: newPurse(b.Settings), pings: newPurse(b.Pings),
		windows: newPurse(b.Windows), empty: newPurse(b.Empty), others: newPurse(b.Others),
	}
}

// overdone is the error of a client that used up a budget.
func (c *Conn) overdone(budget string) error {
	c.o.Report(Event{Budget: budget, Streams: c.opened})
	return &connError{http2.ErrCodeEnhanceYourCalm, "too many " + budget}
}

// charge takes from the budgets what the frame costs.
func (c *Conn) charge(t http2.FrameType) error {
	switch t {
	case http2.FrameRSTStream: // by what it does
		return nil
	case http2.FrameSettings:
		return c.spend(&c.purses.settings, "settings")
	case http2.FramePing:
		return c.spend(&c.purses.pings, "pings")
	case http2.FrameWindowUpdate:
		return c.spend(&c.purses.windows, "window updates")
	}
	return c.spend(&c.purses.others, "frames without meaning")
}

// spend takes one from a budget, after adding what work has earned since.
func (c *Conn) spend(p *purse, budget string) error {
	if p.left < p.Burst/2 {
		c.earn()
	}
	if !p.spend(time.Now()) {
		return c.overdone(budget)
	}
	return nil
}

// earn adds what the work since the last time has earned.
func (c *Conn) earn() {
	c.mu.Lock()
	ends, data := c.ends-c.sawEnds, c.sentData-c.sawData
	c.sawEnds, c.sawData = c.ends, c.sentData
	c.mu.Unlock()
	c.purses.resets.earn(float64(ends) / 2)
	c.purses.others.earn(float64(ends) * 2)
	c.purses.pings.earn(float64(ends + data))
	c.purses.windows.earn(float64(ends+data) * 4)
}
