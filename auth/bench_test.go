package auth_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"doorward/auth"
	"doorward/auth/assert"
	"doorward/auth/policy"
	"doorward/auth/seal"
	"doorward/auth/session"
	"doorward/auth/user"
	"doorward/internal/alloctest"
	"doorward/internal/gate"
	"doorward/state"
)

// typical are the fields that browsers send along, in the order that they do.
type typical struct{ cookie []byte }

// Field implements gate.Fields as the proxy does: by a look at each.
func (f *typical) Field(name string, n int) ([]byte, bool) {
	for i := range browserFields {
		if len(browserFields[i]) == len(name) && strings.EqualFold(browserFields[i], name) {
			if n > 0 {
				return nil, false
			}
			if name == "cookie" {
				return f.cookie, true
			}
			return []byte(nil), true
		}
	}
	return nil, false
}

var browserFields = []string{
	"User-Agent", "Accept", "Accept-Language", "Accept-Encoding", "Referer", "Cookie",
	"Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Priority", "Cache-Control",
}

// crowd is a gate in front of as many sessions of as many users, and the tickets of
// all, each as long as the next.
func crowd(tb testing.TB, many int) (*auth.Gate, []byte) {
	tb.Helper()
	store, err := state.Open("memory:", state.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = store.Close() })
	box, err := seal.New(make([]byte, 32))
	if err != nil {
		tb.Fatal(err)
	}
	people := make(map[string]*user.Person, many)
	m, err := session.Open(context.Background(), session.Options{
		Store: store, Box: box, Limits: session.Limits{Idle: 3600e9, Lifetime: 36000e9},
		People: func(id string) *user.Person { return people[id] },
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = m.Close(context.Background()) })
	tickets := make([]byte, 0, many*session.TicketSize)
	for i := range many {
		id := "u" + strconv.Itoa(i)
		u := &user.User{ID: id, Name: id, Title: "User " + id, State: user.Active}
		people[id] = user.NewPerson(user.NewView(u, []string{"staff", "users"}, nil, nil))
		_, ticket, err := m.Begin(context.Background(),
			session.Start{UserID: id, Provider: "local", Host: wiki})
		if err != nil {
			tb.Fatal(err)
		}
		tickets = append(tickets, ticket...)
	}
	return wikiGate(tb, m, box), tickets
}

// caller asks the gate as a connection does: the same memory for each request.
type caller struct {
	g       *auth.Gate
	tickets []byte
	q       *gate.Question
	fields  typical
}

func newCaller(g *auth.Gate, tickets []byte) *caller {
	c := &caller{g: g, tickets: tickets, q: get().question()}
	c.fields.cookie = []byte("_ga=GA1.2.1; theme=dark; __Host-doorward=" +
		strings.Repeat("x", session.TicketSize))
	c.q.Fields = &c.fields
	return c
}

// ask asks with the ticket of session i, and tells whether it passes.
func (c *caller) ask(i int) bool {
	i = i % (len(c.tickets) / session.TicketSize) * session.TicketSize
	copy(c.fields.cookie[len(c.fields.cookie)-session.TicketSize:], c.tickets[i:])
	v := c.g.Check(c.q)
	return v.Pass != nil && len(v.Head) > 0
}

func wikiGate(tb testing.TB, m *session.Manager, box *seal.Box) *auth.Gate {
	tb.Helper()
	rule, err := policy.Compile(policy.Options{
		Name: "wiki", Groups: []string{"admins", "staff"}, Methods: []string{"GET", "POST"},
		Paths: func(p []byte) bool { return string(p) == "/healthz" },
	})
	if err != nil {
		tb.Fatal(err)
	}
	head, err := assert.CompileTemplate(assert.Options{Preset: "remote-user"})
	if err != nil {
		tb.Fatal(err)
	}
	doors := auth.New(auth.Shared{Host: "login.example.com", Sessions: m, Box: box})
	return doors.Gate(auth.RouteOptions{
		Name: "wiki", Rule: rule, Head: head, Tokens: true, Basic: true,
	})
}

func TestPassingAllocatesNothing(t *testing.T) {
	const many = 50
	c := newCaller(crowd(t, many))
	n := 0
	check := func() {
		if n++; !c.ask(n) {
			t.Fatal("a session does not pass")
		}
	}
	for range many {
		check() // what servers are told of each user is made once
	}
	if allocs := alloctest.PerRun(1000, check); allocs != 0 {
		t.Errorf("a request that passes allocates %v times", allocs)
	}
}

func TestPassingByTokenAllocatesNothing(t *testing.T) {
	h := newHouse(t)
	h.token()
	g := h.gate(anyUser, withTokens)
	q := get(bearer(secret)).question()
	q.Fields = &oneField{"authorization", []byte("Bearer " + secret)}
	if allocs := alloctest.PerRun(1000, func() {
		if v := g.Check(q); v.Pass == nil {
			t.Fatalf("the verdict is %+v", v)
		}
	}); allocs != 0 {
		t.Errorf("a token that passes allocates %v times", allocs)
	}
}

type oneField struct {
	name  string
	value []byte
}

func (f *oneField) Field(name string, n int) ([]byte, bool) {
	return f.value, name == f.name && n == 0
}

// shuffle makes the next ticket that of any session. A ticket comes with its request, and
// is in the cache: what is measured is the wait for the session's memory, not for its.
func shuffle(tickets []byte) {
	at := func(i int) []byte { return tickets[i*session.TicketSize:][:session.TicketSize] }
	var kept [session.TicketSize]byte
	rand.Shuffle(len(tickets)/session.TicketSize, func(i, j int) {
		copy(kept[:], at(i))
		copy(at(i), at(j))
		copy(at(j), kept[:])
	})
}

// BenchmarkCheck is what a request costs that passes: with 100,000 sessions, whose requests
// come in any order, it is to be less than 2 microseconds.
func BenchmarkCheck(b *testing.B) {
	for _, many := range []int{1, 100_000} {
		b.Run(strconv.Itoa(many), func(b *testing.B) {
			g, tickets := crowd(b, many)
			shuffle(tickets)
			for c, i := newCaller(g, tickets), 0; i < many; i++ {
				c.ask(i)
			}
			runtime.GC()
			var next atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				c := newCaller(g, tickets)
				for i := int(next.Add(7919)); pb.Next(); i++ {
					if !c.ask(i) {
						b.Error("a session does not pass")
						return
					}
				}
			})
		})
	}
}

// BenchmarkNobody is what a request costs that is turned away.
func BenchmarkNobody(b *testing.B) {
	c := newCaller(crowd(b, 1))
	c.fields.cookie = []byte("a=b")
	b.ReportAllocs()
	for b.Loop() {
		if v := c.g.Check(c.q); v.Answer == nil {
			b.Fatal("it passes")
		}
	}
}
