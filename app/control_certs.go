package app

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"doorward/config"
	"doorward/tls/acme"
)

// Certificates are those that an instance shows to its clients.
type Certificates struct {
	// Now is when they were looked at.
	Now time.Time `json:"now"`
	// Certificates are in the order: files, the internal CA, those that are ordered.
	Certificates []CertificateStatus `json:"certificates"`
}

// CertificateStatus is one of them.
type CertificateStatus struct {
	// Names are the hosts it is for. Source is the file it came from, "acme" for one that
	// is ordered, or "internal" for the root of an internal CA that has no file.
	Names  []string `json:"names"`
	Source string   `json:"source"`
	// Issuer is who signed it.
	Issuer string `json:"issuer"`
	// NotAfter is when it ends; nil for one that is not there yet.
	NotAfter *time.Time `json:"not_after,omitempty"`
	// State is "ready", "ordering" or "failing" for one that is ordered, Error why the
	// last try came to nothing, NextTry when there will be another.
	State   string     `json:"state,omitempty"`
	Error   string     `json:"error,omitempty"`
	NextTry *time.Time `json:"next_try,omitempty"`
}

// Root is the certificate of the internal CA, in PEM.
type Root struct {
	PEM string `json:"pem"`
}

var (
	// errNoOrders says that there is nothing to renew.
	errNoOrders = errors.New("no certificates are ordered: [tls.acme] is not configured")
	// errNoRoot says that there is no root to trust.
	errNoRoot = errors.New("there is no internal CA: tls.internal is not configured")
)

func (a *App) doCertificates(*http.Request) (any, error) {
	list := Certificates{Now: time.Now(), Certificates: []CertificateStatus{}}
	for _, c := range a.live.Load().viewCertificates() {
		list.Certificates = append(list.Certificates, CertificateStatus{
			Names: c.Names, Source: c.Source, Issuer: c.Issuer, NotAfter: instant(c.NotAfter),
			State: c.State, Error: c.Error, NextTry: instant(c.NextTry),
		})
	}
	return list, nil
}

// instant is a time that may be missing.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// RenewTime is what a renewal may take: an order, behind one that is under way.
const RenewTime = 11 * time.Minute

// renewal is the command that takes as long as that.
const renewal = "POST /certificates/{name}/renewal"

// unhurried lets a command take longer than others.
func unhurried(do http.Handler, most time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// An error means that it has as long as others.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(most + controlRead))
		do.ServeHTTP(w, r)
	})
}

func (a *App) doRenew(r *http.Request) (any, error) {
	g := a.live.Load()
	if g.orders == nil {
		return nil, &askError{http.StatusNotFound, errNoOrders}
	}
	name := strings.ToLower(strings.TrimSuffix(r.PathValue("name"), "."))
	g.log.Info("certificate asked for", zap.String("name", name), zap.String("by", caller(r)))
	ctx, cancel := context.WithTimeout(r.Context(), RenewTime)
	defer cancel()
	err := g.orders.Renew(ctx, name)
	switch {
	case errors.Is(err, acme.ErrUnknown):
		return nil, &askError{http.StatusNotFound, unknownName(name, g.orders.Status())}
	case err != nil:
		return nil, &askError{http.StatusBadGateway, err}
	}
	for _, s := range g.orders.Status() {
		if s.Name == name {
			c := ordered(&s)
			return CertificateStatus{
				Names: c.Names, Source: c.Source, Issuer: c.Issuer,
				NotAfter: instant(c.NotAfter), State: c.State,
			}, nil
		}
	}
	return CertificateStatus{Names: []string{name}, Source: "acme"}, nil
}

// unknownName says which name was perhaps meant.
func unknownName(name string, all []acme.Status) error {
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	text := strconv.Quote(name) + " is not among the names that certificates are ordered for"
	if near := config.Nearest(name, names); near != "" {
		text += ` (did you mean "` + near + `"?)`
	}
	return errors.New(text)
}

func (a *App) doRoot(*http.Request) (any, error) {
	pem := a.Root()
	// One for temporary certificates alone is not for anybody to trust.
	if len(pem) == 0 || len(a.live.Load().cfg.TLS.Internal) == 0 {
		return nil, &askError{http.StatusNotFound, errNoRoot}
	}
	return Root{PEM: string(pem)}, nil
}
