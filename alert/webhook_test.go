package alert_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"doorward/alert"
)

// receiver takes POSTs in place of the network, and answers with the statuses
// given, then 200; 0 is a network that is down.
type receiver struct {
	statuses []int

	mu    sync.Mutex
	began time.Time
	at    []time.Duration
}

func (r *receiver) RoundTrip(request *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	request.Body.Close()
	if r.at == nil {
		r.began = time.Now()
	}
	r.at = append(r.at, time.Since(r.began))
	status := http.StatusOK
	if n := len(r.at); n <= len(r.statuses) {
		status = r.statuses[n-1]
	}
	if status == 0 {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ENETUNREACH}
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Request: request}, nil
}

func (r *receiver) all() []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

// asked is a request that arrived.
type asked struct {
	method, kind, user, password string
	body                         []byte
}

// listening is a real receiver that answers as answer does, and what arrived.
func listening(t *testing.T, answer http.HandlerFunc) (string, <-chan asked) {
	t.Helper()
	arrived := make(chan asked, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		arrived <- asked{r.Method, r.Header.Get("Content-Type"), user, password, body}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, arrived
}

const shape = `{
  "host": "edge1",
  "text": "[doorward edge1] app/web1 UP, 3 of 3 servers up",
  "changes": [
    {
      "time": "2026-03-04T05:06:07.089Z",
      "backend": "app",
      "server": "web1",
      "state": "down",
      "reason": "L4CON connection refused",
      "last_state_seconds": 7380.5,
      "servers_left": 2,
      "backups_left": 1
    },
    {
      "time": "2026-03-04T06:06:07.089Z",
      "backend": "app",
      "server": "web1",
      "state": "up",
      "reason": "",
      "last_state_seconds": 0,
      "servers_left": 3,
      "backups_left": 0
    }
  ],
  "dropped": 0
}`

// The shape is a promise to those who wrote a receiver.
func TestWebhookShape(t *testing.T) {
	url, arrived := listening(t, func(http.ResponseWriter, *http.Request) {})
	a, _ := started(t, alert.Options{
		Webhook: strings.Replace(url, "http://", "http://me:password@", 1) + "/hook?token=x",
		Delay:   time.Hour,
	})
	first, second := down(), down()
	first.At, first.Backups = first.At.In(time.FixedZone("CET", 3600)), 1
	second.At = second.At.Add(time.Hour)
	second.Up, second.Left, second.Reason, second.LastState = true, 3, "", 0
	a.Tell(first)
	a.Tell(second)
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := <-arrived
	if got.method != "POST" || got.kind != "application/json" ||
		got.user != "me" || got.password != "password" {
		t.Errorf("arrived: %+v", got)
	}
	var indented, wanted any
	if json.Unmarshal(got.body, &indented) != nil || json.Unmarshal([]byte(shape), &wanted) != nil {
		t.Fatalf("not JSON: %s", got.body)
	}
	if text, _ := json.MarshalIndent(indented, "", "  "); string(text) != same(wanted) {
		t.Errorf("the body is\n%s\nwant\n%s", text, same(wanted))
	}
}

func same(value any) string {
	text, _ := json.MarshalIndent(value, "", "  ")
	return string(text)
}

func TestWebhookIsTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		statuses []int
		want     []time.Duration
		lost     uint64
	}{
		"well":                 {[]int{204}, seconds(0), 0},
		"down, then busy":      {[]int{0, 503}, seconds(0, 5, 35), 0},
		"too fast":             {[]int{429}, seconds(0, 5), 0},
		"never":                {[]int{500, 500, 500}, seconds(0, 5, 35), 1},
		"gone":                 {[]int{404}, seconds(0), 1},
		"leads somewhere else": {[]int{302}, seconds(0), 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &receiver{statuses: c.statuses}
				a, logged := started(t, alert.Options{
					Webhook: "https://hooks.test/s", Transport: r,
				})
				a.Tell(down())
				wait(10 * time.Minute)
				if !slices.Equal(r.all(), c.want) || a.Lost() != c.lost {
					t.Errorf("POSTs at %v, lost %d, want %v and %d",
						r.all(), a.Lost(), c.want, c.lost)
				}
				if n := logged.FilterLevelExact(zap.ErrorLevel).Len(); uint64(n) != c.lost {
					t.Errorf("%d errors logged, want %d", n, c.lost)
				}
			})
		})
	}
}

func TestWebhookThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		hanging := carrier(func(r *http.Request) (*http.Response, error) {
			n++
			r.Body.Close()
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		a, _ := started(t, alert.Options{Webhook: "http://hooks.test/", Transport: hanging})
		a.Tell(down())
		wait(10*time.Second + 5*time.Second + 10*time.Second + 30*time.Second + 9*time.Second)
		if n != 3 || a.Lost() != 0 {
			t.Errorf("%d POSTs, lost %d, want the third under way", n, a.Lost())
		}
		wait(time.Second)
		if a.Lost() != 1 {
			t.Errorf("lost %d, want 1 when each of three POSTs got 10s", a.Lost())
		}
	})
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere, stolen := listening(t, func(http.ResponseWriter, *http.Request) {})
	url, arrived := listening(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
	})
	a, logged := started(t, alert.Options{Webhook: url + "/hook"})
	a.Tell(down())
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(arrived) != 1 || len(stolen) != 0 || a.Lost() != 1 {
		t.Errorf("%d POSTs, %d at the other place, lost %d", len(arrived), len(stolen), a.Lost())
	}
	if text := fmt.Sprint(logged.All()); !strings.Contains(text, "redirects are not followed") {
		t.Errorf("the log does not say why: %s", text)
	}
}

// What a receiver says is read in part, and said in one line without the secret
// that the URL is.
func TestAnswerIsBoundedAndHidesTheURL(t *testing.T) {
	url, _ := listening(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "no hook %s?%s\r\nsorry ", r.URL.Path, r.URL.RawQuery)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat("x", 4096)); err != nil {
				return
			}
		}
	})
	a, logged := started(t, alert.Options{Webhook: url + "/T0000000/sEcReTsEcReT?key=hUsHhUsH"})
	a.Tell(down())
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkLog(t, logged.All(), url+" answered 403 Forbidden: no hook /")
}

// Receivers may repeat the URL in the form that it was sent in, and the header with
// the password; and errors of the library may repeat what receivers say.
func TestRepeatedSecretsAreHidden(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		want   string
	}{
		"in the body": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			name, password, _ := r.BasicAuth()
			_, _ = fmt.Fprintf(w, "%s for %s %s %s", r.RequestURI, r.Header.Get("Authorization"),
				name, password)
		}, "403 Forbidden: /*** for Basic *** *** ***"},
		"in a field that cannot be read": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", ":"+r.RequestURI+strings.Repeat("x", 20_000))
			w.WriteHeader(http.StatusFound)
		}, "Location"},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := listening(t, c.answer)
			secret := strings.Replace(url, "http://", "http://sEcReTuser:sEcReTword@", 1)
			a, logged := started(t, alert.Options{Webhook: secret + "/sEcReT%2FsEcReT"})
			a.Tell(down())
			if err := a.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			checkLog(t, logged.All(), c.want)
			text := fmt.Sprint(logged.All()[0].ContextMap()["error"])
			if strings.Contains(text, base64.StdEncoding.EncodeToString([]byte("sEcReTuser"))[:12]) {
				t.Errorf("the log shows the password: %q", text)
			}
		})
	}
}

func TestNetworkErrorsHideTheURL(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	url := "http://" + l.Addr().String()
	a, logged := started(t, alert.Options{Webhook: url + "/T0000000/sEcReTsEcReT?key=hUsHhUsH"})
	a.Tell(down())
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := logged.FilterMessageSnippet("told").Len(); n != 3 {
		t.Errorf("%d attempts logged, want 3", n)
	}
	checkLog(t, logged.All(), url+": dial tcp")
}

func TestCertificateOfTheReceiverIsChecked(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = nil
	server.StartTLS()
	defer server.Close()
	a, logged := started(t, alert.Options{Webhook: server.URL + "/sEcReTsEcReT"})
	a.Tell(down())
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkLog(t, logged.All(), "certificate")
}

// checkLog looks at the error of the first line.
func checkLog(t *testing.T, lines []observer.LoggedEntry, want string) {
	t.Helper()
	text, _ := lines[0].ContextMap()["error"].(string)
	if !strings.Contains(text, want) || len(text) > 400 || strings.ContainsAny(text, "\r\n") {
		t.Errorf("logged %q, want one short line with %q", text, want)
	}
	for _, secret := range []string{"sEcReT", "hUsH"} {
		if strings.Contains(text, secret) {
			t.Errorf("the log shows the webhook: %q", text)
		}
	}
}
