package test_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"

	"doorward/internal/edgetest"
)

// TestSecurityH2spec runs every case of h2spec, strict ones too, against a whole
// edge with a server behind it.
func TestSecurityH2spec(t *testing.T) {
	actor := newActors(t, "")[0]
	actor.play(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // an early answer would end streams that cases go on with
		fmt.Fprintln(w, "conforming")
	})
	// h2spec names whom it dials in TLS and in :authority, and an address would be no
	// name for TLS.
	edge := edgetest.Start(t, edgetest.Config{TLS: `internal = ["localhost"]`, Text: fmt.Sprintf(`
		[[route]]
		hosts = ["localhost"]
		backend = "app"
		[backends.app]
		servers = ["http://%s"]`, actor.address)})
	t.Run("H2-43_h2spec", func(t *testing.T) { conform(t, edge.HTTPS) })
}

// h2specPatience is how long a case waits for a frame. Only those that fail wait
// so long.
const h2specPatience = 2 * time.Second

// conform runs the cases against what listens at an address, each as a subtest on
// a connection of its own.
func conform(t *testing.T, address string) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	c := &config.Config{
		Host: "localhost", Path: "/", Timeout: h2specPatience, MaxHeaderLen: 4000,
		Strict: true, TLS: true, Insecure: true,
	}
	if c.Port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	n, all := 0, 146
	for _, group := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
		n += conformGroup(t, c, group)
	}
	if n != all {
		t.Errorf("%d cases, h2spec 2.2.1 has %d", n, all)
	}
}

// conformGroup returns how many cases there are in a group. That none is skipped
// is checked as well: h2spec skips what it finds no occasion for.
func conformGroup(t *testing.T, c *config.Config, group *spec.TestGroup) (n int) {
	cases := slices.Concat(group.Tests, group.StrictTests)
	for i, one := range cases {
		t.Run(fmt.Sprintf("%s/%d", group.ID(), i+1), func(t *testing.T) {
			t.Parallel()
			conn, err := spec.Dial(c)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			var failed *spec.TestError
			switch err := one.Run(c, conn); {
			case errors.Is(err, spec.ErrSkipped):
				t.Errorf("%s: skipped", one.Desc)
			case errors.As(err, &failed):
				t.Errorf("%s: %s\nexpected %q\nactual   %s", one.Desc, one.Requirement,
					failed.Expected, failed.Actual)
			case err != nil:
				t.Errorf("%s: %v", one.Desc, err)
			}
		})
	}
	n = len(cases)
	for _, g := range group.Groups {
		n += conformGroup(t, c, g)
	}
	return n
}
