package oidc_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"doorward/auth/oidc"
)

func outage(t *testing.T) {
	on(t, func(p *peer, _ *oidc.Options) { p.down = true }, func(b *bench) {
		_, err := b.AuthURL(b.Context(), request())
		checkError(b.T, err, oidc.ErrUnavailable, "connection refused")
		b.mustFail(oidc.ErrUnavailable, "")
		_, err = b.Refresh(b.Context(), "r", "s")
		checkError(b.T, err, oidc.ErrUnavailable, "")
		s := b.Status()
		if s.Ready || !strings.Contains(s.Error, "connection refused") || s.Since.IsZero() {
			b.Errorf("the status is %+v", s)
		}
		// It is asked again and again, less and less often.
		pass(10 * time.Minute)
		if n := b.count("/.well-known/openid-configuration"); n < 10 || n > 25 {
			b.Errorf("it was asked %d times in 10 minutes", n)
		}
		b.set(func() { b.down = false })
		b.waitUntilReady()
		b.mustSignIn()
		// What is known outlives the next outage, but not the keys for ever.
		b.set(func() { b.pages["/.well-known/openid-configuration"] = refusing(503, nil) })
		pass(3 * time.Hour)
		if s := b.Status(); !s.Ready || !strings.Contains(s.Error, "503") {
			b.Errorf("the status in the outage is %+v", s)
		}
		b.mustSignIn()
		pass(25 * time.Hour)
		b.set(func() { b.pages["/keys"] = refusing(500, nil) })
		b.mustFail(oidc.ErrUnavailable, "500")
	})
}

func TestSomebodyWhoWantsToSignInMakesUsAskAtOnce(t *testing.T) {
	on(t, func(p *peer, _ *oidc.Options) { p.down = true }, func(b *bench) {
		pass(10 * time.Minute)
		b.set(func() { b.down = false })
		if _, err := b.AuthURL(b.Context(), request()); !errors.Is(err, oidc.ErrUnavailable) {
			b.Errorf("before: %v", err)
		}
		pass(2 * time.Second)
		if _, err := b.AuthURL(b.Context(), request()); err != nil {
			b.Errorf("2 s later: %v", err)
		}
	})
}

func TestNewAsksNobody(t *testing.T) {
	p := newPeer(t)
	provider := mustNew(t, oidc.Options{
		Name: "peer", Type: oidc.OpenID, Issuer: issuer, ClientID: client,
		HTTP: &http.Client{Transport: p},
	})
	if s := provider.Status(); s.Ready || s.Error == "" {
		t.Errorf("the status is %+v", s)
	}
	_, err := provider.AuthURL(t.Context(), request())
	checkError(t, err, oidc.ErrUnavailable, "has not been asked")
	provider.Close()
	if len(p.seen) != 0 {
		t.Errorf("it was asked %d times", len(p.seen))
	}
}

func TestInheritLeavesNoMomentWithoutSignIn(t *testing.T) {
	on(t, nil, func(b *bench) {
		o := oidc.Options{
			Name: "peer", Type: oidc.OpenID, Issuer: issuer, ClientID: client,
			HTTP: &http.Client{Transport: b.peer},
		}
		next := mustNew(b.T, o)
		next.Inherit(b.Provider)
		if _, err := next.AuthURL(b.Context(), request()); err != nil || !next.Status().Ready {
			b.Errorf("the next: %v, %+v", err, next.Status())
		}
		o.Issuer = "https://other.example"
		other := mustNew(b.T, o)
		other.Inherit(b.Provider)
		other.Inherit(nil)
		if _, err := other.AuthURL(b.Context(), request()); !errors.Is(err, oidc.ErrUnavailable) {
			b.Errorf("another provider inherited: %v", err)
		}
	})
}

// pass lets time pass in the bubble, and everybody do what they do meanwhile.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// waitUntilReady lets time pass until the provider can be asked.
func (b *bench) waitUntilReady() {
	b.Helper()
	for range 100 {
		if b.Status().Ready {
			return
		}
		pass(time.Second)
	}
	b.Fatalf("not ready: %+v", b.Status())
}

// forever is a body that does not end.
type forever struct{ read *int }

func (f forever) Read(p []byte) (int, error) {
	*f.read += len(p)
	return len(p), nil
}

