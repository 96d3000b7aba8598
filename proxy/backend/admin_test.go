package backend_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"doorward/proxy/backend"
)

func TestAdminNames(t *testing.T) {
	for a, want := range map[backend.Admin]string{
		backend.Ready: "ready", backend.Drain: "drain", backend.Maint: "maint",
	} {
		if got, ok := backend.ParseAdmin(want); a.String() != want || got != a || !ok {
			t.Errorf("%d is %s, %s is %v, %v", a, a, want, got, ok)
		}
	}
	if _, ok := backend.ParseAdmin("stopped"); ok || backend.Admin(9).String() != "unknown" {
		t.Error("a state that there is not")
	}
}

// Who gets requests, by the state of the first of two servers.
func TestStates(t *testing.T) {
	for name, c := range map[string]struct {
		change       func(*backend.Server)
		usable, keep bool
	}{
		"as it starts": {func(*backend.Server) {}, true, true},
		"down":         {func(s *backend.Server) { s.SetUp(false, false) }, false, false},
		"up again": {func(s *backend.Server) {
			s.SetUp(false, false)
			s.SetUp(true, false)
		}, true, true},
		"drain":  {func(s *backend.Server) { s.SetAdmin(backend.Drain) }, false, true},
		"maint":  {func(s *backend.Server) { s.SetAdmin(backend.Maint) }, false, false},
		"ready":  {func(s *backend.Server) { s.SetAdmin(backend.Ready) }, true, true},
		"weight": {func(s *backend.Server) { s.SetWeight(0) }, false, true},
		"weight 1": {func(s *backend.Server) {
			s.SetWeight(0)
			s.SetWeight(1)
		}, true, true},
		"down and in drain": {func(s *backend.Server) {
			s.SetAdmin(backend.Drain)
			s.SetUp(false, false)
		}, false, false},
	} {
		for _, balance := range []string{"roundrobin", "leastconn", "random", "first", "source"} {
			o := at(nowhere(2)...)
			o.Balance, _ = backend.ParseBalance(balance)
			b := started(t, o)
			s := b.Server("s1")
			claimed(t, b, nil).Release() // a rotation from before
			c.change(s)
			if s.Usable() != c.usable || s.KeepsClients() != c.keep {
				t.Errorf("%s: usable %v, keeps clients %v", name, s.Usable(), s.KeepsClients())
			}
			balanced, preferred := false, false
			for i := range 40 {
				got, _ := b.Claim(backend.Wish{Hash: uint64(i)})
				balanced = balanced || got == s
				got, _ = b.Claim(backend.Wish{Hash: uint64(i), Prefer: s})
				preferred = i == 0 && got == s || preferred && got == s
			}
			if balanced != c.usable || preferred != c.keep {
				t.Errorf("%s, %s: balanced requests %v, preferring ones %v; want %v, %v",
					name, balance, balanced, preferred, c.usable, c.keep)
			}
		}
	}
}

func TestClaimSaysWhyThereIsNobody(t *testing.T) {
	b := started(t, at(nowhere(2)...))
	one, two := b.Servers()[0], b.Servers()[1]
	for _, c := range []struct {
		change func()
		want   error
	}{
		{func() { one.SetUp(false, false) }, nil},
		{func() { two.SetAdmin(backend.Drain) }, backend.ErrNoServer},
		{func() { two.SetAdmin(backend.Maint) }, backend.ErrNoServer},
		{func() { one.SetAdmin(backend.Maint) }, backend.ErrMaintenance},
		{func() { one.SetUp(true, false) }, backend.ErrMaintenance},
		{func() { one.SetAdmin(backend.Ready) }, nil},
	} {
		c.change()
		s, err := b.Claim(backend.Wish{})
		if !errors.Is(err, c.want) || (s == nil) != (err != nil) {
			t.Errorf("claimed %v, %v; want %v", s, err, c.want)
		}
	}
}

// Those who wait are told at once, and one after the other is served when a server
// comes.
func TestStatesReachThoseWhoWait(t *testing.T) {
	for name, c := range map[string]struct {
		change func(full, idle *backend.Server)
		served int64
		err    error
	}{
		"another server comes up": {func(_, idle *backend.Server) {
			idle.SetUp(true, false)
		}, 2, nil},
		"another gets a weight": {func(_, idle *backend.Server) {
			idle.SetUp(true, false)
			idle.SetWeight(0)
			idle.SetWeight(5)
		}, 2, nil},
		"the server goes down": {func(full, _ *backend.Server) {
			full.SetUp(false, false)
		}, 0, backend.ErrNoServer},
		"all go into maintenance": {func(full, idle *backend.Server) {
			idle.SetAdmin(backend.Maint)
			full.SetAdmin(backend.Maint)
		}, 0, backend.ErrMaintenance},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := at(nowhere(2)...)
				o.Servers[0].MaxConnections, o.Servers[1].MaxConnections = 1, 2
				b := started(t, o)
				full, idle := b.Servers()[0], b.Servers()[1]
				idle.SetUp(false, false)
				claimed(t, b, nil)
				var served, failed atomic.Int64
				for range 3 {
					go func() {
						s, err := b.Claim(backend.Wish{})
						switch {
						case s == idle:
							served.Add(1)
						case c.err != nil && errors.Is(err, c.err):
							failed.Add(1)
						}
					}()
				}
				synctest.Wait()
				c.change(full, idle)
				synctest.Wait()
				want := int64(3)
				if c.err == nil {
					want = 0
				}
				if served.Load() != c.served || failed.Load() != want ||
					b.Waiting() != 3-c.served-want {
					t.Errorf("%d served, %d refused, %d wait",
						served.Load(), failed.Load(), b.Waiting())
				}
				full.Release()
				synctest.Wait()
			})
		})
	}
}

