package user_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"doorward/auth/user"
	"doorward/internal/alloctest"
)

func TestCloneSharesNothing(t *testing.T) {
	u := user.User{
		Groups: []string{"a"}, Consents: []string{"c"},
		Identities: []user.Identity{{Provider: "p", Groups: []string{"g"}, Roles: []string{"r"}}},
	}
	c := u.Clone()
	c.Groups[0], c.Consents[0], c.Identities[0].Provider = "x", "x", "x"
	c.Identities[0].Groups[0], c.Identities[0].Roles[0] = "x", "x"
	i := u.Identities[0]
	if u.Groups[0] != "a" || u.Consents[0] != "c" || i.Provider != "p" || i.Groups[0] != "g" || i.Roles[0] != "r" {
		t.Errorf("changed with its copy: %+v", u)
	}
}

func TestIdentityIsFoundByProvider(t *testing.T) {
	u := user.User{Name: "bob", Identities: []user.Identity{{Provider: "a"}, {Provider: "b", Subject: "s"}}}
	if id := u.Identity("b"); id != &u.Identities[1] || u.Identity("c") != nil {
		t.Errorf("found %+v", id)
	}
	if u.Display() != "bob" {
		t.Errorf("shown as %q", u.Display())
	}
	if u.Title = "Bob B."; u.Display() != "Bob B." {
		t.Errorf("shown as %q", u.Display())
	}
}

func TestTokenOpens(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		token user.Token
		want  bool
	}{
		"all routes":      {user.Token{}, true},
		"this route":      {user.Token{Routes: []string{"x", "app"}}, true},
		"another route":   {user.Token{Routes: []string{"application"}}, false},
		"not yet over":    {user.Token{Expires: now.Add(1)}, true},
		"over":            {user.Token{Expires: now}, false},
		"over, its route": {user.Token{Expires: now.Add(-1), Routes: []string{"app"}}, false},
	} {
		if got := c.token.Opens("app", now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestPersonIsSeenAnewByAll(t *testing.T) {
	p := user.NewPerson(user.NewView(&user.User{Name: "a"}, []string{"g"}, []string{"r"}, nil))
	v := p.View()
	if !v.In("g") || v.In("r") || !v.Has("r") || v.Has("g") || v.In("") {
		t.Errorf("groups %v, roles %v", v.Groups, v.Roles)
	}
	p.Set(user.NewView(&user.User{Name: "b"}, nil, nil, nil))
	if p.View().User.Name != "b" || p.View().In("g") || !v.In("g") {
		t.Error("the old view is seen, or was changed")
	}
}

func TestCacheKeepsWhatIsUsed(t *testing.T) {
	var c user.Cache
	keys := make([]*int, 2500)
	for i := range keys {
		keys[i] = new(int)
	}
	if c.Get(keys[0]) != nil {
		t.Error("an empty cache holds something")
	}
	for i, k := range keys {
		c.Put(k, i)
		c.Put(k, i+1)
		if c.Get(k) != i+1 {
			t.Fatalf("value %d is not there", i)
		}
	}
	if kept := slices.IndexFunc(keys, func(k *int) bool { return c.Get(k) != nil }); kept == 0 {
		t.Error("it grows for ever")
	}
	if n := alloctest.PerRun(100, func() { c.Get(keys[2499]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	var all sync.WaitGroup
	for _, k := range keys[:50] {
		all.Go(func() { c.Put(k, "x") })
	}
	all.Wait()
	for _, k := range keys[:50] {
		if c.Get(k) != "x" {
			t.Error("a value got lost between others")
		}
	}
}

func TestLetsWhatBeganSinceTheLastEpoch(t *testing.T) {
	for name, c := range map[string]struct {
		state user.State
		began uint64
		lets  bool
	}{
		"the same epoch":  {user.Active, 3, true},
		"a later one":     {user.Active, 4, true},
		"an earlier one":  {user.Active, 2, false},
		"who is disabled": {user.Disabled, 3, false},
		"who waits":       {user.Pending, 3, false},
	} {
		v := user.NewView(&user.User{State: c.state, Epoch: 3}, nil, nil, nil)
		if v.Lets(c.began) != c.lets {
			t.Errorf("%s: %v", name, !c.lets)
		}
	}
}