func (forever) Close() error { return nil }

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func endless(t *testing.T) {
	read := 0
	on(t, func(p *peer, o *oidc.Options) {
		o.HTTP = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: forever{&read}, Request: r}, nil
		})}
	}, func(b *bench) {
		if s := b.Status(); s.Ready || !strings.Contains(s.Error, "1 MiB") {
			b.Errorf("the status is %+v", s)
		}
		if read > 4<<20 {
			b.Errorf("%d bytes were read", read)
		}
	})
}

func hanging(t *testing.T) {
	on(t, nil, func(b *bench) {
		b.set(func() {
			b.pages["/token"] = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		})
		begun := time.Now()
		_, err := b.signIn()
		checkError(b.T, err, oidc.ErrUnavailable, "")
		if took := time.Since(begun); took > 11*time.Second {
			b.Errorf("it took %v", took)
		}
	})
}

func keyRotation(t *testing.T) {
	on(t, nil, func(b *bench) {
		b.mustSignIn()
		second := published{id: "two", use: "sig", private: secondRSA()}
		b.set(func() { b.keys, b.signing = append(b.keys, second), 1 })
		b.mustSignIn()
		if n := b.count("/keys"); n != 2 {
			b.Errorf("the keys were asked for %d times", n)
		}
	})
}

func removedKey(t *testing.T) {
	on(t, nil, func(b *bench) {
		old := b.sign(merged(b.goodClaims(), map[string]any{"exp": time.Now().Unix() + 1e6}))
		b.set(func() { b.keys = []published{{id: "two", private: secondRSA()}} })
		pass(2 * time.Hour)
		b.idToken = old
		b.mustFail(oidc.ErrInvalid, "does not publish")
	})
}

func randomKeyIDs(t *testing.T) {
	on(t, nil, func(b *bench) {
		head, body := `{"alg":"RS256","kid":"%d"}`, payload(b.sign(b.goodClaims()))
		var group sync.WaitGroup
		for worker := range 4 {
			group.Go(func() {
				for i := range 2500 {
					raw := encode(fmt.Sprintf(head, worker*2500+i)) + "." + body + ".c2ln"
					if _, err := b.Bearer(b.Context(), raw, nil); err == nil {
						b.Error("it passes")
					}
					if _, err := b.LogoutToken(b.Context(), raw); err == nil {
						b.Error("it passes")
					}
				}
			})
		}
		group.Wait()
		if n := b.count("/keys"); n != 2 {
			b.Errorf("the keys were asked for %d times, want once at start and once for them all", n)
		}
		pass(time.Minute)
		_, err := b.LogoutToken(b.Context(), encode(fmt.Sprintf(head, -1))+"."+body+".c2ln")
		checkError(b.T, err, oidc.ErrInvalid, "does not publish")
		if n := b.count("/keys"); n != 3 {
			b.Errorf("a minute later they were asked for %d times", n)
		}
		b.mustSignIn()
	})
}

func misleadingKeyIDs(t *testing.T) {
	for name, change := range map[string]func(*peer){
		"a path":      func(p *peer) { p.header["kid"] = "../../x" },
		"60 KiB":      func(p *peer) { p.header["kid"] = strings.Repeat("k", 60<<10) },
		"of no text":  func(p *peer) { p.header["kid"] = 1 },
		"of another":  func(p *peer) { p.header["kid"] = "two" },
		"none of two": func(p *peer) { p.header["kid"] = nil },
	} {
		on(t, func(p *peer, _ *oidc.Options) {
			p.keys = append(p.keys, published{id: "two", private: secondRSA()})
		}, func(b *bench) {
			change(b.peer)
			if _, err := b.signIn(); !errors.Is(err, oidc.ErrInvalid) {
				b.Errorf("%s: %v", name, err)
			}
			if n := b.count("/keys"); n > 2 {
				b.Errorf("%s: the keys were asked for %d times", name, n)
			}
		})
	}
	on(t, nil, func(b *bench) {
		b.header["kid"] = nil
		b.mustSignIn() // there is but one
	})
}

