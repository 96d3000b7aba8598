package test_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"doorward/internal/edgetest"
)

// TestGRPCStorm has many callers at once that leave whenever they like, among others who
// stay: these get their own answers, and nothing is left behind (security case BE-06 for
// connections that many share).
func TestGRPCStorm(t *testing.T) {
	p := newParrot(t, "127.0.0.1:0", nil)
	e := behind(t, "h2c://"+p.address, "")
	ctx, stop := context.WithTimeout(t.Context(), 4*edgetest.Patience)
	defer stop()
	var all sync.WaitGroup
	for n := range 8 {
		c := caller(t, e, "app.example")
		all.Go(func() {
			for i := range 40 {
				text := fmt.Sprint(n, ".", i, strings.Repeat("x", rand.IntN(100_000)))
				if got, err := askGRPC(ctx, c, text); err != nil || got != text {
					t.Errorf("%.20q: %.20q, %v", text, got, err)
				}
			}
		})
		all.Go(func() {
			for range 100 {
				soon, leave := context.WithTimeout(ctx, time.Duration(rand.IntN(3000))*time.Microsecond)
				_, err := askGRPC(soon, c, strings.Repeat("y", rand.IntN(300_000)))
				leave()
				if code := grpcstatus.Code(err); code != codes.OK && code != codes.DeadlineExceeded {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range 20 {
				soon, leave := context.WithCancel(ctx)
				s := open(soon, t, c, callTalk)
				for i := range 1 + rand.IntN(9) {
					say(t, s, fmt.Sprint(i))
					if got, err := hear(s); err != nil || got != fmt.Sprint(i) {
						t.Errorf("%q, %v, want %d", got, err, i)
					}
				}
				leave()
			}
		})
	}
	for range 8 * 20 {
		select {
		case <-p.ended:
		case <-ctx.Done():
			t.Fatal("a server was not told that its caller left")
		}
	}
	all.Wait()
	if strings.Contains(e.Log(), "panic") {
		t.Errorf("log:\n%.3000s", e.Log())
	}
}
