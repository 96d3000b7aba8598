package alert_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"doorward/alert"
)

// told returns the mail about the events.
func told(t *testing.T, host string, events ...alert.Event) post {
	t.Helper()
	p := &postman{}
	synctest.Test(t, func(t *testing.T) {
		a, err := alert.New(alert.Options{
			Host: host, Mailer: p, To: []string{"ops@example.com"}, Delay: time.Hour,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			a.Tell(e)
		}
		if err := a.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if len(p.posts) != 1 {
		t.Fatalf("%d mails, want 1", len(p.posts))
	}
	return p.posts[0]
}

// with changes the event of the tests.
func with(change func(*alert.Event)) alert.Event {
	e := down()
	change(&e)
	return e
}

func TestSubject(t *testing.T) {
	of := func(backend, server string, up bool, left int) alert.Event {
		return with(func(e *alert.Event) {
			e.Backend, e.Server, e.Up, e.Left = backend, server, up, left
		})
	}
	for want, events := range map[string][]alert.Event{
		"app/web1 DOWN, 1 of 3 servers left": {of("app", "web1", false, 1)},
		"app/web1 DOWN, no server left":      {of("app", "web1", false, 0)},
		"app/web1 UP, 3 of 3 servers up":     {of("app", "web1", true, 3)},
		"app/web1 UP, 1 of 1 server up": {with(func(e *alert.Event) {
			e.Up, e.Left, e.Servers = true, 1, 1
		})},
		"app/web1 DOWN, 2 servers left": {with(func(e *alert.Event) { e.Servers = 0 })},
		"app/web1 DOWN, no server left, 2 backup servers": {
			with(func(e *alert.Event) { e.Left, e.Backups = 0, 2 }),
		},
		// The last state of a server that flaps is the one that holds.
		"app/web2 UP, 2 of 3 servers up": {
			of("app", "web2", false, 1), of("app", "web2", true, 2), of("app", "web2", false, 1),
			of("app", "web2", true, 2),
		},
		"app: 2 servers DOWN, 1 of 3 servers left": {
			of("app", "web1", false, 2), of("app", "web2", false, 1),
		},
		"app: 1 server DOWN, 1 UP, 2 of 3 servers up": {
			of("app", "web1", false, 1), of("app", "web2", true, 2),
		},
		"2 backends: 1 server DOWN, 1 UP, no server left in shop": {
			of("app", "web1", true, 1), of("shop", "web1", false, 0),
		},
		"5 backends: 5 servers DOWN, no server left in a, b, c and 2 more": {
			of("a", "1", false, 0), of("b", "1", false, 0), of("c", "1", false, 0),
			of("d", "1", false, 0), of("e", "1", false, 0),
		},
		"2 backends: 2 servers UP": {of("a", "1", true, 1), of("b", "1", true, 1)},
	} {
		if got := told(t, "edge1", events...).Subject; got != "[doorward edge1] "+want {
			t.Errorf("subject %q, want %q", got, want)
		}
	}
	if got := told(t, "", down()).Subject; got != "[doorward] app/web1 DOWN, 2 of 3 servers left" {
		t.Errorf("subject without a host: %q", got)
	}
}

func TestBody(t *testing.T) {
	up := with(func(e *alert.Event) {
		e.Up, e.Server, e.Reason, e.Left = true, "web2", "L7OK 200", 3
		e.At, e.LastState = e.At.Add(3*time.Second), 42*time.Second
	})
	for name, c := range map[string]struct {
		events []alert.Event
		want   string
	}{
		"one": {[]alert.Event{down()}, `1 change on edge1.

2026-03-04 05:06:07 UTC  app/web1  DOWN: L4CON connection refused; was UP for 2h3m; 2 of 3 servers left
`},
		"two": {[]alert.Event{down(), up}, `2 changes on edge1.

app: 1 server DOWN, 1 UP, 3 of 3 servers up

2026-03-04 05:06:07 UTC  app/web1  DOWN: L4CON connection refused; was UP for 2h3m; 2 of 3 servers left
2026-03-04 05:06:10 UTC  app/web2  UP: L7OK 200; was DOWN for 42s; 3 of 3 servers up
`},
		"little known": {[]alert.Event{with(func(e *alert.Event) {
			e.Reason, e.LastState, e.Servers = "", 0, 0
		})}, `1 change on edge1.

2026-03-04 05:06:07 UTC  app/web1  DOWN; 2 servers left
`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := told(t, "edge1", c.events...).Text; got != c.want {
				t.Errorf("text\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestLengthsOfTime(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1234567 * time.Nanosecond:              "1ms",
		1500 * time.Millisecond:                "1s",
		59 * time.Second:                       "59s",
		time.Minute + time.Second:              "1m1s",
		time.Hour:                              "1h0m",
		23*time.Hour + 59*time.Minute + 59*1e9: "23h59m",
		75 * time.Hour:                         "3d3h",
	} {
		text := told(t, "", with(func(e *alert.Event) { e.LastState = d })).Text
		if !strings.Contains(text, "was UP for "+want+";") {
			t.Errorf("%v, want %s:\n%s", d, want, text)
		}
	}
}

func TestLongListsAreSummarized(t *testing.T) {
	var events []alert.Event
	for n := range 300 {
		e := numbered(n, false)
		e.Backend = fmt.Sprintf("b%02d", n%60)
		events = append(events, e)
	}
	text := told(t, "edge1", events...).Text
	for want, listed := range map[string]bool{
		"300 changes on edge1.":     true,
		"\nb49: 5 servers DOWN, ":   true,
		"\nb50: ":                   false,
		"\nand 10 backends more\n":  true,
		"\nThe last 200 changes:\n": true,
		"  b39/web99 ":              false,
		"  b40/web100 ":             true,
		"  b59/web299 ":             true,
	} {
		if strings.Contains(text, want) != listed {
			t.Errorf("the text holds %q: %v, want %v:\n%.3000s", want, !listed, listed, text)
		}
	}
}

// A reason holds what a server said: it must neither break out of its line nor
// fill the mail, nor get into the subject.
func TestReasonsOfServersStayInTheirLine(t *testing.T) {
	m := told(t, "edge1", with(func(e *alert.Event) {
		e.Reason = "L7STS <!channel>\r\n\r\n2026-03-04 all is well\u2028\x00" +
			strings.Repeat("x", 5000)
	}))
	if lines := strings.Count(m.Text, "\n"); lines != 3 || len(m.Text) > 400 {
		t.Errorf("%d lines, %d bytes:\n%s", lines, len(m.Text), m.Text)
	}
	if strings.Contains(m.Subject, "channel") || strings.ContainsAny(m.Text, "\r\x00\u2028") {
		t.Errorf("subject %q, text %q", m.Subject, m.Text)
	}
}
