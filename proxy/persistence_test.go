package proxy_test

import (
	"testing"
	"time"

	"doorward/proxy"
	"doorward/proxy/backend"
	"doorward/proxy/stick"
)

func twoServers() backend.Options {
	return backend.Options{Servers: []backend.ServerOptions{
		{Name: "s1", Weight: 1}, {Name: "s2", Weight: 1},
	}}
}

func TestStickTable(t *testing.T) {
	for name, c := range map[string]struct {
		on   proxy.Key
		same string // field of two requests of one client
		no   string // field of a request without a key
	}{
		"field":  {proxy.Key{Kind: proxy.ByField, Name: "x-user"}, "X-User: ann\r\n", "X-Users: ann\r\n"},
		"cookie": {proxy.Key{Kind: proxy.ByCookie, Name: "SID"}, "Cookie: a=b; SID=1\r\n", "Cookie: SIDS=1\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			table := stick.New(stick.Options{Text: true, Size: 100, Expire: time.Hour}, nil)
			f := newFlow(t, flowOptions{
				server: answering(emptyAnswer), backend: twoServers(),
				snapshot: func(_ *proxy.Snapshot, r *proxy.Route) {
					r.Persistence = proxy.Persistence{Table: table, On: c.on}
				},
			})
			ask := func(field string) string {
				f.ask("GET / HTTP/1.1\r\nHost: a\r\n" + field + "Connection: close\r\n\r\n")
				return f.record().Server
			}
			first := ask(c.same)
			for range 5 {
				if s := ask(c.same); s != first {
					t.Fatalf("%s, then %s", first, s)
				}
			}
			if a, b := ask(c.no), ask(c.no); a == b {
				t.Errorf("requests without a key went to %s twice", a)
			}
			if n := table.Len(time.Now()); n != 1 {
				t.Errorf("%d entries", n)
			}
			// Another server is remembered once the first is gone.
			f.backend.Server(first).SetUp(false, false)
			second := ask(c.same)
			f.backend.Server(first).SetUp(true, false)
			if again := ask(c.same); second == first || again != second {
				t.Errorf("%s, then %s while that was down, then %s", first, second, again)
			}
		})
	}
}

func TestStickTableByAddress(t *testing.T) {
	for _, kind := range []proxy.KeyKind{proxy.ByAddress, proxy.ByUser} {
		table := stick.New(stick.Options{Text: kind == proxy.ByUser, Size: 100, Expire: time.Hour}, nil)
		f := newFlow(t, flowOptions{
			server: answering(emptyAnswer), backend: twoServers(),
			snapshot: func(_ *proxy.Snapshot, r *proxy.Route) {
				r.Persistence = proxy.Persistence{Table: table, On: proxy.Key{Kind: kind}}
			},
		})
		f.ask(getWith(""))
		first := f.record().Server
		for range 4 {
			f.ask(getWith(""))
			if s := f.record().Server; s != first {
				t.Errorf("kind %d: %s, then %s", kind, first, s)
			}
		}
		entries, _ := table.Entries(0, 10, time.Now())
		if len(entries) != 1 || entries[0].Key != "127.0.0.1" || entries[0].Server != first {
			t.Errorf("kind %d: entries %v", kind, entries)
		}
	}
}

// A client whose server gave no answer is not remembered there.
func TestStickTableRemembersWhoAnswered(t *testing.T) {
	table := stick.New(stick.Options{Size: 100, Expire: time.Hour}, nil)
	f := newFlow(t, flowOptions{
		server: hangUp, backend: twoServers(),
		snapshot: func(_ *proxy.Snapshot, r *proxy.Route) {
			r.Persistence = proxy.Persistence{Table: table, On: proxy.Key{Kind: proxy.ByAddress}}
		},
	})
	f.ask(getWith(""))
	f.record()
	if n := table.Len(time.Now()); n != 0 {
		t.Errorf("%d entries", n)
	}
}

func TestHashesSendEqualKeysToOneServer(t *testing.T) {
	f := newFlow(t, flowOptions{
		server: answering(emptyAnswer),
		backend: backend.Options{
			Balance: backend.Balance{Algorithm: backend.Hash, Key: backend.HashURI},
			Servers: []backend.ServerOptions{
				{Name: "s1", Weight: 1}, {Name: "s2", Weight: 1}, {Name: "s3", Weight: 1},
			},
		},
		snapshot: func(_ *proxy.Snapshot, r *proxy.Route) { r.Hash = proxy.Key{Kind: proxy.ByPath} },
	})
	ask := func(path string) string {
		f.ask("GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		return f.record().Server
	}
	used := map[string]bool{}
	for _, path := range []string{"/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9", "/a", "/b"} {
		s := ask(path)
		used[s] = true
		if again := ask(path + "?q=1"); again != s {
			t.Errorf("%s: %s, then %s", path, s, again)
		}
	}
	if len(used) != 3 {
		t.Errorf("only %v are used", used)
	}
}
