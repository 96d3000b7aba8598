package acme_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"doorward/internal/pebbletest"
	"doorward/internal/porttest"
	"doorward/state"
	"doorward/tls/acme"
)

func TestSecurity(t *testing.T) {
	t.Parallel()
	t.Run("ACME-01 strange names order nothing", strangersOrderNothing)
	t.Run("ACME-03 tokens have one form", tokensHaveOneForm)
	t.Run("ACME-05 only what is pending for the host is answered", onlyPendingIsAnswered)
	t.Run("ACME-08 a name that is not configured", unconfiguredNames)
	t.Run("ACME-09 authorities that lie", authoritiesThatLie)
	t.Run("ACME-09 an authority over http", insecureDirectory)
	t.Run("ACME-10 a loop of restarts", restartLoop)
	t.Run("ACME-13 a chain that does not fit", chainsThatDoNotFit)
	t.Run("ACME-14 secrets in the log", secretsStayOutOfLogs)
}

func strangersOrderNothing(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{})
	f := newFront(t, p)
	o := optionsFor(p, memory(t))
	o.CA = f.ca()
	m := open(t, o)
	e.serve(t, m, "a.test")
	issued(t, m, "a.test")
	before := f.orders.Load()
	begun := time.Now()
	const strangers = 10_000
	for n := range strangers {
		name := fmt.Sprintf("x%d.a.test", n)
		if m.Certificate(name) != nil || m.Challenge(name) != nil {
			t.Fatalf("%s has a certificate", name)
		}
		if _, ok := m.HTTPChallenge(name, "/.well-known/acme-challenge/token"); ok {
			t.Fatalf("%s has a challenge", name)
		}
	}
	if each := time.Since(begun) / strangers; each > 5*time.Millisecond {
		t.Errorf("%v for each", each)
	}
	if n := f.orders.Load() - before; n != 0 || len(m.Status()) != 1 {
		t.Errorf("%d orders, status %+v", n, m.Status())
	}
}

