package app_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"doorward/app"
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

// lastDown is what the log says of the last server that goes down.
const lastDown = "server is down, and its backend has no other"

// Somebody who is to be told of a server and does not listen holds up the end for a
// while, and is no reason to lose anything else: of a configuration that was
// replaced as of the last one.
func TestStopWaitsForAlertsAndLogs(t *testing.T) {
	for _, reload := range []bool{false, true} {
		t.Run(fmt.Sprintf("reload %v", reload), func(t *testing.T) {
			t.Parallel()
			told, hang := make(chan struct{}), make(chan struct{})
			hook := serve(t, func(w http.ResponseWriter, r *http.Request) {
				close(told)
				<-hang
			})
			defer close(hang)
			gone := httptest.NewServer(nil)
			gone.Close()
			config := site(gone.URL, "check = { interval = \"100ms\", fall = 1 }\n")
			alerts := fmt.Sprintf("[alerts]\ndelay = \"1h\"\nwebhook = %q\n", hook)
			e := start(t, config+alerts)
			eventually(t, "the server is down", func() bool { return len(e.lines(lastDown)) == 1 })
			if reload {
				e.mustReload(config)
			}
			began := time.Now()
			if err := <-e.stop(patience); err != nil {
				t.Errorf("Stop: %v", err)
			}
			select {
			case <-told:
			default:
				t.Error("nobody was told that the server is down")
			}
			if took := time.Since(began); took < 2*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// Whoever makes an instance and finds that it is not wanted may stop it.
func TestStopWithoutStart(t *testing.T) {
	e := newEdge(t, site(server(t, "app"), "[state]\nurl = \"file:state\"\n"))
	if err := <-e.stop(patience); err != nil {
		t.Error(err)
	}
	again, err := app.New(e.options)
	if err != nil {
		t.Fatalf("the store is not closed: %v", err)
	}
	e.App = again
	if err := <-e.stop(patience); err != nil {
		t.Error(err)
	}
}

func TestDrainTimeIsConfigured(t *testing.T) {
	e := start(t, site(server(t, "app"), "[timeouts]\ndrain = \"7s\"\n"))
	if got := e.DrainTime(); got != 7*time.Second {
		t.Errorf("DrainTime is %v, want 7s", got)
	}
}
