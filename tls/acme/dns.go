package acme

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
	"github.com/miekg/dns"
	"go.uber.org/zap"
)

const (
	cnameLimit = 8 // names in a chain
	dnsTime    = 5 * time.Second
)

// dnsSolver answers DNS-01 through a provider. Each challenge has a solver of
// certmagic's, for each may lead to another name.
type dnsSolver struct {
	o   DNS
	log *zap.Logger

	mu      sync.Mutex
	present map[string]*certmagic.DNS01Solver // by the value of the record
}

var (
	_ acmez.Solver = (*dnsSolver)(nil)
	_ acmez.Waiter = (*dnsSolver)(nil)
)

func newDNSSolver(o DNS, log *zap.Logger) *dnsSolver {
	return &dnsSolver{o: o, log: log, present: map[string]*certmagic.DNS01Solver{}}
}

// Present writes the record.
func (s *dnsSolver) Present(ctx context.Context, c acme.Challenge) error {
	one := &certmagic.DNS01Solver{DNSManager: certmagic.DNSManager{
		DNSProvider: s.o.Provider, TTL: s.o.TTL, Resolvers: s.o.Resolvers,
		PropagationTimeout: s.o.Propagation, Logger: s.log,
	}}
	if s.o.Propagation < 0 {
		one.PropagationTimeout = -1
	}
	if s.o.FollowCNAME {
		target, err := s.follow(ctx, c.DNS01TXTRecordName())
		if err != nil {
			return err
		}
		one.OverrideDomain = target
	}
	s.mu.Lock()
	s.present[c.DNS01KeyAuthorization()] = one
	s.mu.Unlock()
	return one.Present(ctx, c)
}

// Wait returns when the record can be seen, or an error.
func (s *dnsSolver) Wait(ctx context.Context, c acme.Challenge) error {
	s.mu.Lock()
	one := s.present[c.DNS01KeyAuthorization()]
	s.mu.Unlock()
	if one == nil {
		return nil
	}
	return one.Wait(ctx, c)
}

// CleanUp removes the record, also when the order was given up.
func (s *dnsSolver) CleanUp(ctx context.Context, c acme.Challenge) error {
	s.mu.Lock()
	one := s.present[c.DNS01KeyAuthorization()]
	delete(s.present, c.DNS01KeyAuthorization())
	s.mu.Unlock()
	if one == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	defer cancel()
	return one.CleanUp(ctx, c)
}

// follow returns the name that a chain of CNAME records leads to, as
// authorities follow it too.
func (s *dnsSolver) follow(ctx context.Context, name string) (string, error) {
	for range cnameLimit {
		next, err := s.cname(ctx, name)
		if err != nil {
			return "", fmt.Errorf("CNAME of %s: %w", name, err)
		}
		if next == "" {
			return name, nil
		}
		name = next
	}
	return "", fmt.Errorf("CNAME of %s: more than %d in a row", name, cnameLimit)
}

// cname is what a name is another one for, empty for none.
func (s *dnsSolver) cname(ctx context.Context, name string) (string, error) {
	question := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeCNAME)
	client := dns.Client{Timeout: dnsTime}
	var failure error
	for _, resolver := range certmagic.RecursiveNameservers(s.o.Resolvers) {
		answer, _, err := client.ExchangeContext(ctx, question, resolver)
		if err != nil {
			failure = err
			continue
		}
		for _, record := range answer.Answer {
			if c, ok := record.(*dns.CNAME); ok && strings.EqualFold(c.Hdr.Name, dns.Fqdn(name)) {
				return strings.TrimSuffix(c.Target, "."), nil
			}
		}
		return "", nil
	}
	return "", failure
}
