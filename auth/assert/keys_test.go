package assert_test

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"doorward/auth/assert"
)

const day = 24 * time.Hour

// signedBy is the key that signs now, by its place in what is published.
func signedBy(t *testing.T, k *assert.Keys, c *clock) int {
	t.Helper()
	tmpl := template(t, assert.Options{
		Fields: map[string]string{"X-J": "{jwt}"}, Keys: k, Now: c.Now, Audience: "a",
	})
	token := head(t, tmpl, bob())["X-J"]
	all := ofES256(published(t, k))
	for i := range all {
		if _, err := verify(all[i:i+1], token, "a", c.Now()); err == nil {
			return i
		}
	}
	t.Fatal("signed by no key that is published")
	return 0
}

func ofES256(all []jwk) (some []jwk) {
	for _, k := range all {
		if k.Alg == "ES256" {
			some = append(some, k)
		}
	}
	return some
}

// A key is known a day before it signs, and for a week after.
func TestKeysAreRenewed(t *testing.T) {
	c, v := newClock(), new(vault)
	k := newKeys(t, v, c)
	for _, step := range []struct {
		after          time.Duration
		keys, signs    int
		what           string
		savedSomething bool
	}{
		{0, 1, 0, "the first", false},
		{88 * day, 1, 0, "the first, for long", false},
		{day, 2, 0, "the next is published", true},
		{day - time.Minute, 2, 0, "not yet", false},
		{time.Minute, 2, 1, "the next signs", false},
		{7 * day, 2, 1, "the first is still known", false},
		{time.Minute, 1, 0, "the first is gone", true},
		{400 * day, 2, 0, "off for long: the next signs tomorrow", true},
		{day, 2, 1, "and does", false},
	} {
		c.pass(step.after)
		saves := v.saves
		if err := k.Refresh(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := len(ofES256(published(t, k))); got != step.keys {
			t.Errorf("%s: %d keys, want %d", step.what, got, step.keys)
		}
		if got := signedBy(t, k, c); got != step.signs {
			t.Errorf("%s: key %d signs, want %d", step.what, got, step.signs)
		}
		if saved := v.saves != saves; saved != step.savedSomething {
			t.Errorf("%s: saved is %v", step.what, saved)
		}
	}
	c.pass(-1000 * day) // a clock that was wrong signs nevertheless
	signedBy(t, k, c)
}

func TestProcessesShareKeys(t *testing.T) {
	c, v := newClock(), new(vault)
	var other *assert.Keys
	v.between = func() { other = newKeys(t, v, c) } // the other one was quicker
	mine := newKeys(t, v, c)
	if v.saves != 1 {
		t.Errorf("%d saves, want one that counted", v.saves)
	}
	a, b := published(t, mine), published(t, other)
	if len(a) != 2 || len(b) != 2 || a[0] != b[0] || a[1] != b[1] {
		t.Errorf("two processes have the keys\n%v and\n%v", a, b)
	}
}

func TestVaultsThatFail(t *testing.T) {
	ctx := context.Background()
	down := errors.New("the store is down")
	for name, v := range map[string]*vault{
		"down":         {err: down},
		"damaged":      {data: []byte("{"), version: 1},
		"another form": {data: []byte(`[{"alg":"ES256","key":"AAAA"}]`), version: 1},
	} {
		if _, err := assert.NewKeys(ctx, assert.KeyOptions{Vault: v}); err == nil {
			t.Errorf("%s: NewKeys gives no error", name)
		}
		if v.saves > 0 {
			t.Errorf("%s: what was kept is overwritten", name)
		}
	}
	c, v := newClock(), new(vault)
	k := newKeys(t, v, c)
	v.err = down
	if err := k.Refresh(ctx); !errors.Is(err, down) {
		t.Errorf("Refresh = %v", err)
	}
	signedBy(t, k, c)
}

func TestKeysAreLookedAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := new(vault)
		k, err := assert.NewKeys(context.Background(), assert.KeyOptions{Vault: v})
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		timer := time.NewTimer(89*day + 2*time.Hour)
		<-timer.C
		synctest.Wait()
		if v.saves != 2 {
			t.Errorf("%d saves after 89 days, want 2", v.saves)
		}
	})
}

func TestJWKSAnswers(t *testing.T) {
	h := newKeys(t, new(vault), newClock()).JWKS()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader("x")))
	if w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST = %d %v", w.Code, w.Header())
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("HEAD", "/", nil))
	if w.Code != 200 || w.Body.Len() > 0 || w.Header().Get("Content-Type") != "application/json" ||
		w.Header().Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("HEAD = %d %v", w.Code, w.Header())
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if bytes.Contains(w.Body.Bytes(), []byte(`"d":`)) {
		t.Error("a private key is published")
	}
}