func TestWeightSurvivesReloads(t *testing.T) {
	o := weighted(10, 20)
	b := started(t, o)
	one, two := b.Server("s1"), b.Server("s2")
	for given, want := range map[int]int{300: 256, -1: 0, 7: 7} {
		if one.SetWeight(given); one.Weight() != want {
			t.Errorf("SetWeight(%d) makes %d, want %d", given, one.Weight(), want)
		}
	}
	one.SetWeight(7)
	two.SetWeight(8)
	o.Servers[1].Weight = 30
	b = reloaded(t, b, o)
	if one.Weight() != 7 || one.ConfiguredWeight() != 10 {
		t.Errorf("%d of %d: a weight set by hand was lost", one.Weight(), one.ConfiguredWeight())
	}
	if two.Weight() != 30 || two.ConfiguredWeight() != 30 {
		t.Errorf("%d of %d: the weight in the file changed to 30",
			two.Weight(), two.ConfiguredWeight())
	}
	o.Servers[0].URL = "http://192.0.2.99"
	if b = reloaded(t, b, o); b.Server("s1") == one || b.Server("s1").Weight() != 7 {
		t.Errorf("weight %d at another address, want 7", b.Server("s1").Weight())
	}
}

// Drain and maintenance go by name, up and down by address, claims by server.
func TestStateSurvivesReloads(t *testing.T) {
	o := at(nowhere(3)...)
	b := started(t, o)
	for i, a := range []backend.Admin{backend.Drain, backend.Maint, backend.Ready} {
		b.Servers()[i].SetAdmin(a)
		b.Servers()[i].SetUp(false, false)
	}
	same := b.Server("s1")
	o.Servers[1].URL = "http://192.0.2.99"
	o.KeepAlive = true
	next := reloaded(t, b, o)
	for i, a := range []backend.Admin{backend.Drain, backend.Maint, backend.Ready} {
		if s := next.Servers()[i]; s.Admin() != a || s.Up() != (i == 1) {
			t.Errorf("%s is in %s, up %v", s.Name(), s.Admin(), s.Up())
		}
	}
	if next.Server("s1") != same || next.Server("s2") == b.Server("s2") ||
		next.Server("s9") != nil {
		t.Error("servers by name are not those of the backend")
	}
	// An address with other TLS settings or keep-alive is as well as before.
	o.KeepAlive = false
	again := reloaded(t, next, o).Server("s3")
	if again.Up() || again == next.Server("s3") {
		t.Error("a server that is down came up with another setting")
	}
	// Checks that end with the reload tell the one they know.
	next.Server("s3").SetUp(true, false)
	if !again.Up() {
		t.Error("a server that is not checked any more stays down")
	}
	// A generation that is going away obeys too.
	b.Server("s2").SetAdmin(backend.Ready)
	if next.Server("s2").Admin() != backend.Ready {
		t.Error("the state of a name is not one")
	}
}

func TestBackups(t *testing.T) {
	for name, all := range map[string]bool{"first": false, "all": true} {
		o := at(nowhere(4)...)
		o.Servers[1].Backup, o.Servers[3].Backup = true, true
		o.UseAllBackups = all
		b := started(t, o)
		use := func() string {
			seen := map[string]bool{}
			for range 20 {
				s, err := b.Claim(backend.Wish{})
				if err != nil {
					return err.Error()
				}
				seen[s.Name()] = true
				s.Release()
			}
			text := ""
			for _, s := range b.Servers() {
				if seen[s.Name()] {
					text += s.Name()[1:]
				}
			}
			return text
		}
		expect := func(when, want string) {
			if got := use(); got != want {
				t.Errorf("%s, %s: requests go to %s, want %s", name, when, got, want)
			}
		}
		expect("all are well", "13")
		if s, err := b.Claim(backend.Wish{Prefer: b.Server("s2")}); err != nil || s.Name() != "s2" {
			t.Errorf("%s: a client of a backup server got %v, %v", name, s, err)
		}
		b.Server("s1").SetUp(false, false)
		expect("one is left", "3")
		b.Server("s3").SetAdmin(backend.Drain)
		expect("none is left", map[bool]string{false: "2", true: "24"}[all])
		b.Server("s2").SetUp(false, false)
		expect("the first backup is down", "4")
		b.Server("s4").SetWeight(0)
		expect("nobody", backend.ErrNoServer.Error())
		b.Server("s1").SetUp(true, false)
		expect("one is back", "1")
		if !b.Server("s2").Backup() || b.Server("s1").Backup() {
			t.Error("Backup() is not what was configured")
		}
	}
}
