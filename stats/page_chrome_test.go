package stats_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"doorward/stats"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// chromeHost is the name that browsers of these tests ask for. It is not
// "localhost", for which they make exceptions.
const chromeHost = "edge.example.com"

// chrome starts a browser that ends with the test.
func chrome(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: scripts/tools installs it", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.Flag("headless", "new"), chromedp.NoSandbox,
		chromedp.Flag("host-resolver-rules", "MAP "+chromeHost+" 127.0.0.1"),
		chromedp.UserDataDir(t.TempDir()),
	)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("%s does not start: %v", path, err)
	}
	return ctx
}

// tab is a page in a browser, and what its console said.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu   sync.Mutex
	said []string
}

func newTab(t *testing.T, browser context.Context) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	b := &tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		for _, text := range b.heard() {
			t.Errorf("the console said %s", text)
		}
	})
	return b
}

// hear keeps errors: exceptions, refusals of the Content-Security-Policy, missing
// files, and what the script wrote itself.
func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.said = append(b.said, fmt.Sprintf("%+v", e.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		b.said = append(b.said, fmt.Sprintf("%s %+v", e.Type, e.Args))
	case *log.EventEntryAdded:
		b.said = append(b.said, fmt.Sprintf("%s: %s %v", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	}
}

// heard returns what was kept, and forgets it.
func (b *tab) heard() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	said := b.said
	b.said = nil
	return said
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// value evaluates an expression.
func value[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return got
}

// until waits for an expression to be true. Between two pages it may fail.
func (b *tab) until(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		met, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		if met {
			return
		}
		select {
		case <-ctx.Done():
			b.t.Fatalf("never: %s: %v", expression, err)
		case <-tick.C:
		}
	}
}

// text is what an element says, by its ID.
func (b *tab) text(id string) string {
	b.t.Helper()
	return value[string](b, fmt.Sprintf("document.getElementById(%q).textContent", id))
}

// noScript switches the script off, as some browsers do.
func noScript() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled,
			emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})
}

// theme chooses what the browser prefers: "light" or "dark".
func theme(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	})
}

// site is a page of an edge that browsers can reach.
type site struct {
	*edge
	sampler *stats.Sampler
	url     string
}

// newSite makes one that had traffic for so many seconds.
func newSite(t *testing.T, e *edge, seconds int, o stats.PageOptions) *site {
	t.Helper()
	sampler := stats.NewSampler(e, stats.SamplerOptions{})
	for range seconds {
		e.pass(1)
		sampler.Sample()
	}
	o.Sampler = sampler
	if o.Steward == nil {
		o.Steward = e
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := httptest.NewServer(stats.NewPage(ctx, o))
	t.Cleanup(server.Close)
	t.Cleanup(cancel) // before Close, which waits for event streams
	server.Config.ErrorLog = nil
	return &site{e, sampler, strings.Replace(server.URL, "127.0.0.1", chromeHost, 1)}
}

// live lets a second go by every so often, until the test ends.
func (s *site) live(t *testing.T, every time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				s.pass(1)
				s.sampler.Sample()
			}
		}
	})
	t.Cleanup(group.Wait)
	t.Cleanup(cancel)
}

// screenshot writes a picture into the folder that DOORWARD_SCREENSHOTS names, for
// people to look at.
func (b *tab) screenshot(name string, whole bool) {
	b.t.Helper()
	folder := os.Getenv("DOORWARD_SCREENSHOTS")
	if folder == "" {
		return
	}
	take := chromedp.CaptureScreenshot()
	if whole {
		take = chromedp.FullScreenshot(100)
	}
	png, err := chromedp.Run(b.ctx, take)
	if err == nil {
		err = os.WriteFile(folder+"/"+name+".png", png, 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