// pend writes a challenge into a store as another node would.
func pend(t testing.TB, s *state.Store, kind, key, name, token string) {
	t.Helper()
	value, err := json.Marshal(map[string]string{
		"name": name, "token": token, "answer": token + ".thumb",
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Set(t.Context(), "acme/challenge/"+kind+"/"+key, value, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
}

// idle is a Manager that orders nothing while the test runs.
func idle(t testing.TB, s *state.Store, names ...string) *acme.Manager {
	t.Helper()
	dead := acme.CA{Directory: fmt.Sprintf("https://127.0.0.1:%d/dir", porttest.Free(t))}
	m := open(t, acme.Options{Store: s, CA: dead})
	m.Manage(names)
	return m
}

const asked = "/.well-known/acme-challenge/"

func tokensHaveOneForm(t *testing.T) {
	t.Parallel()
	s := memory(t)
	m := idle(t, s, "a.test")
	bad := []string{
		"", "../secret/x", "../../../etc/passwd", "%2e%2e%2fx", `..\x`, "/x", "//", "x/y", "a b",
		"a\x00b", "ä", "x.y", "x?y", "x#y", "<script>", strings.Repeat("a", 129),
		strings.Repeat("a", 64<<10),
	}
	for _, token := range bad {
		if len(token) > 0 && len(token) < 200 && !strings.Contains(token, "\x00") {
			pend(t, s, acme.HTTP01, token, "a.test", token) // even if it were there
		}
		if body, ok := m.HTTPChallenge("a.test", asked+token); ok {
			t.Errorf("token %.40q is answered with %q", token, body)
		}
	}
	for _, path := range []string{"/", "", "/.well-known/acme-challenge", "/x" + asked + "t"} {
		if _, ok := m.HTTPChallenge("a.test", path); ok {
			t.Errorf("path %q is answered", path)
		}
	}
	for _, token := range []string{"a", "A-z_0", strings.Repeat("a", 128)} {
		pend(t, s, acme.HTTP01, token, "a.test", token)
		if body, ok := m.HTTPChallenge("a.test", asked+token); !ok || body != token+".thumb" {
			t.Errorf("token %q: %q, %v", token, body, ok)
		}
	}
}

func FuzzHTTPChallenge(f *testing.F) {
	s := memory(f)
	m := idle(f, s, "a.test")
	pend(f, s, acme.HTTP01, "token", "a.test", "token")
	f.Add("a.test", asked+"token")
	f.Add("b.test", asked+"../token")
	f.Fuzz(func(t *testing.T, host, path string) {
		body, ok := m.HTTPChallenge(host, path)
		if ok && (host != "a.test" || path != asked+"token" || body != "token.thumb") {
			t.Errorf("%q %q is answered with %q", host, path, body)
		}
	})
}

func onlyPendingIsAnswered(t *testing.T) {
	t.Parallel()
	s := memory(t)
	m := idle(t, s, "a.test", "b.test")
	pend(t, s, acme.HTTP01, "token", "a.test", "token")
	pend(t, s, acme.HTTP01, "moved", "a.test", "another")
	pend(t, s, acme.TLSALPN01, "a.test", "a.test", "token")
	pend(t, s, acme.TLSALPN01, "b.test", "a.test", "token")
	for _, c := range []struct {
		host, token string
		want        bool
	}{
		{"a.test", "token", true},
		{"b.test", "token", false},
		{"c.test", "token", false},
		{"a.test", "unknown", false},
		{"a.test", "moved", false},
	} {
		body, ok := m.HTTPChallenge(c.host, asked+c.token)
		if ok != c.want || ok && body != "token.thumb" {
			t.Errorf("%s %s: %q, %v", c.host, c.token, body, ok)
		}
	}
	if m.Challenge("a.test") == nil || m.Challenge("b.test") != nil || m.Challenge("c.test") != nil {
		t.Error("TLS-ALPN-01 is answered for the wrong names")
	}
}

func unconfiguredNames(t *testing.T) {
	t.Parallel()
	s := memory(t)
	m := idle(t, s, "*.a.test", "b.test")
	pend(t, s, acme.HTTP01, "token", "taken.over.test", "token")
	pend(t, s, acme.TLSALPN01, "x.a.test", "x.a.test", "token")
	if _, ok := m.HTTPChallenge("taken.over.test", asked+"token"); ok {
		t.Error("a foreign name is proven ours")
	}
	// Under a wildcard names are not ours one by one.
	if m.Challenge("x.a.test") != nil {
		t.Error("a name under a wildcard is proven ours")
	}
}

// liar is an authority whose directory is what the test says.
func liar(t testing.TB, handler http.HandlerFunc) (*httptest.Server, acme.CA) {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	f := &front{server: server, caFile: t.TempDir() + "/ca.pem"}
	f.trust(t)
	return server, f.ca()
}

func authoritiesThatLie(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	said := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, text)
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"no JSON":  {said("<html>"), "JSON"},
		"empty":    {said(""), "JSON"},
		"no field": {said("{}"), "required directory fields are missing"},
		"http in the directory": {said(fmt.Sprintf(
			`{"newNonce":%q,"newAccount":%[1]q,"newOrder":%[1]q}`, plain.URL)), "https alone"},
		"redirect to http": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, plain.URL, http.StatusFound)
		}, "https alone"},
		"redirect without end": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, "redirects"},
		"answer without end": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			block := []byte(strings.Repeat(" ", 64<<10))
			for range 1 << 10 {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, "more than 1048576 bytes"},
		"an essay": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"type":"\u001b[31mred\n","detail":%q}`,
				strings.Repeat("long ", 10_000))
		}, "[31mred: long long"},
		"down": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}, "503"},
	} {
		t.Run(name, func(t *testing.T) {
			_, ca := liar(t, c.handler)
			m := open(t, acme.Options{Store: memory(t), CA: ca, Timing: quick()})
			m.Manage([]string{"a.test"})
			s := failing(t, m, "a.test")
			wantText(t, s.LastError, c.want)
			if len(s.LastError) > 500 || strings.ContainsAny(s.LastError, "\x1b\n") {
				t.Errorf("a reason of %d bytes: %q", len(s.LastError), s.LastError)
			}
		})
	}
}

func insecureDirectory(t *testing.T) {
	t.Parallel()
	for _, c := range []acme.CA{
		{Directory: "http://127.0.0.1/dir"}, {Directory: "ftp://ca.test/"}, {Directory: "ca.test"},
		{}, {Directory: "https://ca.test/dir", CAFile: "/nonexistent/ca.pem"},
		{Directory: "https://ca.test/dir", ExternalAccount: &acme.ExternalAccount{KeyID: "k"}},
		{Directory: "https://ca.test/dir", ExternalAccount: &acme.ExternalAccount{HMACKey: "aaaa"}},
	} {
		if m, err := acme.Open(acme.Options{Store: memory(t), CA: c}); err == nil {
			m.Close()
			t.Errorf("%+v is believed", c)
		}
	}
}

func restartLoop(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{})
	f := newFront(t, p)
	o := optionsFor(p, memory(t))
	o.CA, o.Orders, o.Challenges = f.ca(), 4, []string{acme.HTTP01}
	for n := range 3 {
		m := open(t, o)
		a, b := fmt.Sprintf("a%d.test", n), fmt.Sprintf("b%d.test", n)
		e.serve(t, m, a, b)
		if n < 2 {
			issued(t, m, a)
			issued(t, m, b)
		} else {
			wait(t, "the limit", func() bool { return statusOf(t, m, b).LastError != "" })
			s := statusOf(t, m, b)
			wantText(t, s.LastError, "4 orders in 10m0s")
			if s.State != acme.Ordering || time.Until(s.NextTry) < 9*time.Minute {
				t.Errorf("status %+v", s)
			}
			if err := m.Renew(t.Context(), b); err == nil {
				t.Error("renewed beyond the limit")
			} else {
				wantText(t, err.Error(), "4 orders in 10m0s")
			}
		}
		m.Close()
	}
	if n := f.orders.Load(); n != 4 {
		t.Errorf("%d orders", n)
	}
}

func chainsThatDoNotFit(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{})
	f := newFront(t, p)
	o := optionsFor(p, memory(t))
	o.CA = f.ca()
	m := open(t, o)
	e.serve(t, m, "a.test")
	first := issued(t, m, "a.test")
	own := f.server.Certificate()
	f.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "renewalInfo") {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"suggestedWindow":{`+
				`"start":"2001-01-01T00:00:00Z","end":"2001-01-02T00:00:00Z"}}`)
			return true
		}
		if !strings.HasPrefix(r.URL.Path, "/certZ/") {
			return false
		}
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		_, _ = fmt.Fprintf(w, "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n",
			base64.StdEncoding.EncodeToString(own.Raw))
		return true
	})
	err := m.Renew(t.Context(), "a.test")
	if err == nil {
		t.Fatal("a certificate of somebody else was taken")
	}
	wantText(t, err.Error(), "another key")
	if !m.Certificate("a.test").Leaf.Equal(first) {
		t.Error("the good one is gone")
	}
}

