package safe_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"doorward/internal/safe"
)

// The functions below bear a name to be found in the reported stack.
func explode() { panic(errors.New("the bomb")) }

// rude is a panic value that panics again when it is printed.
type rude struct{}

func (rude) Error() string { panic("no words") }

// refuse is a log sink that panics.
type refuse struct{ zapcore.Core }

func (refuse) Enabled(zapcore.Level) bool { return true }
func (r refuse) Check(e zapcore.Entry, c *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return c.AddCore(e, r)
}
func (refuse) Write(zapcore.Entry, []zapcore.Field) error { panic("disk on fire") }

func TestSecurity(t *testing.T) {
	t.Run("CRASH-02_panic_in_own_goroutine_is_logged_with_its_stack", func(t *testing.T) {
		core, logged := observer.New(zap.ErrorLevel)
		var done sync.WaitGroup
		done.Add(1)
		log := zap.New(core, zap.Hooks(func(zapcore.Entry) error { done.Done(); return nil }))
		safe.Go(log, "sweeper", explode)
		done.Wait()

		if logged.Len() != 1 {
			t.Fatalf("%d entries logged, want 1", logged.Len())
		}
		fields := logged.All()[0].ContextMap()
		if fields["goroutine"] != "sweeper" || fields["panic"] != "the bomb" {
			t.Errorf("logged %v, want goroutine sweeper and panic the bomb", fields)
		}
		if stack, _ := fields["stack"].(string); !strings.Contains(stack, "safe_test.explode") {
			t.Errorf("the stack does not name the function that panicked:\n%s", stack)
		}
	})
	t.Run("CRASH-02_the_report_itself_cannot_end_the_process", func(t *testing.T) {
		for name, log := range map[string]*zap.Logger{
			"no log":     nil,
			"broken log": zap.New(refuse{zapcore.NewNopCore()}),
		} {
			for _, value := range []any{rude{}, "plain"} {
				func() {
					defer safe.Recover(log, name)
					panic(value)
				}()
			}
		}
	})
}

func TestRecoverInADeferOfTheCaller(t *testing.T) {
	core, logged := observer.New(zap.ErrorLevel)
	serve := func(fail bool) {
		defer safe.Recover(zap.New(core), "request")
		if fail {
			explode()
		}
	}
	serve(false)
	if logged.Len() != 0 {
		t.Errorf("a function that returned was reported: %v", logged.All())
	}
	serve(true)
	if logged.Len() != 1 {
		t.Errorf("%d entries after a panic, want 1", logged.Len())
	}
}

func TestGoRunsTheFunction(t *testing.T) {
	ran := make(chan bool)
	safe.Go(zap.NewNop(), "worker", func() { ran <- true })
	<-ran
}
