package proxy_test

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"doorward/internal/gate"
	"doorward/proxy"
	"doorward/proxy/backend"
)

// doorkeeper is a gate that says what the test wants.
type doorkeeper struct {
	verdict func(q *gate.Question) gate.Verdict
	shut    atomic.Bool
	// judging, if there is one, happens when it is asked whether somebody may stay.
	judging func()
}

func (d *doorkeeper) Check(q *gate.Question) gate.Verdict { return d.verdict(q) }

func (d *doorkeeper) Holds(p gate.Pass, q *gate.Question) bool {
	if d.judging != nil {
		d.judging()
	}
	return !d.shut.Load() && p != nil && q.Client.IsLoopback()
}

type passOf struct{ name string }

func (p *passOf) UserName() string { return p.name }

// gated is a flow behind a gate.
func gated(t *testing.T, server script, verdict func(q *gate.Question) gate.Verdict) (*flow, *doorkeeper) {
	d := &doorkeeper{verdict: verdict}
	return newFlow(t, flowOptions{backend: backend.Options{KeepAlive: true}, server: server,
		snapshot: func(s *proxy.Snapshot, r *proxy.Route) {
			r.Gate, r.Upgrades = d, []string{"echo"}
			s.SignIn = true
		}}), d
}

func bob(*gate.Question) gate.Verdict {
	return gate.Verdict{Pass: &passOf{"bob"}, Head: []byte("X-User: bob\r\nX-Groups: a|b\r\n")}
}

// tellAll answers with the head that the server got.
func tellAll(_ int64, c net.Conn, r *http.Request) bool {
	var b strings.Builder
	_ = r.Header.Write(&b)
	_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: "+
		strconv.Itoa(b.Len())+"\r\nSet-Cookie: __Host-doorward=evil; Secure\r\nSet-Cookie: own=1\r\n\r\n"+b.String())
	return err == nil
}

// The server learns who it is from us alone, and nothing of how we know.
func TestSecurityGate(t *testing.T) {
	t.Run("ID-18_RS-14_our_cookies_are_ours_and_identity_too", gateTellsTheServer)
}

func gateTellsTheServer(t *testing.T) {
	f, _ := gated(t, tellAll, func(q *gate.Question) gate.Verdict {
		if string(q.Path) != "/a" || string(q.Host) != "a" || string(q.Authority) != "A:80" || q.Secure {
			t.Errorf("the gate was asked %+v", q)
		}
		v := bob(q)
		v.HideAuthorization = true
		return v
	})
	got := f.ask("GET /a HTTP/1.1\r\nHost: A:80\r\nConnection: close\r\nX-User: me\r\n" +
		"Remote-User: root\r\nX-Authentik-Username: root\r\nX_Forwarded_User: root\r\n" +
		"Authorization: Bearer dw_secret\r\n" +
		"Cookie: a=1; __Host-doorward=1secret; __host-DOORWARD-browser=x;b=2\r\n" +
		"Cookie: __Secure-doorward=2secret\r\nCookie: kept=as;it is\r\n\r\n")
	for _, want := range []string{"X-User: bob\r\n", "X-Groups: a|b\r\n", "Cookie: a=1; b=2\r\n",
		"Cookie: kept=as;it is\r\n", "Set-Cookie: own=1\r\n"} {
		if strings.Count(got, want) != 1 {
			t.Errorf("%q is not there once in\n%s", want, got)
		}
	}
	for _, never := range []string{"root", "secret", "evil", "doorward"} {
		if strings.Contains(strings.ToLower(got), never) {
			t.Errorf("%q is in\n%s", never, got)
		}
	}
	if r := f.record(); r.User != "bob" {
		t.Errorf("the record says %q, want bob", r.User)
	}
}

// Neither before nor behind an answer does a server set a cookie that is ours.
func TestServersSetNoCookieOfOursInAnyPlace(t *testing.T) {
	const set = "Set-Cookie: own=1\r\nSet-Cookie: __Host-doorward=evil\r\n" +
		"SET-COOKIE: __secure-doorward=evil\r\n"
	f, _ := gated(t, func(_ int64, c net.Conn, _ *http.Request) bool {
		_, err := io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n"+set+"\r\n"+
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"+set+"\r\n0\r\n"+set+"\r\n")
		return err == nil
	}, bob)
	got := f.ask("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close\r\n\r\n")
	if strings.Contains(got, "evil") || strings.Count(got, "Set-Cookie: own=1\r\n") != 3 {
		t.Errorf("the client gets\n%s", got)
	}
}