func secretsStayOutOfLogs(t *testing.T) {
	t.Parallel()
	const secret = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	e := newEdge(t)
	p := e.pebble(t, pebbletest.Options{ExternalAccounts: map[string]string{"kid-1": secret}})
	var log strings.Builder
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	core := zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(&log)), zap.DebugLevel)
	o := optionsFor(p, memory(t))
	o.Log = zap.New(core)
	o.CA.ExternalAccount = &acme.ExternalAccount{KeyID: "kid-1", HMACKey: secret}
	m := open(t, o)
	e.serve(t, m, "a.test")
	issued(t, m, "a.test")
	p.Stop()
	if err := m.Renew(t.Context(), "a.test"); err == nil {
		t.Error("renewed by the dead")
	}
	m.Close()
	var account struct{ Key []byte }
	for entry, err := range o.Store.All(t.Context(), "acme/account/") {
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(entry.Value, &account); err != nil {
			t.Fatal(err)
		}
	}
	secrets := []string{secret, "PRIVATE KEY", base64.StdEncoding.EncodeToString(account.Key)}
	for _, text := range append(secrets, fmt.Sprintf("%x", account.Key)) {
		if strings.Contains(log.String(), text) {
			t.Errorf("the log has %.12q...", text)
		}
	}
	wantText(t, log.String(), "account registered", "certificate issued", "certificate not renewed")
	// An error that shows a wrong key would be one more place.
	o.CA.ExternalAccount = &acme.ExternalAccount{KeyID: "kid-1", HMACKey: "?" + secret}
	if _, err := acme.Open(o); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("error %v", err)
	}
}