func uselessKeys(t *testing.T) {
	for name, key := range map[string]published{
		"for encryption":       {id: "x", use: "enc", private: secondRSA()},
		"1024 bits":            {id: "x", use: "sig", private: shortRSA()},
		"for another way":      {id: "x", use: "sig", alg: "PS256", private: secondRSA()},
		"of a type unheard of": {id: "x", private: secondRSA(), more: map[string]any{"kty": "QQ"}},
		"symmetric": {id: "x", private: secondRSA(),
			more: map[string]any{"kty": "oct", "k": "c2VjcmV0", "n": nil, "e": nil}},
	} {
		on(t, func(p *peer, _ *oidc.Options) { p.keys = append(p.keys, key) }, func(b *bench) {
			b.mustSignIn() // by the other key: one that is of no use spoils nothing
			b.signing = 1
			if _, err := b.signIn(); !errors.Is(err, oidc.ErrInvalid) {
				b.Errorf("%s: %v", name, err)
			}
		})
	}
	on(t, func(p *peer, _ *oidc.Options) {
		for i := range 60 {
			p.keys = append(p.keys, published{id: fmt.Sprint(i), private: firstRSA()})
		}
	}, func(b *bench) {
		if s := b.Status(); s.Ready || !strings.Contains(s.Error, "more than 50") {
			b.Errorf("with 61 keys the status is %+v", s)
		}
	})
}

func TestOtherAlgorithmsOfTheList(t *testing.T) {
	firstEC()
	for _, alg := range []string{"ES256", "PS256", "RS512"} {
		on(t, func(p *peer, _ *oidc.Options) {
			if p.alg = alg; alg == "ES256" {
				p.keys = []published{{id: "ec", use: "sig", private: firstEC()}}
			}
			p.document["id_token_signing_alg_values_supported"] = []string{alg, "none", "HS256"}
		}, func(b *bench) {
			b.mustSignIn()
			b.alg, b.keys = "RS256", []published{{id: "one", private: firstRSA()}}
			b.mustFail(oidc.ErrInvalid, "may not be signed with")
		})
	}
}

func leadingElsewhere(t *testing.T) {
	const evil = "https://evil.example/token"
	for name, c := range map[string]struct {
		key, value, says string
		good             bool
	}{
		"another issuer":       {"issuer", "https://other.example", "issuer", false},
		"issuer with slash":    {"issuer", issuer + "/", "issuer", false},
		"tokens elsewhere":     {"token_endpoint", evil, "issuer_hosts", false},
		"keys elsewhere":       {"jwks_uri", evil, "issuer_hosts", false},
		"sign-in elsewhere":    {"authorization_endpoint", evil, "issuer_hosts", false},
		"userinfo elsewhere":   {"userinfo_endpoint", "https://10.0.0.1/u", "issuer_hosts", false},
		"sign-out elsewhere":   {"end_session_endpoint", "javascript:alert(1)", "https://", false},
		"in plain":             {"token_endpoint", "http://id.example/token", "https://", false},
		"in plain, here":       {"token_endpoint", "http://127.0.0.1/token", "not encrypted", false},
		"with a password":      {"token_endpoint", "https://a:b@id.example/", "plain address", false},
		"missing":              {"jwks_uri", "", "missing", false},
		"a host of the site":   {"token_endpoint", "https://id.example/token", "", true},
		"a host that is named": {"jwks_uri", "https://keys.partner.example/keys", "", true},
	} {
		on(t, func(p *peer, o *oidc.Options) {
			p.document[c.key] = c.value
			o.IssuerHosts = []string{"Keys.partner.example:443"}
		}, func(b *bench) {
			if s := b.Status(); s.Ready != c.good || !strings.Contains(s.Error, c.says) {
				b.Errorf("%s: the status is %+v", name, s)
			}
		})
	}
}

func redirects(t *testing.T) {
	to := func(address string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, address, http.StatusTemporaryRedirect)
		}
	}
	for _, address := range []string{"http://169.254.169.254/", "http://id.example/elsewhere",
		"https://evil.example/elsewhere", "https://id.example:444/elsewhere",
		"//evil.example/elsewhere"} {
		on(t, func(p *peer, _ *oidc.Options) {
			p.pages["/.well-known/openid-configuration"] = to(address)
		}, func(b *bench) {
			if s := b.Status(); s.Ready || !strings.Contains(s.Error, "redirects to another host") {
				b.Errorf("to %s: the status is %+v", address, s)
			}
			if b.count("/elsewhere")+b.count("/") != 0 {
				b.Errorf("to %s: it is followed", address)
			}
		})
	}
	on(t, func(p *peer, _ *oidc.Options) {
		p.pages["/keys"] = to("/new-keys")
		p.pages["/new-keys"] = func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, p.keySet()) }
		p.pages["/token"] = to("/new-token")
	}, func(b *bench) {
		if !b.Status().Ready {
			b.Errorf("within the host it is not followed: %+v", b.Status())
		}
		b.mustFail(oidc.ErrUnavailable, "307")
		if b.count("/new-token") != 0 {
			b.Error("a code and a secret were sent on")
		}
	})
}

