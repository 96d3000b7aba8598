package stats

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

func signInMetrics() *family[SignIn] {
	f := &family[SignIn]{prefix: "doorward_"}
	f.gauge("users", "Users that the directory has.",
		func(s *SignIn) float64 { return float64(s.Users) })
	f.gauge("sessions", "Sessions of users that are open.",
		func(s *SignIn) float64 { return float64(s.Sessions) })
	m := f.newMeasure("sign_in_events_total", "counter",
		"What the event log tells of, by kind: sign-in, sign-in-failed, and so on.", "event")
	m.send = func(ch chan<- prometheus.Metric, s *SignIn, _ []string) {
		for _, kind := range slices.Sorted(maps.Keys(s.Events)) {
			ch <- prometheus.MustNewConstMetric(m.desc, prometheus.CounterValue,
				float64(s.Events[kind]), kind)
		}
	}
	f.add(m)
	f.counter("sign_in_events_unkept_total",
		"Events that are in the process log alone: the store was slow, or attempts too many.",
		func(s *SignIn) float64 { return float64(s.Unkept) })
	return f
}
