package browsertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Step is something that a tab does.
type Step = chromedp.Action[chromedp.Void]

// Tab is a page in a browser. It belongs to one goroutine.
type Tab struct {
	t   testing.TB
	ctx context.Context

	mu     sync.Mutex
	said   []string
	expect []string
}

// Open opens an empty tab that closes with the test, and fails the test for what
// the console said until then.
func (b *Browser) Open(t testing.TB) *Tab {
	t.Helper()
	return open(t, b.ctx)
}

// Apart opens a tab of somebody else: what it keeps, cookies above all, it shares
// with the tabs beside it alone.
func (b *Browser) Apart(t testing.TB) *Tab {
	t.Helper()
	return open(t, b.ctx, chromedp.WithNewBrowserContext())
}

// Beside opens another tab of the same person, which closes before this one.
func (b *Tab) Beside(t testing.TB) *Tab {
	t.Helper()
	return open(t, b.ctx)
}

func open(t testing.TB, parent context.Context, options ...chromedp.ContextOption) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent, options...)
	tab := &Tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, tab.hear); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		for _, text := range tab.Heard() {
			t.Errorf("the console said %s", text)
		}
	})
	return tab
}

// Expect says that a text of the console with this in it is no mistake.
func (b *Tab) Expect(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expect = append(b.expect, text)
}

// hear keeps what pages have no reason to say.
func (b *Tab) hear(event any) {
	text := spoken(event)
	b.mu.Lock()
	defer b.mu.Unlock()
	expected := func(part string) bool { return strings.Contains(text, part) }
	if text != "" && !slices.ContainsFunc(b.expect, expected) {
		b.said = append(b.said, text)
	}
}

// spoken is what the console shows of an event, "" for nothing.
func spoken(event any) string {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		d := e.ExceptionDetails
		return fmt.Sprintf("%s %s %s:%d", d.Text, words(d.Exception), d.URL, d.LineNumber+1)
	case *runtime.EventConsoleAPICalled:
		return fmt.Sprintf("%s: %s", e.Type, words(e.Args...))
	case *log.EventEntryAdded:
		return fmt.Sprintf("%s: %s %v", e.Entry.Level, e.Entry.Text, e.Entry.URL)
	}
	return ""
}

// words are values as the console shows them.
func words(values ...*runtime.RemoteObject) string {
	var all []string
	for _, v := range values {
		switch {
		case v == nil:
		case v.Description != "":
			all = append(all, v.Description)
		default:
			all = append(all, string(v.Value))
		}
	}
	return strings.Join(all, " ")
}

// Heard returns what the console said since it was asked last, and forgets it.
func (b *Tab) Heard() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	said := b.said
	b.said = nil
	return said
}

// Do takes steps one after the other.
func (b *Tab) Do(steps ...Step) {
	b.t.Helper()
	for _, step := range steps {
		err := b.Try(step)
		for n := 0; n < moved && gone(err); n++ {
			err = b.Try(step)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

// moved is how often a step is tried whose element is taken away meanwhile.
const moved = 5

// gone tells whether a step has found its element on a page that another one was about
// to replace: it did nothing yet.
func gone(err error) bool {
	return err != nil && strings.Contains(err.Error(), "Could not find node with given id")
}

// Try is Do for steps that need not succeed.
func (b *Tab) Try(steps ...Step) error {
	ctx, cancel := context.WithTimeout(b.ctx, Patience)
	defer cancel()
	return chromedp.Do(ctx, steps...)
}

// Click clicks the first element of a selector, once it can be seen.
func (b *Tab) Click(selector string) {
	b.t.Helper()
	b.Do(chromedp.Click(chromedp.CSS(selector)))
}

// Until waits for an expression to be true. That it cannot be evaluated, between
// two pages say, is no reason to give up.
func (b *Tab) Until(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, Patience)
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

// Value evaluates an expression.
func Value[T any](b *Tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, Patience)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return got
}

// Text is what an element says, by its ID.
func (b *Tab) Text(id string) string {
	b.t.Helper()
	return Value[string](b, fmt.Sprintf("document.getElementById(%q).textContent", id))
}

// tooWide names what sticks out of the page, if anything can be scrolled to.
const tooWide = `document.documentElement.scrollWidth <= document.documentElement.clientWidth ? "" :
	[...document.querySelectorAll("body *")].filter(e => e.checkVisibility() &&
	e.getBoundingClientRect().right > document.documentElement.clientWidth)
	.map(e => e.outerHTML.slice(0, 80)).slice(0, 5).join("\n") || "something"`

// Overflow is what makes the page wider than its window, "" for nothing.
func (b *Tab) Overflow() string {
	b.t.Helper()
	return Value[string](b, tooWide)
}

// NoScript switches scripts off, as some people do.
func NoScript() Step {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled,
			emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})
}

// Theme chooses what people say they prefer: "light" or "dark".
func Theme(name string) Step {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	})
}

// Phone is a window 390 points wide and so many high, with so many pixels to a
// point.
func Phone(height int64, pixels float64) Step {
	return chromedp.EmulateViewport(390, height, chromedp.EmulateMobile,
		chromedp.EmulateScale(pixels))
}

// Pictures is the folder where people want to see screenshots, which the variable
// DOORWARD_SCREENSHOTS names. Without it nobody does.
func Pictures() string { return os.Getenv("DOORWARD_SCREENSHOTS") }

// Screenshot writes a picture of the window, or of the whole page, for people to
// look at.
func (b *Tab) Screenshot(name string, whole bool) {
	b.t.Helper()
	folder := Pictures()
	if folder == "" {
		return
	}
	take := chromedp.CaptureScreenshot()
	if whole {
		take = chromedp.FullScreenshot(100)
	}
	png, err := chromedp.Run(b.ctx, take)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".png"), png, 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
