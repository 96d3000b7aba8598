package alert_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"doorward/alert"
	"doorward/mail"
)

// TestMain fails the package when goroutines outlive their tests.
func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	poll, end := time.NewTicker(time.Millisecond), time.Now().Add(5*time.Second)
	for ; code == 0 && runtime.NumGoroutine() > before; <-poll.C {
		if time.Now().After(end) {
			buf := make([]byte, 1<<20)
			fmt.Printf("goroutines left:\n%s\n", buf[:runtime.Stack(buf, true)])
			code = 1
		}
	}
	os.Exit(code)
}

// post is a mail that was handed over, with the time since the first.
type post struct {
	mail.Message
	at time.Duration
}

// postman notes mails, and answers as answer says; nil: all is well.
type postman struct {
	answer func(ctx context.Context, n int) error // n counts from 1

	mu    sync.Mutex
	began time.Time
	posts []post
}

func (p *postman) Send(ctx context.Context, m mail.Message) error {
	p.mu.Lock()
	if p.posts == nil {
		p.began = time.Now()
	}
	p.posts = append(p.posts, post{m, time.Since(p.began)})
	n := len(p.posts)
	p.mu.Unlock()
	if p.answer == nil {
		return nil
	}
	return p.answer(ctx, n)
}

func (p *postman) all() []post {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.posts
}

// carrier is a transport that is a function.
type carrier func(*http.Request) (*http.Response, error)

func (c carrier) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }

// started makes an alerter of mail to ops that ends with the test, and its log.
func started(t *testing.T, o alert.Options) (*alert.Alerter, *observer.ObservedLogs) {
	t.Helper()
	core, logged := observer.New(zap.DebugLevel)
	o.Log = zap.New(core)
	if o.Mailer != nil && o.To == nil {
		o.To = []string{"ops@example.com"}
	}
	if o.Host == "" {
		o.Host = "edge1"
	}
	a, err := alert.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = a.Stop(ctx)
	})
	return a, logged
}

// down is app/web1 that goes down, one of three.
func down() alert.Event {
	return alert.Event{
		At:      time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.UTC),
		Backend: "app", Server: "web1", Reason: "L4CON connection refused",
		LastState: 2*time.Hour + 3*time.Minute + 500*time.Millisecond,
		Left:      2, Servers: 3,
	}
}

// numbered is the n-th server of a farm.
func numbered(n int, up bool) alert.Event {
	e := down()
	e.Server, e.Up = fmt.Sprintf("web%d", n), up
	return e
}