func errorText(t *testing.T) {
	on(t, nil, func(b *bench) {
		c := callback("error", "access_denied\r\nX: y", "error_description",
			"<script>alert(1)</script>\x00\u202e"+strings.Repeat("x", 500))
		c.Query.Del("code")
		_, err := b.Exchange(b.Context(), c)
		var refused *oidc.CallbackError
		if !errors.As(err, &refused) {
			b.Fatalf("the error is %v", err)
		}
		d := refused.Description
		if len([]rune(d)) > 200 || strings.ContainsAny(err.Error(), "\r\n\x00\u202e") {
			b.Errorf("the error is %q", err)
		}
		if !strings.HasPrefix(d, "<script>") {
			b.Errorf("the description is changed in a way that is the page's: %q", d)
		}
	})
}

func doubledParameters(t *testing.T) {
	on(t, nil, func(b *bench) {
		for _, pairs := range [][]string{
			{"code", "other"}, {"state", "other"}, {"iss", issuer, "iss", issuer},
			{"error", "access_denied"}, {"error", "a", "error", "b"},
			{"error_description", strings.Repeat("x", 1<<20)},
		} {
			_, err := b.Exchange(b.Context(), callback(pairs...))
			checkError(b.T, err, oidc.ErrInvalid, "")
		}
		long := callback()
		long.Query = url.Values{"code": {strings.Repeat("x", 1<<20)}}
		_, err := b.Exchange(b.Context(), long)
		checkError(b.T, err, oidc.ErrInvalid, "16 KiB")
		if b.count("/token") != 0 {
			b.Error("the token endpoint was asked")
		}
	})
}

// noSecrets runs sign-ins that fail in all kinds of ways at a provider that repeats
// what it was sent, and looks for secrets in what is said and logged.
func noSecrets(t *testing.T) {
	echo := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(err)
			}
			text, err := url.QueryUnescape(string(body))
			if err != nil {
				panic(err)
			}
			refusing(status, map[string]string{
				"error": "invalid_grant", "error_description": text + r.Header.Get("Authorization"),
			})(w, r)
		}
	}
	failures := map[string]func(*peer){
		"refused":       func(p *peer) { p.pages["/token"] = echo(400) },
		"broken":        func(p *peer) { p.pages["/token"] = echo(500) },
		"a page":        func(p *peer) { p.pages["/token"] = echo(404) },
		"down":          func(p *peer) { p.down = true },
		"wrong nonce":   func(p *peer) { p.claims["nonce"] = "other-nonce-that-is-secret" },
		"wrong issuer":  func(p *peer) { p.claims["iss"] = "other" },
		"wrong key":     func(p *peer) { p.header["kid"] = "x" },
		"no JSON":       func(p *peer) { p.answer["token_type"] = []int{1} },
		"broken token":  func(p *peer) { p.idToken = "head.the-middle-of-a-token.tail" },
		"nothing wrong": func(*peer) {},
	}
	for name, spoil := range failures {
		for _, post := range []bool{true, false} {
			on(t, func(p *peer, _ *oidc.Options) {
				if post {
					p.document["token_endpoint_auth_methods_supported"] = []string{
						"client_secret_post"}
				}
			}, func(b *bench) {
				spoil(b.peer)
				_, first := b.signIn()
				_, second := b.Refresh(b.Context(), "the-refresh-token", "subject-1")
				said := fmt.Sprint(first, "\n", second, "\n", b.Status())
				for _, entry := range b.logs.All() {
					said += fmt.Sprint("\n", entry.Message, entry.ContextMap())
				}
				for _, s := range []string{code, secret, verifier, nonce, "the-state-of",
					"the-access-token", "the-refresh-token", "middle-of-a-token", "that-is-secret"} {
					if strings.Contains(said, s) {
						b.Errorf("%s: %q is told:\n%s", name, s, said)
					}
				}
			})
		}
	}
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
