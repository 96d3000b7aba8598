// Package stats shows what the instance does: as a page for people, as HAProxy's
// CSV, as JSON and as metrics for Prometheus.
//
// All of them are made from one [View], which package app fills, and from what a
// Sampler saw of the views before it: rates, maxima, averages and the last hour.
// The package touches neither servers nor connections. What the buttons of the
// page ask for is done by a [Steward].
package stats
