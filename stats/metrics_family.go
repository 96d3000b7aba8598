package stats

import (
	"math"
	"strings"
	"time"

	"doorward/internal/tally"

	"github.com/prometheus/client_golang/prometheus"
)

// Metric describes one of the metrics that Metrics serves.
type Metric struct {
	// Name is the whole name, Type is "gauge", "counter", "histogram" or "summary",
	// Help is a sentence.
	Name, Type, Help string
	// Labels are the names of its labels; nil for none.
	Labels []string
}

// family is the metrics that rows of type R have in common.
type family[R any] struct {
	prefix  string
	labels  []string
	metrics []measure[R]
}

// measure is one metric of a family: what it is, and what sends its values for a
// row, whose labels are given.
type measure[R any] struct {
	Metric
	desc *prometheus.Desc
	send func(ch chan<- prometheus.Metric, row *R, labels []string)
}

// absent is the value of a metric that a row does not have.
func absent() float64 { return math.NaN() }

// newMeasure is a measure that sends nothing yet. More are labels besides the
// family's.
func (f *family[R]) newMeasure(name, kind, help string, more ...string) measure[R] {
	m := measure[R]{Metric: Metric{Name: f.prefix + name, Type: kind, Help: help}}
	m.Labels = append(append(m.Labels, f.labels...), more...)
	m.desc = prometheus.NewDesc(m.Name, help, m.Labels, nil)
	return m
}

func (f *family[R]) add(m measure[R]) { f.metrics = append(f.metrics, m) }

// gauge adds a value that goes up and down.
func (f *family[R]) gauge(name, help string, value func(*R) float64) {
	f.single(f.newMeasure(name, "gauge", help), prometheus.GaugeValue, value)
}

// counter adds a value that only goes up.
func (f *family[R]) counter(name, help string, value func(*R) float64) {
	f.single(f.newMeasure(name, "counter", help), prometheus.CounterValue, value)
}

func (f *family[R]) single(m measure[R], kind prometheus.ValueType, value func(*R) float64) {
	m.send = func(ch chan<- prometheus.Metric, row *R, labels []string) {
		if v := value(row); !math.IsNaN(v) {
			ch <- prometheus.MustNewConstMetric(m.desc, kind, v, labels...)
		}
	}
	f.add(m)
}

// moment adds a gauge of a time; the zero one is left out.
func (f *family[R]) moment(name, help string, value func(*R) time.Time) {
	f.gauge(name+"_timestamp_seconds", help+", in seconds since 1970.", func(row *R) float64 {
		t := value(row)
		if t.IsZero() {
			return absent()
		}
		return float64(t.UnixMilli()) / 1000
	})
}

// state adds a gauge for each of the words that a label can be: 1 for the one that
// holds.
func (f *family[R]) state(name, help, label string, words []string, holds func(*R) string) {
	m := f.newMeasure(name, "gauge", help, label)
	m.send = func(ch chan<- prometheus.Metric, row *R, labels []string) {
		now := holds(row)
		for _, word := range words {
			all := append(labels[:len(labels):len(labels)], word)
			ch <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, flag(word == now), all...)
		}
	}
	f.add(m)
}

// info adds a gauge that is always 1 and says what it has to say in labels. No
// values mean that the row has none.
func (f *family[R]) info(name, help string, more []string, values func(*R) []string) {
	m := f.newMeasure(name, "gauge", help, more...)
	m.send = func(ch chan<- prometheus.Metric, row *R, labels []string) {
		if v := values(row); len(v) > 0 {
			all := append(labels[:len(labels):len(labels)], v...)
			ch <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, 1, all...)
		}
	}
	f.add(m)
}

// traffic adds what every tally counts: requests by class of status, and bytes.
func (f *family[R]) traffic(of func(*R) *tally.Totals) {
	m := f.newMeasure("requests_total", "counter",
		"Requests that were finished, by class of status.", "code")
	m.send = func(ch chan<- prometheus.Metric, row *R, labels []string) {
		for class, n := range of(row).Classes {
			all := append(labels[:len(labels):len(labels)], codeClass(class))
			ch <- prometheus.MustNewConstMetric(m.desc, prometheus.CounterValue, float64(n), all...)
		}
	}
	f.add(m)
	f.counter("received_bytes_total", "Bytes that clients sent in requests, heads included.",
		func(row *R) float64 { return float64(of(row).BytesIn) })
	f.counter("sent_bytes_total", "Bytes that clients got in answers, heads included.",
		func(row *R) float64 { return float64(of(row).BytesOut) })
}

// codeClass names a class of statuses; 0 is no status at all.
func codeClass(class int) string {
	return [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}[class]
}

// event adds a counter of an event.
func (f *family[R]) event(e tally.Event, name, help string, of func(*R) *tally.Totals) {
	f.counter(name, help, func(row *R) float64 { return float64(of(row).Of(e)) })
}

// histogram adds a timer with its buckets.
func (f *family[R]) histogram(t tally.Timer, name, help string, of func(*R) *tally.Totals) {
	m := f.newMeasure(name, "histogram", help)
	m.send = func(ch chan<- prometheus.Metric, row *R, labels []string) {
		h := &of(row).Timers[t]
		buckets := make(map[float64]uint64, tally.Buckets-1)
		count := uint64(0)
		for i, n := range h.Counts {
			count += uint64(n)
			if i < tally.Buckets-1 {
				buckets[tally.Bound(i).Seconds()] = count
			}
		}
		ch <- prometheus.MustNewConstHistogram(m.desc, count, h.Sum.Seconds(), buckets, labels...)
	}
	f.add(m)
}

// summary adds a timer without buckets: sum and count.
func (f *family[R]) summary(t tally.Timer, name, help string, of func(*R) *tally.Totals) {
	m := f.newMeasure(name, "summary", help)
	m.send = func(ch chan<- prometheus.Metric, row *R, labels []string) {
		h := &of(row).Timers[t]
		ch <- prometheus.MustNewConstSummary(m.desc, uint64(h.Count()), h.Sum.Seconds(), nil, labels...)
	}
	f.add(m)
}

// send sends all metrics of a row. A label must be UTF-8; the name of a file need
// not be.
func (f *family[R]) send(ch chan<- prometheus.Metric, row *R, labels ...string) {
	for i := range labels {
		labels[i] = strings.ToValidUTF8(labels[i], "\uFFFD")
	}
	for i := range f.metrics {
		f.metrics[i].send(ch, row, labels)
	}
}

func (f *family[R]) describe(ch chan<- *prometheus.Desc) {
	for i := range f.metrics {
		ch <- f.metrics[i].desc
	}
}

func (f *family[R]) list() []Metric {
	list := make([]Metric, len(f.metrics))
	for i := range f.metrics {
		list[i] = f.metrics[i].Metric
	}
	return list
}

// flag is 1 for true.
func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// limit is a limit that 0 stands for none of.
func limit(n int64) float64 {
	if n == 0 {
		return absent()
	}
	return float64(n)
}
