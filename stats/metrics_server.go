package stats

import (
	"time"

	"doorward/internal/tally"
)

func backendMetrics() *family[BackendRow] {
	f := &family[BackendRow]{prefix: "doorward_backend_", labels: []string{"backend"}}
	of := func(b *BackendRow) *tally.Totals { return &b.Traffic }
	f.gauge("up", "1 while a server takes requests.",
		func(b *BackendRow) float64 { return flag(b.Up) })
	f.gauge("servers", "Servers of the backend.",
		func(b *BackendRow) float64 { return float64(len(b.Servers)) })
	f.gauge("servers_usable", "Servers that take new requests.",
		func(b *BackendRow) float64 {
			active, backup := b.Usable()
			return float64(active + backup)
		})
	f.moment("last_change", "When the backend last went up or down",
		func(b *BackendRow) time.Time { return b.LastChange })
	f.counter("downs_total", "How often the backend went down.",
		func(b *BackendRow) float64 { return float64(b.Downs) })
	f.counter("downtime_seconds_total", "How long no server took requests.",
		func(b *BackendRow) float64 { return b.Downtime.Seconds() })
	f.gauge("requests_active", "Requests at servers.",
		func(b *BackendRow) float64 { return float64(b.Active) })
	f.gauge("requests_active_peak", "The most requests that were at servers at one time.",
		func(b *BackendRow) float64 { return float64(b.ActiveMax) })
	f.gauge("requests_queued", "Requests that wait for a server.",
		func(b *BackendRow) float64 { return float64(b.Queued) })
	f.gauge("requests_queued_peak", "The most requests that waited at one time.",
		func(b *BackendRow) float64 { return float64(b.QueuedMax) })
	f.gauge("requests_queued_limit", "How many requests may wait; not there without a limit.",
		func(b *BackendRow) float64 { return limit(b.QueueLimit) })
	f.moment("last_session", "When a request was last seen",
		func(b *BackendRow) time.Time { return b.LastSession })
	f.traffic(of)
	f.serverEvents(of)
	f.event(tally.Denied, "requests_denied_total", "Requests that rules refused.", of)
	f.histogram(tally.Queue, "queue_duration_seconds", "The wait for a place on a server.", of)
	f.histogram(tally.Connect, "connect_duration_seconds",
		"Connecting to the server; nothing on a connection that was there.", of)
	f.histogram(tally.Response, "response_duration_seconds",
		"From the connection to the head of the answer.", of)
	f.histogram(tally.Total, "request_duration_seconds",
		"From the first byte of a request to the last of its answer.", of)
	return f
}

// serverEvents adds what can happen between Doorward and servers.
func (f *family[R]) serverEvents(of func(*R) *tally.Totals) {
	f.event(tally.Sticky, "requests_sticky_total", "Requests whose server persistence chose.", of)
	f.event(tally.ConnectFailed, "connect_failures_total",
		"Connections to servers that came to nothing.", of)
	f.event(tally.AnswerFailed, "answer_failures_total", "Answers that were none, or broke off.", of)
	f.event(tally.Retried, "retries_total", "Further tries at the same server.", of)
	f.event(tally.Redispatched, "redispatches_total", "Further tries at another server.", of)
	f.event(tally.ClientAborted, "client_aborts_total", "Clients that left in the middle.", of)
	f.event(tally.ServerAborted, "server_aborts_total", "Servers that left in the middle.", of)
}

func stickMetrics() *family[Stick] {
	f := &family[Stick]{prefix: "doorward_backend_stick_", labels: []string{"backend"}}
	f.gauge("entries", "Clients that the stick table knows.",
		func(s *Stick) float64 { return float64(s.Used) })
	f.gauge("entries_limit", "How many clients the stick table has room for.",
		func(s *Stick) float64 { return float64(s.Size) })
	f.counter("matched_total", "Requests whose client the stick table knew.",
		func(s *Stick) float64 { return float64(s.Matched) })
	f.counter("stored_total", "Clients that the stick table took in.",
		func(s *Stick) float64 { return float64(s.Stored) })
	f.counter("evicted_total", "Clients that the stick table forgot because it was full.",
		func(s *Stick) float64 { return float64(s.Evicted) })
	f.counter("refused_total", "Clients that the stick table did not take in because it was full.",
		func(s *Stick) float64 { return float64(s.Refused) })
	return f
}