// What the gate answers is all that happens: no server is asked.
func TestGateAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		verdict gate.Verdict
		request string
		want    string
		state   string
	}{
		"a page": {gate.Verdict{Status: 403, Answer: http.HandlerFunc(
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })},
			"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 403 ", "PR"},
		"a redirect of ours": {gate.Verdict{Answer: http.RedirectHandler("/elsewhere", http.StatusSeeOther)},
			"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 303 ", "LR"},
		"a status alone": {gate.Verdict{Status: 401},
			"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 401 ", "PR"},
		"gRPC": {gate.Verdict{Status: 401, Answer: http.NotFoundHandler()},
			"POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nContent-Type: application/grpc\r\n" +
				"Content-Length: 0\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 ", "PR"},
		"an upgrade": {gate.Verdict{Status: 401},
			"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n" +
				"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 401 ", "PR"},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := gated(t, tellAll, func(*gate.Question) gate.Verdict { return c.verdict })
			if got := f.ask(c.request); !strings.HasPrefix(got, c.want) {
				t.Errorf("answer\n%s\nwant %s", got, c.want)
			}
			if r := f.record(); string(r.Termination[:]) != c.state || r.User != "" {
				t.Errorf("ended with %q for %q, want %q", r.Termination, r.User, c.state)
			}
			if n := f.requests.Load(); n != 0 {
				t.Errorf("the server got %d requests", n)
			}
		})
	}
}

// Who may not go on any more is cut off, whatever goes on; everybody else stays.
func TestReviewEndsWhatMayNotGoOn(t *testing.T) {
	stay := make(chan struct{})
	f, d := gated(t, func(_ int64, c net.Conn, r *http.Request) bool {
		if r.Header.Get("Upgrade") != "" {
			_, _ = io.WriteString(c, "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhi")
		} else {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nhi")
		}
		<-stay
		return false
	}, bob)
	defer close(stay)
	var clients []io.Reader
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		c, br := f.dial()
		_, _ = io.WriteString(c, request)
		for got := ""; !strings.Contains(got, "hi"); {
			line, err := br.ReadString('i')
			if err != nil {
				t.Fatalf("%q, then %v", got, err)
			}
			got += line
		}
		clients = append(clients, br)
	}
	if n := f.engine.Review(); n != 0 {
		t.Fatalf("%d were ended whose gate is open", n)
	}
	d.shut.Store(true)
	if n := f.engine.Review(); n != 2 {
		t.Errorf("%d were ended, want 2", n)
	}
	for range clients {
		f.record()
	}
	if n := f.engine.Review(); n != 0 {
		t.Errorf("%d were ended twice", n)
	}
}

// A server that is not done with a request whose right ended does not get it a second
// time, although it would for an idempotent one whose connection, used before, broke off.
func TestWhatReviewEndsIsNotAskedAgain(t *testing.T) {
	asked, stay := make(chan struct{}, 2), make(chan struct{})
	f, d := gated(t, func(nth int64, c net.Conn, r *http.Request) bool {
		if r.URL.Path == "/first" {
			return tellAll(nth, c, r)
		}
		asked <- struct{}{}
		<-stay
		return false
	}, bob)
	defer close(stay)
	c, br := f.dial()
	_, _ = io.WriteString(c, "GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
	first, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, first.Body)
	f.record()
	_, _ = io.WriteString(c, "GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
	<-asked
	d.shut.Store(true)
	if n := f.engine.Review(); n != 1 {
		t.Errorf("%d were ended, want 1", n)
	}
	if r := f.record(); r.Termination[0] != 'C' || r.Retries != 0 {
		t.Errorf("ended with %q after %d retries", r.Termination, r.Retries)
	}
	if n := f.requests.Load(); n != 2 {
		t.Errorf("the server got %d requests, want 2", n)
	}
}

// Whoever is on the way in while others are looked at is not overlooked: here the right
// ends, and the review is over, between the gate's word and what follows it.
func TestReviewMissesNobodyOnTheWayIn(t *testing.T) {
	var f *flow
	var d *doorkeeper
	var ended atomic.Bool
	f, d = gated(t, tellAll, func(q *gate.Question) gate.Verdict {
		if !ended.Swap(true) {
			d.shut.Store(true)
			f.engine.Review()
		}
		return bob(q)
	})
	c, br := f.dial()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if got, err := br.ReadString('\n'); err == nil {
		t.Errorf("the answer is %q", got)
	}
	d.shut.Store(false)
	if got := f.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("the next gets\n%s", got)
	}
}

// What the configuration says with {user} is who passed, request by request.
func TestTemplatesKnowTheUser(t *testing.T) {
	who := atomic.Pointer[string]{}
	first, second := "bob", "eve"
	who.Store(&first)
	d := &doorkeeper{verdict: func(*gate.Question) gate.Verdict {
		return gate.Verdict{Pass: &passOf{*who.Load()}}
	}}
	f := newFlow(t, flowOptions{
		backend: backend.Options{}, server: tellAll,
		snapshot: func(s *proxy.Snapshot, r *proxy.Route) {
			r.Gate = d
			var err error
			if r.Request, err = proxy.CompileChanges(false, proxy.ChangeList{
				Set: []proxy.HeaderValue{{Name: "X-Who", Value: "<{user}>"}},
			}); err != nil {
				t.Fatal(err)
			}
		},
	})
	for _, name := range []*string{&first, &second} {
		who.Store(name)
		got := f.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		if want := "X-Who: <" + *name + ">"; !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
