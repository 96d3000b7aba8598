package acme_test

import (
	"testing"

	"doorward/internal/pebbletest"
	"doorward/tls/acme"
)

func TestNodes_order_once_and_answer_for_each_other(t *testing.T) {
	t.Run("ACME-11 two nodes", func(t *testing.T) {
		t.Parallel()
		for _, challenge := range []string{acme.HTTP01, acme.TLSALPN01} {
			t.Run(challenge, func(t *testing.T) {
				e := newEdge(t)
				p := e.pebble(t, pebbletest.Options{})
				f := newFront(t, p)
				o := optionsFor(p, memory(t))
				o.CA, o.Challenges = f.ca(), []string{challenge}
				names := []string{"a.test", "b.test", "c.test"}
				// Whoever orders, the authority asks a third node.
				nodes := []*acme.Manager{open(t, o), open(t, o)}
				asked := o
				asked.Timing.Tick = pebbletest.Patience
				e.serve(t, open(t, asked), names...)
				for _, m := range nodes {
					m.Manage(names)
				}
				for _, name := range names {
					first := issued(t, nodes[0], name)
					if other := issued(t, nodes[1], name); !other.Equal(first) {
						t.Errorf("%s: two certificates", name)
					}
				}
				if n := f.orders.Load(); n != int64(len(names)) {
					t.Errorf("%d orders for %d names", n, len(names))
				}
			})
		}
	})
}

func TestNodes_take_over_what_another_renewed(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{})
	o := optionsFor(p, memory(t))
	m, other := open(t, o), open(t, o)
	e.serve(t, m, "a.test")
	other.Manage([]string{"a.test"})
	issued(t, m, "a.test")
	first := issued(t, other, "a.test")
	if err := m.Renew(t.Context(), "a.test"); err != nil {
		t.Fatal(err)
	}
	if got := another(t, other, "a.test", first); !got.Equal(m.Certificate("a.test").Leaf) {
		t.Error("two certificates")
	}
}
