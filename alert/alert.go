// Package alert tells people that servers went up or down, by mail and by a
// webhook.
//
//	alerts, err := alert.New(alert.Options{
//		To:      []string{"ops@example.com"},
//		Mailer:  sender,
//		Webhook: "https://hooks.example.com/T00/B00/secret",
//		Delay:   10 * time.Second,
//		Host:    "edge1",
//		Log:     log,
//	})
//	...
//	alerts.Tell(alert.Event{...}) // from whoever watches servers
//	...
//	err = alerts.Stop(ctx)
//
// [Alerter.Tell] only puts the event down. Mail and webhook have a queue and a
// goroutine each, so that one that hangs does not hold up the other. The first
// event that waits opens a window of Delay; when it ends, all that came in
// meanwhile is told in one mail or one POST. A farm of 500 servers that flaps
// costs one message per Delay, which then begins with how each backend stands.
//
// A message that does not get through is tried three times, with pauses of 5 and
// 30 seconds; what came in meanwhile goes out after it. One that is refused for
// good (a wrong password, 404) is not tried again. Then it is lost, which the log
// says. At most 1,000 events wait in each queue; beyond that the oldest are
// dropped, as how things stand now matters more than how it began.
//
// # The webhook
//
// The POST has the content type application/json and this form, to which fields
// may be added but none changed or taken away:
//
//	{
//	  "host": "edge1",
//	  "text": "[doorward edge1] app/web1 DOWN, 1 of 3 servers left",
//	  "changes": [
//	    {
//	      "time": "2026-03-04T05:06:07.089Z",
//	      "backend": "app",
//	      "server": "web1",
//	      "state": "down",
//	      "reason": "L4CON connection refused",
//	      "last_state_seconds": 7380.5,
//	      "servers_left": 1,
//	      "backups_left": 0
//	    }
//	  ],
//	  "dropped": 0
//	}
//
// state is "up" or "down". last_state_seconds is how long the server was in the
// state before, 0 if that is not known. servers_left and backups_left count what
// the backend can use after the change, without backup servers and those alone.
// dropped is how many older changes are missing. text is one line about them
// all: receivers for chats that show this member, such as the incoming webhooks
// of Slack and Mattermost, need nothing else.
//
// An answer of 200 to 299 means that it has arrived. Redirects are not followed.
// The URL may hold a secret, so neither log nor error shows more of it than
// scheme and host. It is the operator's own and may lead anywhere, also to this
// machine or to an address that only this machine reaches: who may write the
// configuration may have Doorward call it. A proxy in the environment
// (HTTPS_PROXY) is obeyed.
package alert

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"doorward/internal/safe"
	"doorward/mail"
)

// ErrOption is in every error of [New].
var ErrOption = errors.New("alert option")

// Event is one server that went up or down.
type Event struct {
	// At is when.
	At time.Time
	// Backend and Server are names.
	Backend, Server string
	// Up is the new state.
	Up bool
	// Reason is why, in a few words. It may hold what a server said: control
	// characters are taken out and it is cut after 200 characters.
	Reason string
	// LastState is how long the server was in the state before; 0: not known.
	LastState time.Duration
	// Left counts the usable servers of the backend after the change, without
	// backup servers; Backups counts those.
	Left, Backups int
	// Servers counts the servers that the backend has, without backup servers; 0:
	// not known, and then the text says "1 server left" in place of "1 of 3".
	Servers int
}

// Mailer sends a mail; a *mail.Sender is one. Its errors are tried again, except
// a *mail.SendError that is not temporary, and mail.ErrMessage.
type Mailer interface {
	Send(ctx context.Context, m mail.Message) error
}

// Options says who is told, and how.
type Options struct {
	// To are the addresses that get a mail; none: no mail. They need a Mailer.
	To     []string
	Mailer Mailer
	// Webhook is an http or https URL, which may hold a name and a password; "":
	// no webhook.
	Webhook string
	// Transport carries the POSTs; nil: the network.
	Transport http.RoundTripper
	// Delay is how long the first event waits for others; 0: not at all.
	Delay time.Duration
	// Host is the name of this instance, for subject and text. "" leaves it out.
	Host string
	// Log is told what got lost; nil: nobody.
	Log *zap.Logger
}

// Alerter tells people of events. A nil *Alerter tells nobody. All methods may be
// called from many goroutines.
type Alerter struct {
	outlets  []*outlet
	lost     atomic.Uint64
	stopping chan struct{} // closed: tell what waits at once
	stop     sync.Once
	cancel   context.CancelFunc // ends what is under way
}

// New makes an alerter and starts it. It runs until [Alerter.Stop]. The error
// names the option at fault and does not show the webhook.
func New(o Options) (*Alerter, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	a := &Alerter{stopping: make(chan struct{})}
	if len(o.To) > 0 {
		if err := checkMail(o); err != nil {
			return nil, fmt.Errorf("%w mail: %w", ErrOption, err)
		}
		a.add("mail", o, mailing{o.To, o.Mailer, o.Host}.prepare)
	}
	if o.Webhook != "" {
		h, err := newHook(o)
		if err != nil {
			return nil, fmt.Errorf("%w webhook: %w", ErrOption, err)
		}
		a.add("webhook", o, h.prepare)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	for _, out := range a.outlets {
		safe.Go(o.Log, "alerts by "+out.name, func() { out.run(ctx) })
	}
	return a, nil
}

func checkMail(o Options) error {
	if o.Mailer == nil {
		return errors.New("there is no mail server to send with")
	}
	if len(o.To) > mail.MaxRecipients {
		return fmt.Errorf("%d addresses: at most %d are possible", len(o.To), mail.MaxRecipients)
	}
	for _, to := range o.To {
		if err := mail.CheckAddress(to); err != nil {
			return err
		}
	}
	return nil
}

func (a *Alerter) add(name string, o Options, prepare func(batch) attempt) {
	a.outlets = append(a.outlets, &outlet{
		name: name, prepare: prepare, delay: o.Delay, stopping: a.stopping, lost: &a.lost,
		log:  o.Log.With(zap.String("by", name)),
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	})
}

// Tell puts an event down to be told soon. It never waits. After Stop it does
// nothing but count the event as lost.
func (a *Alerter) Tell(e Event) {
	if a == nil {
		return
	}
	e.Reason = printable(e.Reason)
	for _, out := range a.outlets {
		out.put(e)
	}
}

// Lost returns how many events were not told since the start, each counted once
// by mail and once by webhook.
func (a *Alerter) Lost() uint64 {
	if a == nil {
		return 0
	}
	return a.lost.Load()
}

// Stop tells at once what waits and ends the alerter. Pauses between attempts are
// left out. When ctx ends before, what is left is lost, and the error says by
// which way. To stop twice is to wait twice.
func (a *Alerter) Stop(ctx context.Context) error {
	if a == nil {
		return nil
	}
	a.stop.Do(func() {
		for _, out := range a.outlets {
			out.close()
		}
		close(a.stopping)
	})
	defer a.cancel()
	for _, out := range a.outlets {
		select {
		case <-out.done:
		case <-ctx.Done():
			return fmt.Errorf("alerts by %s: not all told: %w", out.name, ctx.Err())
		}
	}
	return nil
}
