package app_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// held is a server whose answers wait until they are released.
func held(t *testing.T) (url string, arrived, release chan struct{}) {
	arrived, release = make(chan struct{}, 1), make(chan struct{})
	url = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			arrived <- struct{}{}
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
		fmt.Fprint(w, "app")
	})
	return url, arrived, release
}

// stop stops an edge in the background.
func (e *edge) stop(d time.Duration) <-chan error {
	done := make(chan error, 1)
	go func() {
		ctx, cancel := timeout(d)
		defer cancel()
		done <- e.Stop(ctx)
	}()
	return done
}

func TestStopLetsRequestsFinish(t *testing.T) {
	url, arrived, release := held(t)
	e := start(t, site(url, ""))
	address := e.plain()
	idle, busy := dial(t, address), dial(t, address)
	idle.get("app")
	busy.send("/slow")
	<-arrived

	done := e.stop(patience)
	idle.closed()
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("new connections are still taken")
	}
	select {
	case err := <-done:
		t.Fatalf("Stop returned %v before the request was answered", err)
	default:
	}
	close(release)
	if r, body, err := busy.answer(); err != nil || body != "app" {
		t.Errorf("the request in flight got %v, %q, %v; want its answer", r, body, err)
	}
	busy.closed()
	if err := <-done; err != nil {
		t.Errorf("Stop: %v", err)
	}
	if got := e.lines("stopped"); len(got) != 1 || got[0]["in_time"] != true {
		t.Errorf("the log says %v", got)
	}
}

func TestStopCutsWhatTakesTooLong(t *testing.T) {
	url, arrived, release := held(t)
	defer close(release)
	e := start(t, site(url, ""))
	busy := dial(t, e.plain())
	busy.send("/slow")
	<-arrived
	began := time.Now()
	if err := <-e.stop(50 * time.Millisecond); err == nil {
		t.Error("Stop returned no error though a request was cut")
	}
	if took := time.Since(began); took > patience/2 {
		t.Errorf("it took %v", took)
	}
	if _, err := io.ReadAll(busy.in); err != nil && !isReset(err) {
		t.Errorf("the connection ended with %v", err)
	}
	if got := e.lines("requests cut short"); len(got) != 1 || got[0]["connections"] != 1.0 {
		t.Errorf("the log says %v, want 1 connection", got)
	}
}

func isReset(err error) bool {
	var op *net.OpError
	return asError(err, &op) && !op.Timeout()
}

func TestDrainTimeIsConfigured(t *testing.T) {
	e := start(t, site(server(t, "app"), "[timeouts]\ndrain = \"7s\"\n"))
	if got := e.DrainTime(); got != 7*time.Second {
		t.Errorf("DrainTime is %v, want 7s", got)
	}
}