func serverMetrics() *family[ServerRow] {
	f := &family[ServerRow]{prefix: "doorward_server_", labels: []string{"backend", "server"}}
	of := func(s *ServerRow) *tally.Totals { return &s.Traffic }
	addServerState(f)
	addServerChecks(f)
	addServerLoad(f)
	f.traffic(of)
	f.serverEvents(of)
	f.summary(tally.Response, "response_duration_seconds",
		"From the connection to the head of the answer.", of)
	f.summary(tally.Total, "request_duration_seconds",
		"From the first byte of a request to the last of its answer.", of)
	return f
}

func addServerState(f *family[ServerRow]) {
	f.gauge("up", "1 while checks say so; always 1 for a server that is not checked.",
		func(s *ServerRow) float64 { return flag(s.IsUp()) })
	f.gauge("usable", "1 while the server takes new requests.",
		func(s *ServerRow) float64 { return flag(s.Usable()) })
	f.gauge("backup", "1 for a server that gets requests only when no other can.",
		func(s *ServerRow) float64 { return flag(s.Backup) })
	f.state("admin_state", "1 for what people say of the server, 0 for the other words.", "state",
		[]string{"ready", "drain", "maint"}, func(s *ServerRow) string { return s.Admin })
	f.gauge("weight", "The share of requests.",
		func(s *ServerRow) float64 { return float64(s.Weight) })
	f.gauge("weight_configured", "The share of requests as configured.",
		func(s *ServerRow) float64 { return float64(s.ConfiguredWeight) })
	f.gauge("slow_start_ratio", "How much of its weight slow start allows, 1 for all of it.",
		func(s *ServerRow) float64 { return float64(s.Share) / 100 })
}

func addServerChecks(f *family[ServerRow]) {
	checked := func(value func(*Health) float64) func(*ServerRow) float64 {
		return func(s *ServerRow) float64 {
			if !s.Health.Checked {
				return absent()
			}
			return value(&s.Health)
		}
	}
	f.info("check_status", "Always 1: the word for the result of the last check.", []string{"status"},
		func(s *ServerRow) []string {
			if !s.Health.Checked || s.Health.Status == "" {
				return nil
			}
			return []string{s.Health.Status}
		})
	f.gauge("check_duration_seconds", "How long the last check took.",
		checked(func(h *Health) float64 { return h.Took.Seconds() }))
	f.moment("check", "When the last check ended",
		func(s *ServerRow) time.Time { return s.Health.At })
	f.counter("check_failures_total", "Checks that failed while the server was up.",
		checked(func(h *Health) float64 { return float64(h.Fails) }))
	f.counter("downs_total", "How often checks took the server down.",
		checked(func(h *Health) float64 { return float64(h.Downs) }))
	f.counter("downtime_seconds_total", "How long the server was down.",
		checked(func(h *Health) float64 { return h.Downtime.Seconds() }))
	f.moment("last_change", "When the server last went up or down",
		func(s *ServerRow) time.Time { return s.Health.LastChange })
}

func addServerLoad(f *family[ServerRow]) {
	f.gauge("requests_active", "Requests at the server.",
		func(s *ServerRow) float64 { return float64(s.Active) })
	f.gauge("requests_active_peak", "The most requests that were at the server at one time.",
		func(s *ServerRow) float64 { return float64(s.ActiveMax) })
	f.gauge("requests_active_limit", "How many requests it may have; not there without a limit.",
		func(s *ServerRow) float64 { return limit(s.Limit) })
	f.gauge("requests_queued", "Requests that wait for this very server.",
		func(s *ServerRow) float64 { return float64(s.Queued) })
	f.gauge("requests_queued_peak", "The most requests that waited for it at one time.",
		func(s *ServerRow) float64 { return float64(s.QueuedMax) })
	f.gauge("requests_queued_limit", "How many requests may wait for it; not there without a limit.",
		func(s *ServerRow) float64 { return limit(s.QueueLimit) })
	f.counter("claims_total", "Requests that were given to the server, repeats included.",
		func(s *ServerRow) float64 { return float64(s.Claims) })
	f.gauge("connections_idle", "Connections that wait for a request.",
		func(s *ServerRow) float64 { return float64(s.Idle) })
	f.counter("connections_total", "Connections that were opened.",
		func(s *ServerRow) float64 { return float64(s.Connections) })
	f.counter("connections_reused_total", "How often a connection served another request.",
		func(s *ServerRow) float64 { return float64(s.Reused) })
	f.moment("last_session", "When a request was last seen",
		func(s *ServerRow) time.Time { return s.LastSession })
}
