package stats_test

import (
	"testing"
	"time"

	"doorward/internal/tally"
	"doorward/stats"
)

// noon is when the example is looked at.
func noon() time.Time { return time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC) }

// example is an instance with something of everything: a listener, a backend with a
// stick table, and servers that are well, ailing, in maintenance, and not checked.
type example struct{}

func (example) View() stats.View {
	now := noon()
	return stats.View{
		Node: stats.Node{
			Host: "edge1", Version: "1.2.3", Go: "go1.27.4", PID: 4711, Started: now.Add(-time.Hour),
			Now: now, Connections: 12, MaxConnections: 10_000, ConnectionsTotal: 90, Refused: 3,
			FailedHandshakes: 2, Abuses: 4, Panics: 1, Processors: 2, Goroutines: 30, Memory: 1 << 20,
			CPU: 9 * time.Second,
		},
		Reload: stats.Reload{Done: 4, Refused: 1, At: now.Add(-time.Minute)},
		Frontends: []stats.Frontend{{
			Name: ":443", TLS: true, Open: true, Connections: 11, ConnectionsTotal: 80, Limit: 10_000,
			Traffic: exampleTraffic(100),
		}},
		Routes:   []stats.Route{{Name: "app.example.com", Backend: "app", Traffic: exampleTraffic(200)}},
		Backends: []stats.Backend{exampleBackend(now)},
		Limits: []stats.Limit{{
			Name: "login", By: "client", Keys: 5, Queued: 1, Passed: 50, Refused: 6, Delayed: 7,
		}},
		Certificates: []stats.Certificate{
			{Names: []string{"app.example.com"}, Source: "app.pem", Issuer: "CA",
				NotAfter: now.Add(48 * time.Hour)},
			{Names: []string{"app.example.com"}, Source: "app.pem", Issuer: "CA",
				NotAfter: now.Add(24 * time.Hour)},
			{Source: "broken\xff.pem", NotAfter: now.Add(72 * time.Hour)},
		},
		SignIn: &stats.SignIn{
			Users: 31, Sessions: 12, Events: map[string]int64{"sign-in": 17, "sign-in-failed": 5}, Unkept: 1,
		},
	}
}

func exampleBackend(now time.Time) stats.Backend {
	return stats.Backend{
		Name: "app", Description: "the application", Algorithm: "roundrobin", Cookie: "SRV",
		Queued: 2, QueuedMax: 9, QueueLimit: 1000, Active: 7, ActiveMax: 8, Up: true,
		LastChange: now.Add(-50 * time.Second), Downtime: 20 * time.Second, Downs: 1,
		Traffic: exampleTraffic(300),
		Stick: &stats.Stick{
			On: "src", Size: 100, Used: 60, Expire: time.Hour,
			Matched: 40, Stored: 61, Evicted: 1, Refused: 2,
		},
		Servers: []stats.Server{
			{
				Name: "a", Address: "10.0.0.1:8080", URL: "http://10.0.0.1:8080", Admin: "ready",
				Weight: 10, ConfiguredWeight: 10, Share: 45, Active: 4, ActiveMax: 6, Limit: 32,
				Queued: 1, QueuedMax: 3, QueueLimit: 64, Claims: 410, Connections: 21, Reused: 389,
				Failures: 5, Idle: 8, Cookie: "c1", Traffic: exampleTraffic(400),
				Health: stats.Health{
					Checked: true, Up: true, Rise: 2, Fall: 3, Counter: 3, Status: "L7STS", Code: 500,
					Took: 12 * time.Millisecond, Description: "Internal Server Error", At: now, Running: true,
					Fails: 11, Downs: 2, Downtime: 33 * time.Second, LastChange: now.Add(-40 * time.Second),
				},
			},
			{
				Name: "b", Address: "10.0.0.2:8080", Admin: "ready", Backup: true, Weight: 1,
				ConfiguredWeight: 1, Share: 100,
			},
			{
				Name: "c", Address: "10.0.0.3:8080", Admin: "maint", AdminBy: "ops",
				AdminAt: now.Add(-30 * time.Second), Weight: 5, ConfiguredWeight: 5, Share: 100,
				Health: stats.Health{
					Checked: true, Up: true, Rise: 2, Fall: 3, Counter: 4, Status: "L4OK",
					LastChange: now.Add(-time.Hour),
				},
			},
		},
	}
}

// exampleTraffic counts from a number on, so that no two counters are the same.
func exampleTraffic(n int64) tally.Totals {
	t := tally.Totals{Requests: n, BytesIn: n + 1, BytesOut: n + 2}
	for i := range t.Classes {
		t.Classes[i] = n + 10 + int64(i)
	}
	for i := range t.Events {
		t.Events[i] = n + 20 + int64(i)
	}
	for i := range t.Timers {
		h := &t.Timers[i]
		h.Counts[i], h.Counts[tally.Buckets-1] = n, 1
		h.Sum = time.Duration(n+int64(i)) * time.Second
	}
	return t
}

func examplePicture() stats.Picture {
	return stats.NewSampler(example{}, stats.SamplerOptions{}).Picture()
}

func TestStatusIsHAProxys(t *testing.T) {
	checked := func(up bool, counter int) stats.Health {
		return stats.Health{Checked: true, Up: up, Rise: 2, Fall: 3, Counter: counter}
	}
	tests := []struct {
		want   string
		admin  string
		health stats.Health
		usable bool
	}{
		{"no check", "ready", stats.Health{}, true},
		{"UP", "ready", checked(true, 4), true},
		{"UP 2/3", "ready", checked(true, 3), true},
		{"UP 1/3", "ready", checked(true, 2), true},
		{"DOWN 1/2", "ready", checked(false, 1), false},
		{"DOWN", "ready", checked(false, 0), false},
		{"DRAIN", "drain", stats.Health{}, false},
		{"DRAIN", "drain", checked(true, 4), false},
		{"DRAIN 1/3", "drain", checked(true, 2), false},
		{"DOWN", "drain", checked(false, 0), false},
		{"MAINT", "maint", checked(false, 0), false},
		{"MAINT", "maint", stats.Health{}, false},
	}
	for _, test := range tests {
		s := stats.Server{Admin: test.admin, Weight: 1, Health: test.health}
		if got := s.Status(); got != test.want || s.Usable() != test.usable {
			t.Errorf("%s, %+v: %q, usable %t; want %q, %t", test.admin, test.health,
				got, s.Usable(), test.want, test.usable)
		}
	}
	if s := (stats.Server{Admin: "ready"}); s.Usable() {
		t.Error("a server without weight is usable")
	}
	open, shut := stats.Frontend{Open: true}, stats.Frontend{}
	up, down := stats.Backend{Up: true}, stats.Backend{}
	if open.Status() != "OPEN" || shut.Status() != "STOP" ||
		up.Status() != "UP" || down.Status() != "DOWN" {
		t.Error("words of listeners and backends")
	}
}
