package stats

import (
	"time"

	"doorward/internal/tally"
)

func instanceMetrics() *family[Picture] {
	f := &family[Picture]{prefix: "doorward_"}
	f.info("build_info", "Always 1: the version of Doorward and of Go.",
		[]string{"version", "go_version"},
		func(p *Picture) []string { return []string{p.Node.Version, p.Node.Go} })
	f.moment("start", "When the process started",
		func(p *Picture) time.Time { return p.Node.Started })
	f.gauge("draining", "1 while the instance is about to end.",
		func(p *Picture) float64 { return flag(p.Node.Draining) })
	f.gauge("connections", "Clients that are connected.",
		func(p *Picture) float64 { return float64(p.Node.Connections) })
	f.gauge("connections_limit", "How many clients may be connected at a time.",
		func(p *Picture) float64 { return limit(p.Node.MaxConnections) })
	f.counter("connections_total", "Clients that were connected.",
		func(p *Picture) float64 { return float64(p.Node.ConnectionsTotal) })
	f.counter("connections_refused_total", "Connections over the limit of a client.",
		func(p *Picture) float64 { return float64(p.Node.Refused) })
	f.counter("tls_handshake_failures_total", "TLS handshakes that came to nothing.",
		func(p *Picture) float64 { return float64(p.Node.FailedHandshakes) })
	f.counter("http2_abuses_total",
		"HTTP/2 connections ended because their client kept us busy with nothing.",
		func(p *Picture) float64 { return float64(p.Node.Abuses) })
	f.counter("panics_total", "Mistakes of Doorward itself, each of which cost a request.",
		func(p *Picture) float64 { return float64(p.Node.Panics) })
	f.counter("config_reloads_total", "Reloads that came into force.",
		func(p *Picture) float64 { return float64(p.Reload.Done) })
	f.counter("config_reloads_refused_total", "Reloads that were refused.",
		func(p *Picture) float64 { return float64(p.Reload.Refused) })
	f.gauge("config_last_reload_successful", "1 unless the last reload was refused.",
		func(p *Picture) float64 { return flag(!p.Reload.FailedAt.After(p.Reload.At)) })
	f.moment("config_last_success", "When the configuration in force came into force",
		func(p *Picture) time.Time { return p.Reload.At })
	return f
}

func listenerMetrics() *family[FrontendRow] {
	f := &family[FrontendRow]{prefix: "doorward_listener_", labels: []string{"listener"}}
	of := func(r *FrontendRow) *tally.Totals { return &r.Traffic }
	f.gauge("open", "1 while the listener accepts.",
		func(r *FrontendRow) float64 { return flag(r.Open) })
	f.gauge("connections", "Clients that are connected.",
		func(r *FrontendRow) float64 { return float64(r.Connections) })
	f.counter("connections_total", "Clients that were connected.",
		func(r *FrontendRow) float64 { return float64(r.ConnectionsTotal) })
	f.traffic(of)
	f.event(tally.Denied, "requests_denied_total", "Requests that rules refused.", of)
	f.event(tally.Invalid, "requests_invalid_total", "Requests that were wrong.", of)
	f.event(tally.Local, "local_answers_total", "Answers that Doorward gave itself.", of)
	f.event(tally.ClientAborted, "client_aborts_total", "Clients that left in the middle.", of)
	return f
}

func routeMetrics() *family[RouteRow] {
	f := &family[RouteRow]{prefix: "doorward_route_", labels: []string{"route"}}
	of := func(r *RouteRow) *tally.Totals { return &r.Traffic }
	f.traffic(of)
	f.event(tally.Denied, "requests_denied_total", "Requests that rules refused.", of)
	f.event(tally.Local, "local_answers_total", "Answers that Doorward gave itself.", of)
	f.event(tally.ClientAborted, "client_aborts_total", "Clients that left in the middle.", of)
	f.histogram(tally.Total, "request_duration_seconds",
		"From the first byte of a request to the last of its answer.", of)
	return f
}

func limitMetrics() *family[Limit] {
	f := &family[Limit]{prefix: "doorward_rate_limit_", labels: []string{"limit"}}
	f.gauge("keys", "Clients, routes or users that are remembered.",
		func(l *Limit) float64 { return float64(l.Keys) })
	f.gauge("requests_queued", "Requests that wait.",
		func(l *Limit) float64 { return float64(l.Queued) })
	f.counter("requests_passed_total", "Requests that passed at once.",
		func(l *Limit) float64 { return float64(l.Passed) })
	f.counter("requests_delayed_total", "Requests that passed after a wait.",
		func(l *Limit) float64 { return float64(l.Delayed) })
	f.counter("requests_refused_total",
		"Requests that were refused; with log_only those that would have been.",
		func(l *Limit) float64 { return float64(l.Refused) })
	return f
}

func certificateMetrics() *family[Certificate] {
	f := &family[Certificate]{prefix: "doorward_certificate_", labels: []string{"name", "source"}}
	f.moment("not_after", "When the certificate ends",
		func(c *Certificate) time.Time { return c.NotAfter })
	return f
}
