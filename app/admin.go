package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"doorward/proxy/backend"
	"doorward/state"
)

// adminRecord is what people said of a server. It is kept in the store, and put in
// force again after a reload and at the next start.
type adminRecord struct {
	// State is "ready", "drain" or "maint".
	State string `json:"state"`
	// Weight is one that was set in place of the one in the file, Configured that of
	// the file at the time: a new one there counts more. Nil is none.
	Weight     *int `json:"weight,omitempty"`
	Configured int  `json:"configured,omitempty"`
	// By and At are who said it and when.
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// adminBook holds the records by backend and server. It belongs to whoever holds
// App.mu; what is in it is in the store as well.
type adminBook struct {
	store   *state.Store
	records map[string]adminRecord
}

// adminPrefix is where the store has the records.
const adminPrefix = "admin/"

// storeTime bounds the wait for the store.
const storeTime = 5 * time.Second

func adminKey(backendName, server string) string { return backendName + "/" + server }

// openAdmin reads the records.
func openAdmin(store *state.Store) (*adminBook, error) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	b := &adminBook{store: store, records: map[string]adminRecord{}}
	for item, err := range store.All(ctx, adminPrefix) {
		if err != nil {
			return nil, err
		}
		var r adminRecord
		if err := json.Unmarshal(item.Value, &r); err != nil {
			return nil, fmt.Errorf("store: %s: %w", item.Key, err)
		}
		b.records[item.Key[len(adminPrefix):]] = r
	}
	return b, nil
}

func (b *adminBook) find(backendName, server string) (adminRecord, bool) {
	r, ok := b.records[adminKey(backendName, server)]
	return r, ok
}

// keep writes a record, to the store first: what is in force survives the process.
func (b *adminBook) keep(backendName, server string, r adminRecord) error {
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	key := adminKey(backendName, server)
	if _, err := b.store.Set(ctx, adminPrefix+key, value, 0); err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	b.records[key] = r
	return nil
}

// apply puts a record in force on its server.
func (r adminRecord) apply(s *backend.Server) {
	if admin, ok := backend.ParseAdmin(r.State); ok && s.Admin() != admin {
		s.SetAdmin(admin)
	}
	if r.Weight != nil && r.Configured == s.ConfiguredWeight() && s.Weight() != *r.Weight {
		s.SetWeight(*r.Weight)
	}
}

// restore puts the records in force on every server there is. A weight that was set
// while the file had another one is forgotten for good: it must not come back when
// the file one day has that one again.
func (a *App) restore(g *generation) {
	for name, b := range g.backends {
		for i, s := range b.Servers() {
			r, ok := a.admin.find(name, s.Name())
			if !ok {
				continue
			}
			if r.Weight != nil && r.Configured != g.cfg.Backends[name].Servers[i].Weight {
				r.Weight = nil
				a.admin.records[adminKey(name, s.Name())] = r
				if err := a.admin.keep(name, s.Name(), r); err != nil {
					g.log.Warn("weight of a server", zap.String("backend", name),
						zap.String("server", s.Name()), zap.Error(err))
				}
			}
			r.apply(s)
		}
	}
}

// Errors of those who name what is not there, in HAProxy's words.
var (
	ErrNoBackend = errors.New("no such backend")
	ErrNoServer  = errors.New("no such server")
)

// SetAdmin sets what people say of a server: "ready", "drain" (it gets only the
// clients that belong to it) or "maint" (it gets nobody and is not checked). It
// survives reloads and restarts. By is who asked, for the log and whoever looks.
// It implements stats.Steward.
func (a *App) SetAdmin(backendName, server, state, by string) error {
	if _, ok := backend.ParseAdmin(state); !ok {
		return fmt.Errorf("%q is none of ready, drain, maint", state)
	}
	return a.administer(backendName, server, by, func(_ *backend.Server, r *adminRecord) {
		r.State = state
	})
}

// SetWeight gives a server another weight than the one in the file, until that
// changes. A negative one is the one in the file again.
func (a *App) SetWeight(backendName, server string, weight int, by string) error {
	if weight > backend.MaxWeight {
		return fmt.Errorf("a weight is 0 to %d", backend.MaxWeight)
	}
	return a.administer(backendName, server, by, func(s *backend.Server, r *adminRecord) {
		r.Weight, r.Configured = nil, s.ConfiguredWeight()
		if weight >= 0 {
			r.Weight = &weight
		}
	})
}

func serverNames(b *backend.Backend) (names []string) {
	for _, s := range b.Servers() {
		names = append(names, s.Name())
	}
	return names
}

// administer changes the record of a server, and puts it in force.
func (a *App) administer(backendName, server, by string,
	change func(*backend.Server, *adminRecord)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := a.current.backends[backendName]
	if b == nil {
		return noBackend(backendName, a.current.backendNames())
	}
	s := b.Server(server)
	if s == nil {
		return noServer(backendName, server, serverNames(b))
	}
	r, ok := a.admin.find(backendName, server)
	if !ok {
		r.State = backend.Ready.String()
	}
	was := r
	change(s, &r)
	r.By, r.At = by, time.Now().Truncate(time.Second)
	if err := a.admin.keep(backendName, server, r); err != nil {
		return err
	}
	if was.Weight != nil && r.Weight == nil {
		s.SetWeight(s.ConfiguredWeight())
	}
	r.apply(s)
	maintained := s.Admin() == backend.Maint
	a.monitor.Maintain(backendName, server, maintained)
	if maintained && a.current.closesOnDown(backendName) {
		a.engine.CloseTunnels(s)
	}
	a.current.log.Info("server administered", zap.String("backend", backendName),
		zap.String("server", server), zap.String("state", r.State), zap.Int("weight", s.Weight()),
		zap.String("by", by))
	return nil
}
