package alert_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"doorward/alert"
	"doorward/mail"
)

func TestEventsWithinTheDelayAreToldTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &postman{}
		a, _ := started(t, alert.Options{Mailer: p, Delay: 10 * time.Second})
		a.Tell(numbered(1, false))
		wait(9 * time.Second)
		a.Tell(numbered(2, false))
		if n := len(p.all()); n != 0 {
			t.Fatalf("%d mails before the delay is over", n)
		}
		wait(time.Second)
		if n := len(p.all()); n != 1 {
			t.Fatalf("%d mails after the delay, want 1", n)
		}
		if text := p.all()[0].Text; !strings.Contains(text, "app/web1") ||
			!strings.Contains(text, "app/web2") {
			t.Errorf("the mail does not name both servers:\n%s", text)
		}
		wait(time.Hour)
		a.Tell(numbered(3, false))
		wait(9 * time.Second)
		if n := len(p.all()); n != 1 {
			t.Errorf("%d mails, want that the second one waits for its own delay", n)
		}
		wait(time.Second)
		if got := p.all(); len(got) != 2 || strings.Contains(got[1].Text, "web1") {
			t.Errorf("want a second mail without the first one's changes: %v", got)
		}
	})
}

func TestWithoutDelayEventsAreToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &postman{}
		a, _ := started(t, alert.Options{Mailer: p})
		a.Tell(down())
		synctest.Wait()
		if n := len(p.all()); n != 1 {
			t.Errorf("%d mails, want 1", n)
		}
	})
}

func TestFlappingFarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &postman{}
		a, _ := started(t, alert.Options{Mailer: p, Delay: 10 * time.Second})
		for second := range 60 {
			if second%6 == 0 { // each goes down and comes back within 12 s
				for n := range 500 {
					a.Tell(numbered(n, second%12 != 0))
				}
			}
			wait(time.Second)
		}
		wait(10 * time.Second)
		got := p.all()
		if len(got) < 4 || len(got) > 7 || a.Lost() != 0 {
			t.Errorf("%d mails in a minute, lost %d, want one per delay and none",
				len(got), a.Lost())
		}
		for _, m := range got {
			if !strings.Contains(m.Subject, "app: 500 servers ") || len(m.Text) > 50_000 {
				t.Errorf("subject %q and %d bytes, want a summary", m.Subject, len(m.Text))
			}
		}
	})
}

func TestTooManyEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &postman{}
		a, logged := started(t, alert.Options{Mailer: p, Delay: 10 * time.Second})
		for n := range 1012 {
			a.Tell(numbered(n, false))
		}
		wait(10 * time.Second)
		got := p.all()
		if len(got) != 1 || !strings.Contains(got[0].Text, "12 changes before these") ||
			!strings.Contains(got[0].Text, "/web1011 ") {
			t.Errorf("want one mail with the newest and the number of those dropped: %.300v", got)
		}
		warned := logged.FilterLevelExact(zap.WarnLevel).FilterField(zap.Int("dropped", 12))
		if warned.Len() != 1 || a.Lost() != 12 {
			t.Errorf("lost %d, logged %v, want 12 and one warning", a.Lost(), logged.All())
		}
	})
}

// A mail server that hangs must hold up neither who tells nor the webhook.
func TestWaysDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &postman{answer: func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		hooks := &receiver{}
		a, _ := started(t, alert.Options{
			Mailer: p, Webhook: "http://hooks.test/", Transport: hooks, Delay: time.Second,
		})
		for n := range 3 {
			a.Tell(numbered(n, false))
			wait(2 * time.Second)
		}
		if len(p.all()) != 1 || len(hooks.all()) != 3 {
			t.Errorf("%d mails, %d POSTs, want 1 that hangs and 3", len(p.all()), len(hooks.all()))
		}
	})
}

func TestMailIsTriedAgain(t *testing.T) {
	busy := &mail.SendError{Code: 451}
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	for name, c := range map[string]struct {
		answers []error
		want    []time.Duration // of the attempts
		lost    uint64
	}{
		"at once":           {[]error{nil}, seconds(0), 0},
		"third time":        {[]error{refused, busy, nil}, seconds(0, 5, 35), 0},
		"never":             {[]error{busy, busy, busy, nil}, seconds(0, 5, 35), 1},
		"bad message":       {[]error{mail.ErrMessage, nil}, seconds(0), 1},
		"refused for good":  {[]error{&mail.SendError{Code: 535}, nil}, seconds(0), 1},
		"refused at second": {[]error{busy, &mail.SendError{Code: 550}, nil}, seconds(0, 5), 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &postman{answer: func(_ context.Context, n int) error {
					return c.answers[n-1]
				}}
				a, logged := started(t, alert.Options{Mailer: p})
				a.Tell(down())
				wait(10 * time.Minute)
				var at []time.Duration
				for _, m := range p.all() {
					at = append(at, m.at)
				}
				if !slices.Equal(at, c.want) || a.Lost() != c.lost {
					t.Errorf("attempts at %v, lost %d, want %v and %d",
						at, a.Lost(), c.want, c.lost)
				}
				if n := logged.FilterLevelExact(zap.ErrorLevel).Len(); uint64(n) != c.lost {
					t.Errorf("%d errors logged, want %d", n, c.lost)
				}
			})
		})
	}
}

func TestThoseWhoHaveItDoNotGetItAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &postman{answer: func(_ context.Context, n int) error {
			if n == 1 {
				return &mail.SendError{Code: 450, Undelivered: []string{"b@example.com"}}
			}
			return nil
		}}
		to := []string{"a@example.com", "b@example.com"}
		a, _ := started(t, alert.Options{Mailer: p, To: to})
		a.Tell(down())
		wait(time.Minute)
		got := p.all()
		if len(got) != 2 || !slices.Equal(got[1].To, to[1:]) {
			t.Fatalf("mails %v, want a second one for b alone", got)
		}
		a.Tell(down())
		wait(time.Minute)
		if got := p.all(); len(got) != 3 || !slices.Equal(got[2].To, to) {
			t.Errorf("mails %v, want the next one for both again", got)
		}
	})
}

func TestPanicCostsOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &postman{answer: func(_ context.Context, n int) error {
			if n == 1 {
				panic("postman bitten")
			}
			return nil
		}}
		a, logged := started(t, alert.Options{Mailer: p})
		a.Tell(numbered(1, false))
		wait(time.Minute)
		a.Tell(numbered(2, false))
		wait(time.Minute)
		if got := p.all(); len(got) != 2 || a.Lost() != 1 {
			t.Errorf("%d mails, lost %d, want 2 and 1", len(got), a.Lost())
		}
		if logged.FilterMessageSnippet("panic").Len() != 1 {
			t.Errorf("the panic is not logged: %v", logged.All())
		}
	})
}

func TestStopTellsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &postman{answer: func(_ context.Context, n int) error {
			if n < 3 {
				return errors.New("busy")
			}
			return nil
		}}
		a, _ := started(t, alert.Options{Mailer: p, Delay: time.Hour})
		a.Tell(down())
		began := time.Now()
		for range 2 {
			if err := a.Stop(t.Context()); err != nil || time.Since(began) > 0 {
				t.Errorf("Stop = %v after %v, want none at once", err, time.Since(began))
			}
		}
		if n := len(p.all()); n != 3 || a.Lost() != 0 {
			t.Errorf("%d attempts, lost %d, want 3 and none", n, a.Lost())
		}
		a.Tell(down())
		wait(2 * time.Hour)
		if n := len(p.all()); n != 3 || a.Lost() != 1 {
			t.Errorf("after Stop: %d attempts, lost %d, want 3 and 1", n, a.Lost())
		}
	})
}

func TestStopEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &postman{answer: func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		a, logged := started(t, alert.Options{Mailer: p, Delay: time.Second})
		a.Tell(down())
		wait(2 * time.Second) // under way
		a.Tell(down())        // and another one waits
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		err := a.Stop(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "by mail") ||
			time.Since(began) != 3*time.Second {
			t.Errorf("Stop = %v after %v, want that mail took more than 3s", err, time.Since(began))
		}
		synctest.Wait()
		if a.Lost() != 2 || logged.FilterLevelExact(zap.ErrorLevel).Len() != 2 {
			t.Errorf("lost %d, logged %v, want two messages of one change", a.Lost(), logged.All())
		}
	})
}

func TestNobodyToTell(t *testing.T) {
	var none *alert.Alerter
	empty, _ := started(t, alert.Options{})
	for _, a := range []*alert.Alerter{none, empty} {
		a.Tell(down())
		if err := a.Stop(t.Context()); err != nil || a.Lost() != 0 {
			t.Errorf("Stop = %v, lost %d", err, a.Lost())
		}
	}
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]alert.Options{
		"no mailer":      {To: []string{"ops@example.com"}},
		"bad address":    {To: []string{"ops@example.com\r\nBcc: x@y"}, Mailer: &postman{}},
		"many addresses": {To: make([]string, 101), Mailer: &postman{}},
		"no scheme":      {Webhook: "hooks.test/secret"},
		"other scheme":   {Webhook: "ftp://hooks.test/secret"},
		"no host":        {Webhook: "https:///secret"},
		"not parsable":   {Webhook: "https://hooks.test/secret\x7f"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := alert.New(o)
			if a != nil || !errors.Is(err, alert.ErrOption) ||
				strings.Contains(err.Error(), "secret") {
				t.Errorf("New = %v, %v, want an option error that tells no secret", a, err)
			}
		})
	}
}

// wait lets time pass, and what is due then happen.
func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func seconds(list ...time.Duration) []time.Duration {
	for i := range list {
		list[i] *= time.Second
	}
	return list
}
