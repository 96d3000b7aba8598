package gate_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"doorward/internal/edgetest"
)

// The flood of acceptance 11, and how long it is measured.
const (
	guessEvery = 5 * time.Millisecond // 200 a second
	floodFor   = 3 * time.Second
	// floodSlack is what a machine that is busy otherwise may add. Were the guesses worked on
	// as they come, it would be seconds.
	floodSlack = 250 * time.Millisecond
	// floodRounds is how often is measured: what else the machine does comes and goes, what
	// a flood does to the proxy comes each time.
	floodRounds = 4
)

// Acceptance 11: two hundred wrong passwords a second leave what the proxy does for others
// as fast as it was, and the owner of an account gets in. Addresses are not counted here,
// so that each guess is worked on: what bounds the work is the queue alone.
func TestAcceptance11WrongPasswords(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(tellHead))
	t.Cleanup(server.Close)
	site := providerSite(server.URL,
		"throttle = { per_minute = 100000, per_hour = 1000000, hashes = 1 }\n", "")
	h := &gatedHouse{edgetest.Start(t, site), t}
	owner := h.administrator()
	if p := owner.open("https://app.example/"); p.status != http.StatusOK {
		t.Fatalf("%d at %s", p.status, p.url)
	}
	other := h.browser() // one that has signed in before, as the owner's have
	other.signIn("https://app.example/", "alice", gatePassword)
	other.send("/sign_out", url.Values{})
	open, gated := pace{h.browser(), "https://open.example/"}, pace{owner, "https://app.example/"}
	var answers map[int]int
	for round := 1; ; round++ {
		before := [2]time.Duration{open.p99(floodFor / 3), gated.p99(floodFor / 3)}
		flood := h.flood()
		during := make(chan [2]time.Duration)
		go func() { during <- inFlood(open, gated) }()
		if p := other.signIn("https://app.example/", "alice", gatePassword); p.status != http.StatusOK {
			t.Errorf("the owner: %d at %s", p.status, p.url)
		}
		slow := <-during
		answers = flood.end()
		t.Logf("public and gated: p99 %v before, %v in the flood", before, slow)
		if slow[0] <= 10*before[0]+floodSlack && slow[1] <= 10*before[1]+floodSlack {
			break
		}
		if round == floodRounds {
			t.Errorf("p99 is %v, before the flood it was %v", slow, before)
			break
		}
		other.send("/sign_out", url.Values{})
	}
	if answers[http.StatusForbidden] == 0 || answers[http.StatusServiceUnavailable] == 0 ||
		answers[http.StatusOK] > 0 || answers[0] > 0 {
		t.Errorf("the guesses were answered with %v", answers)
	}
}

// inFlood is the pace of both while a flood goes on.
func inFlood(open, gated pace) (slow [2]time.Duration) {
	var both sync.WaitGroup
	both.Go(func() { slow[0] = open.p99(floodFor) })
	both.Go(func() { slow[1] = gated.p99(floodFor) })
	both.Wait()
	return slow
}

// pace asks for an address two hundred times a second, one after the other.
type pace struct {
	*browser
	address string
}

// p99 is how long one in a hundred requests takes at least.
func (p pace) p99(d time.Duration) time.Duration {
	var took []time.Duration
	tick := time.NewTicker(guessEvery)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
		began := time.Now()
		a, err := p.Get(p.address)
		if err != nil {
			p.t.Error(err)
			return 0
		}
		_, _ = io.Copy(io.Discard, a.Body)
		_ = a.Body.Close()
		if a.StatusCode != http.StatusOK {
			p.t.Errorf("%s: %d", p.address, a.StatusCode)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

// guessing is a flood of wrong passwords.
type guessing struct {
	stop    chan struct{}
	ended   chan struct{}
	mu      sync.Mutex
	answers map[int]int // by status; 0 is none
}

// flood begins one: every fourth guess is for the owner's account, the others are for names
// that nobody has.
func (h *gatedHouse) flood() *guessing {
	g := &guessing{
		stop: make(chan struct{}), ended: make(chan struct{}), answers: map[int]int{},
	}
	b := h.browser()
	b.open("https://login.example/sign_in") // which gives it a name, without that it is not looked at
	go func() {
		defer close(g.ended)
		var all sync.WaitGroup
		defer all.Wait()
		tick := time.NewTicker(guessEvery)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-g.stop:
				return
			case <-tick.C:
			}
			name := "alice"
			if n%4 != 0 {
				name = "nobody-" + strconv.Itoa(n)
			}
			all.Go(func() { g.count(b.guess(name)) })
		}
	}()
	return g
}

func (g *guessing) count(status int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answers[status]++
}

// end stops it and tells how the guesses were answered.
func (g *guessing) end() map[int]int {
	close(g.stop)
	<-g.ended
	return g.answers
}

// guess sends a wrong password, and returns the status of the answer.
func (b *browser) guess(name string) int {
	r, err := formOf("https://login.example/sign_in", url.Values{
		"login": {name}, "password": {"not " + gatePassword},
	})
	if err != nil {
		return 0
	}
	r.Header.Set("Origin", "https://login.example")
	a, err := b.Do(r)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, a.Body)
	_ = a.Body.Close()
	return a.StatusCode
}
