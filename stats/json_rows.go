package stats

import "doorward/internal/tally"

func newPictureJSON(p *Picture) pictureJSON {
	j := pictureJSON{
		Now: p.Node.Now, Node: newNodeJSON(p),
		Reload: reloadJSON{
			Done: p.Reload.Done, Refused: p.Reload.Refused, At: p.Reload.At,
			FailedAt: p.Reload.FailedAt, Error: p.Reload.Error,
		},
		All:          newSeenJSON(&p.All),
		Frontends:    each(p.Frontends, newFrontendJSON),
		Routes:       each(p.Routes, newRouteJSON),
		Backends:     each(p.Backends, newBackendJSON),
		Limits:       each(p.Limits, newLimitJSON),
		Certificates: each(p.Certificates, newCertificateJSON),
	}
	if s := p.SignIn; s != nil {
		j.SignIn = &signInJSON{Users: s.Users, Sessions: s.Sessions, Events: s.Events, Unkept: s.Unkept}
	}
	for i := range tally.Buckets - 1 {
		j.Bounds = append(j.Bounds, tally.Bound(i).Seconds())
	}
	return j
}

// each is what make makes of each row; not nil, so that an empty list is [].
func each[R, J any](rows []R, make func(*R) J) []J {
	list := []J{}
	for i := range rows {
		list = append(list, make(&rows[i]))
	}
	return list
}

func newNodeJSON(p *Picture) nodeJSON {
	n := &p.Node
	return nodeJSON{
		Host: n.Host, Version: n.Version, Go: n.Go, PID: n.PID, Started: n.Started,
		Draining: n.Draining, Connections: n.Connections, MaxConnections: n.MaxConnections,
		ConnectionsTotal: n.ConnectionsTotal, Refused: n.Refused,
		FailedHandshakes: n.FailedHandshakes, Abuses: n.Abuses, Panics: n.Panics,
		Processors: n.Processors,
		Goroutines: n.Goroutines, Memory: n.Memory, CPU: n.CPU.Seconds(), CPURate: p.CPU,
	}
}

func newFrontendJSON(f *FrontendRow) frontendJSON {
	return frontendJSON{
		Name: f.Name, TLS: f.TLS, Open: f.Open, Status: f.Status(),
		Connections: f.Connections, ConnectionsTotal: f.ConnectionsTotal, Limit: f.Limit,
		Traffic: newTrafficJSON(&f.Traffic), Seen: newSeenJSON(&f.Seen),
	}
}

func newRouteJSON(r *RouteRow) routeJSON {
	return routeJSON{
		Name: r.Name, Backend: r.Backend,
		Traffic: newTrafficJSON(&r.Traffic), Seen: newSeenJSON(&r.Seen),
	}
}

func newLimitJSON(l *Limit) limitJSON {
	return limitJSON{
		Name: l.Name, By: l.By, LogOnly: l.LogOnly, Keys: l.Keys, Queued: l.Queued,
		Passed: l.Passed, Refused: l.Refused, Delayed: l.Delayed,
	}
}

func newCertificateJSON(c *Certificate) certificateJSON {
	names := append([]string{}, c.Names...) // an empty list, not null
	return certificateJSON{
		Names: names, Source: c.Source, Issuer: c.Issuer, NotAfter: c.NotAfter,
		State: c.State, Error: c.Error, NextTry: c.NextTry,
	}
}

func newTrafficJSON(t *tally.Totals) trafficJSON {
	j := trafficJSON{
		Requests: t.Requests, BytesIn: t.BytesIn, BytesOut: t.BytesOut,
		Codes:  make(map[string]int64, len(t.Classes)),
		Denied: t.Of(tally.Denied), Invalid: t.Of(tally.Invalid),
		ConnectFailed: t.Of(tally.ConnectFailed), AnswerFailed: t.Of(tally.AnswerFailed),
		Retried: t.Of(tally.Retried), Redispatched: t.Of(tally.Redispatched),
		ClientAborted: t.Of(tally.ClientAborted), ServerAborted: t.Of(tally.ServerAborted),
		Local: t.Of(tally.Local), Sticky: t.Of(tally.Sticky),
		Queue:    newHistogramJSON(&t.Timers[tally.Queue]),
		Connect:  newHistogramJSON(&t.Timers[tally.Connect]),
		Response: newHistogramJSON(&t.Timers[tally.Response]),
		Total:    newHistogramJSON(&t.Timers[tally.Total]),
	}
	for class, n := range t.Classes {
		j.Codes[codeClass(class)] = n
	}
	return j
}

func newHistogramJSON(h *tally.Histogram) histogramJSON {
	return histogramJSON{Sum: h.Sum.Seconds(), Counts: h.Counts}
}

func newSeenJSON(s *Seen) seenJSON {
	return seenJSON{
		RequestRate: s.RequestRate, RequestRateMax: s.RequestRateMax,
		ConnectionRate: s.ConnectionRate, ConnectionRateMax: s.ConnectionRateMax,
		BytesInRate: s.BytesInRate, BytesOutRate: s.BytesOutRate,
		SessionsMax: s.SessionsMax, LastSession: s.LastSession,
		Queue: newTimingJSON(&s.Queue), Connect: newTimingJSON(&s.Connect),
		Response: newTimingJSON(&s.Response), Total: newTimingJSON(&s.Total),
	}
}

func newTimingJSON(t *Timing) timingJSON {
	return timingJSON{Mean: t.Mean.Seconds(), Max: t.Max.Seconds()}
}
