package stats

import (
	"net/http"
	"slices"
	"strings"

	"doorward/internal/safe"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// Metrics serves the pictures of the sampler to Prometheus, with what client_golang
// tells of the process and the Go runtime. docs/metrics.md lists the names, which
// stay.
func Metrics(s *Sampler) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCollector(s), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	options := promhttp.HandlerOpts{
		// A metric that cannot be had must not take the others along.
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
	}
	if s.log != nil {
		options.ErrorLog = zap.NewStdLog(s.log)
	}
	serve := promhttp.HandlerFor(registry, options)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		serve.ServeHTTP(w, r)
	})
}

// MetricList lists the metrics of Doorward itself, by name.
func MetricList() []Metric {
	c := newCollector(nil)
	list := slices.Concat(c.instance.list(), c.listeners.list(), c.routes.list(), c.backends.list(),
		c.sticks.list(), c.servers.list(), c.limits.list(), c.certificates.list(), c.signIn.list())
	slices.SortFunc(list, func(a, b Metric) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// collector makes metrics of a picture whenever Prometheus asks.
type collector struct {
	sampler      *Sampler
	instance     *family[Picture]
	listeners    *family[FrontendRow]
	routes       *family[RouteRow]
	backends     *family[BackendRow]
	sticks       *family[Stick]
	servers      *family[ServerRow]
	limits       *family[Limit]
	certificates *family[Certificate]
	signIn       *family[SignIn]
}

func newCollector(s *Sampler) *collector {
	return &collector{
		sampler:      s,
		instance:     instanceMetrics(),
		listeners:    listenerMetrics(),
		routes:       routeMetrics(),
		backends:     backendMetrics(),
		sticks:       stickMetrics(),
		servers:      serverMetrics(),
		limits:       limitMetrics(),
		certificates: certificateMetrics(),
		signIn:       signInMetrics(),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	c.instance.describe(ch)
	c.listeners.describe(ch)
	c.routes.describe(ch)
	c.backends.describe(ch)
	c.sticks.describe(ch)
	c.servers.describe(ch)
	c.limits.describe(ch)
	c.certificates.describe(ch)
	c.signIn.describe(ch)
}

// Collect implements prometheus.Collector. The registry calls it in a goroutine of
// its own, where nobody else would recover.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	defer safe.Recover(c.sampler.log, "metrics")
	p := c.sampler.Picture()
	c.instance.send(ch, &p)
	for i := range p.Frontends {
		c.listeners.send(ch, &p.Frontends[i], p.Frontends[i].Name)
	}
	for i := range p.Routes {
		c.routes.send(ch, &p.Routes[i], p.Routes[i].Name)
	}
	for i := range p.Backends {
		b := &p.Backends[i]
		c.backends.send(ch, b, b.Name)
		if b.Stick != nil {
			c.sticks.send(ch, b.Stick, b.Name)
		}
		for j := range b.Servers {
			c.servers.send(ch, &b.Servers[j], b.Name, b.Servers[j].Name)
		}
	}
	for i := range p.Limits {
		c.limits.send(ch, &p.Limits[i], p.Limits[i].Name)
	}
	if p.SignIn != nil {
		c.signIn.send(ch, p.SignIn)
	}
	for key, certificate := range soonest(p.Certificates) {
		c.certificates.send(ch, &certificate, key.name, key.source)
	}
}

// certificateKey is what the metrics tell certificates apart by.
type certificateKey struct{ name, source string }

// soonest leaves one certificate for each key, the one that ends first: a file may
// hold an RSA and an ECDSA one for the same names.
func soonest(all []Certificate) map[certificateKey]Certificate {
	kept := make(map[certificateKey]Certificate, len(all))
	for _, c := range all {
		key := certificateKey{source: c.Source}
		if len(c.Names) > 0 {
			key.name = c.Names[0]
		}
		if k, ok := kept[key]; !ok || c.NotAfter.Before(k.NotAfter) {
			kept[key] = c
		}
	}
	return kept
}
