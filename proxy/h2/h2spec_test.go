package h2_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"

	"doorward/proxy/h2"
)

// TestConformance runs every case of h2spec, strict ones too, against the engine alone.
// The handler reads the body first: an early answer would end streams that cases go on
// with.
func TestConformance(t *testing.T) {
	address := listen(t, options(), func(s *h2.Stream) {
		for buf := make([]byte, 1<<10); ; {
			if _, err := s.Read(buf); err == io.EOF {
				_ = s.Answer([]byte("HTTP/1.1 200 OK\r\n\r\n"), []byte("conforming"), true)
				return
			} else if err != nil {
				return
			}
		}
	})
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	c := &config.Config{
		Host: "127.0.0.1", Path: "/", Timeout: 2 * time.Second, MaxHeaderLen: 4000, Strict: true,
	}
	if c.Port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, group := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
		n += conform(t, c, group)
	}
	if n != 146 {
		t.Errorf("%d cases, h2spec 2.2.1 has 146", n)
	}
}

// conform returns how many cases there are in a group. One that finds no occasion to
// run is a failure too.
func conform(t *testing.T, c *config.Config, group *spec.TestGroup) (n int) {
	cases := slices.Concat(group.Tests, group.StrictTests)
	for i, one := range cases {
		t.Run(fmt.Sprintf("%s/%d", group.ID(), i+1), func(t *testing.T) {
			t.Parallel()
			conn, err := spec.Dial(c)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			err = one.Run(c, conn)
			if failed := (*spec.TestError)(nil); errors.As(err, &failed) {
				t.Fatalf("%s: %s\nexpected %q\nactual   %s", one.Desc, one.Requirement,
					failed.Expected, failed.Actual)
			}
			if err != nil {
				t.Fatalf("%s: %v", one.Desc, err)
			}
		})
	}
	n = len(cases)
	for _, g := range group.Groups {
		n += conform(t, c, g)
	}
	return n
}
