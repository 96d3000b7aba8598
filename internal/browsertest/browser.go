// Package browsertest opens pages in a real Chromium, for tests that look at them
// as people do. It knows nothing of what the pages show.
//
// A tab listens to the console of its page: exceptions, refusals of the
// Content-Security-Policy and missing files fail the test, unless it says that it
// expects them. No call sleeps: what must happen is waited for, with Patience as
// the bound.
//
// It is for tests: nothing that ships imports it.
package browsertest

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Patience is how long anything may take that must happen. It is generous, since
// it is only spent by tests that fail.
const Patience = 20 * time.Second

// Browser is a running Chromium. It takes every host for this machine, which is
// all that it ever talks to, and every certificate for a good one.
type Browser struct {
	ctx context.Context
}

// Start starts one that ends with the test. That takes a second: tests of a
// package do well to share it.
func Start(t testing.TB) *Browser {
	t.Helper()
	return start(t, thisMachine)
}

// StartAt is Start where port 443 of every host is at that address, so that pages
// can name each other without a port.
func StartAt(t testing.TB, address string) *Browser {
	t.Helper()
	return start(t, "MAP *:443 "+address+","+thisMachine)
}

const thisMachine = "MAP * 127.0.0.1"

func start(t testing.TB, hosts string) *Browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: scripts/tools installs it", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.Flag("headless", "new"), chromedp.NoSandbox,
		chromedp.Flag("host-resolver-rules", hosts), chromedp.IgnoreCertErrors,
		chromedp.UserDataDir(t.TempDir()),
	)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("%s does not start: %v", path, err)
	}
	return &Browser{ctx: ctx}
}
