package health

import (
	"context"
	"sync"
	"sync/atomic"

	"doorward/internal/safe"
)

// maxIdle is how many of a crew wait for work: more than are busy at a time when a
// thousand servers are well.
const maxIdle = 64

// crew are the goroutines that do checks: one for each that is under way, and some
// that stay for the next ones, since their stacks have grown and they have an
// inbox.
type crew struct {
	tasks chan task
	idle  atomic.Int64
	all   sync.WaitGroup
	once  sync.Once // for the end
}

// task is a check that is due.
type task struct {
	watch  *watch
	calls  context.Context
	target Target
}

// do has a check done. Its result goes to the watch.
func (c *crew) do(t task) {
	select {
	case c.tasks <- t:
	default:
		c.all.Add(1)
		safe.Go(t.watch.log, "checks", func() {
			defer c.all.Done()
			c.work(t)
		})
	}
}

// work does one check after the other, unless enough others wait for the next.
func (c *crew) work(t task) {
	in := newInbox()
	for more := true; more; {
		t.run(in)
		t = task{}
		if c.idle.Add(1) <= maxIdle {
			t, more = <-c.tasks
		} else {
			more = false
		}
		c.idle.Add(-1)
	}
}

// leave ends the crew, when nobody has anything to do for it any more.
func (c *crew) leave() {
	c.once.Do(func() { close(c.tasks) })
	c.all.Wait()
}

// run does the check. A panic in it is a failed check.
func (t task) run(in *inbox) {
	defer safe.Recover(t.watch.log, t.watch.name)
	r := Result{Outcome: SocketError, Description: "the check itself broke"}
	defer func() { t.watch.results <- r }()
	r = t.target.Check.probe(t.calls, t.target.Peer, in)
}
