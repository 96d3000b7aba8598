package app

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"doorward/config"
	"doorward/health"
	"doorward/internal/safe"
	"doorward/proxy/backend"
)

// Probe is one check of every server of a backend.
type Probe struct {
	// Backend is its name; OK says that every check was good.
	Backend string `json:"backend"`
	OK      bool   `json:"ok"`
	// Servers are in the order of the configuration.
	Servers []ProbedServer `json:"servers"`
}

// ProbedServer is what one check found.
type ProbedServer struct {
	// Server is its name, Address where the check went, "" when it had none.
	Server  string `json:"server"`
	Address string `json:"address"`
	// Check is "http", "tls" or "tcp", Configured whether it is the one of the
	// configuration; a server without one gets a connection, or a TLS handshake if
	// it speaks TLS.
	Check      string `json:"check"`
	Configured bool   `json:"configured"`
	// OK is the verdict, Status HAProxy's word for it ("L7OK"), Code the status code
	// of an answer, Description a line about it.
	OK          bool   `json:"ok"`
	Status      string `json:"status"`
	Code        int    `json:"code,omitempty"`
	Description string `json:"description"`
	// The times are in seconds; 0 for what there was not. FirstByte is the one from
	// the request to the first byte of the answer, Total that of the whole check.
	Resolve   float64 `json:"resolve_seconds"`
	Connect   float64 `json:"connect_seconds"`
	TLS       float64 `json:"tls_seconds"`
	FirstByte float64 `json:"first_byte_seconds"`
	Total     float64 `json:"total_seconds"`
}

// probe is a check that is to be done.
type probe struct {
	row   ProbedServer
	check *health.Check
	peer  health.Peer
}

// Bounds of probing a backend: how many servers at a time, and for how long.
const (
	probesAtOnce = 16
	probeTime    = controlAnswer - 10*time.Second
)

func (a *App) doProbe(r *http.Request) (any, error) {
	name := r.PathValue("backend")
	probes, log, err := a.probes(name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), probeTime)
	defer cancel()
	places := make(chan struct{}, probesAtOnce)
	var all sync.WaitGroup
	for _, p := range probes {
		places <- struct{}{}
		all.Add(1)
		safe.Go(log, "probe", func() {
			defer func() {
				<-places
				all.Done()
			}()
			p.run(ctx)
		})
	}
	all.Wait()
	answer := Probe{Backend: name, OK: true, Servers: []ProbedServer{}}
	for _, p := range probes {
		answer.OK = answer.OK && p.row.OK
		answer.Servers = append(answer.Servers, p.row)
	}
	return answer, nil
}

// probes prepares the checks of a backend. Servers in maintenance have theirs too:
// whether they are well again is what one wants to know of them.
func (a *App) probes(name string) ([]*probe, *zap.Logger, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	g := a.current
	c, b := g.cfg.Backends[name], g.backends[name]
	if c == nil || b == nil {
		return nil, nil, noBackend(name, g.backendNames())
	}
	var list []*probe
	for i, s := range b.Servers() {
		p, err := g.probe(c, &c.Servers[i], s)
		if err != nil {
			return nil, nil, fmt.Errorf("server %q: %w", s.Name(), err)
		}
		list = append(list, p)
	}
	return list, g.log, nil
}

// probe is the check of the configuration, or a connection made as requests make
// theirs.
func (g *generation) probe(b *config.Backend, c *config.Server, s *backend.Server) (*probe, error) {
	p := &probe{peer: s, row: ProbedServer{
		Server: s.Name(), Status: health.Unknown.String(), Description: "not probed",
	}}
	for i := range g.targets {
		if t := &g.targets[i]; t.Backend == b.Name && t.Server == s.Name() {
			p.check, p.row.Check, p.row.Configured = t.Check, b.Check.Type, true
			return p, nil
		}
	}
	kind := health.TCP
	if strings.HasPrefix(c.URL, "https:") {
		kind = health.TLS
	}
	p.row.Check = string(kind)
	var err error
	p.check, err = health.NewCheck(health.CheckOptions{
		Kind: kind, Timing: health.Timing{Interval: time.Duration(b.Timeouts.Connect)},
	})
	return p, err
}

func (p *probe) run(ctx context.Context) {
	r := health.Probe(ctx, p.check, p.peer)
	row := &p.row
	row.Address, row.OK, row.Status = r.Dial.Address, r.Outcome.OK(), r.Outcome.String()
	row.Code, row.Description = r.Code, describeCheck(&r)
	row.Resolve, row.Connect = r.Dial.Resolve.Seconds(), r.Dial.Connect.Seconds()
	row.TLS, row.FirstByte = r.Dial.TLS.Seconds(), r.FirstByte.Seconds()
	row.Total = r.Took.Seconds()
}
