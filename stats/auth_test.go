package stats_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"doorward/stats"
)

// signIn is a request from an address with a name and a password.
func signIn(h http.Handler, from, name, password string) int {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = from
	if name != "" {
		r.SetBasicAuth(name, password)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func locked(t *testing.T) http.Handler {
	page, _ := newPage(t, newEdge(), stats.PageOptions{
		Users: map[string]string{"ops": "correct horse", "anna": "battery staple"},
	})
	return page
}

func TestPasswords(t *testing.T) {
	page := locked(t)
	for _, c := range []struct {
		name, password string
		want           int
	}{
		{"", "", 401},
		{"ops", "correct horse", 200},
		{"anna", "battery staple", 200},
		{"anna", "correct horse", 401},
		{"ops", "", 401},
		{"ops", "correct horse ", 401},
		{"Ops", "correct horse", 401},
		{"nobody", "", 401},
		{"nobody", "correct horse", 401},
	} {
		if got := signIn(page, "192.0.2.1:1", c.name, c.password); got != c.want {
			t.Errorf("%s, %q: %d, want %d", c.name, c.password, got, c.want)
		}
	}
	w := get(page, "/")
	if got := w.Header().Get("WWW-Authenticate"); got != `Basic realm="Doorward", charset="UTF-8"` {
		t.Errorf("browsers are asked %q", got)
	}
}

// ADM-09 asks for the same of tokens.
func TestWhoGuessesWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page := locked(t)
		guess := func(from string, times int) (last int) {
			for i := range times {
				last = signIn(page, from, "ops", fmt.Sprint("guess", i))
			}
			return last
		}
		const from, neighbour, stranger = "[2001:db8::1]:1", "[2001:db8::ffff]:2", "[2001:db8:0:1::1]:1"
		if got := guess(from, 10); got != 401 {
			t.Errorf("the tenth guess: %d", got)
		}
		for _, c := range []struct {
			from string
			want int
		}{{from, 429}, {neighbour, 429}, {stranger, 200}} {
			if got := signIn(page, c.from, "ops", "correct horse"); got != c.want {
				t.Errorf("the right password from %s: %d, want %d", c.from, got, c.want)
			}
		}
		if got := signIn(page, from, "", ""); got != 401 {
			t.Errorf("without a password: %d", got)
		}
		<-time.After(time.Minute)
		if got := signIn(page, from, "ops", "correct horse"); got != 200 {
			t.Errorf("a minute later: %d", got)
		}
		guess(from, 9)
		signIn(page, from, "ops", "correct horse")
		if got := guess(from, 9); got != 401 {
			t.Errorf("nine guesses after the right password: %d", got)
		}
	})
}

// Guessers from everywhere take no more memory than a few thousand do, and lock
// nobody else out.
func TestGuessersFromEverywhere(t *testing.T) {
	page := locked(t)
	for i := range 6000 {
		signIn(page, fmt.Sprintf("10.%d.%d.1:1", i/256, i%256), "ops", "guess")
	}
	if got := signIn(page, "192.0.2.9:1", "ops", "correct horse"); got != 200 {
		t.Errorf("the right password: %d", got)
	}
}
