package main

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"doorward/config"
)

// signedInBy is a gate that anybody passes who says so.
func signedInBy(signIn func(*http.Client) error) *gate {
	return &gate{signIn: func(_ context.Context, _ *proxy, c *http.Client, _ string) error {
		return signIn(c)
	}}
}

func TestExamineRefusesAGateThatIsOpen(t *testing.T) {
	l := open(t, "haproxy")
	p := l.proxies[0]
	p.gate = signedInBy(func(*http.Client) error { return nil })
	if err := l.examine(t.Context(), p); err == nil || !strings.Contains(err.Error(), "open to everybody") {
		t.Errorf("examine = %v", err)
	}
}

func TestFollowGoesWhereABrowserGoes(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			http.Redirect(w, r, "/form?x=1", http.StatusSeeOther)
		case "/form":
			if r.FormValue("login") == person {
				http.SetCookie(w, &http.Cookie{Name: "in", Value: "yes", Path: "/"})
				_, _ = w.Write([]byte(`<meta http-equiv="refresh" content="0; url=/app?a=1&amp;b=2">`))
			}
		case "/circle":
			_, _ = w.Write([]byte(`<meta http-equiv="refresh" content="0; url=/circle">`))
		}
	}))
	t.Cleanup(s.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	at, status, err := follow(c, s.URL, nil)
	if err != nil || at.RequestURI() != "/form?x=1" || status != http.StatusOK {
		t.Fatalf("follow = %v, %d, %v", at, status, err)
	}
	at, _, err = follow(c, at.String(), url.Values{"login": {person}})
	if err != nil || at.RequestURI() != "/app?a=1&b=2" || len(jar.Cookies(at)) != 1 {
		t.Errorf("follow = %v, %v with %v", at, err, jar.Cookies(at))
	}
	if _, _, err = follow(c, s.URL+"/circle", nil); err == nil {
		t.Error("a page that leads to itself has an end")
	}
}

func TestWhoHasNoGateGetsTheSameRequests(t *testing.T) {
	gated, without, other := &proxy{name: "b", ungated: "a", cookie: "k=v"}, &proxy{name: "a"}, &proxy{name: "c"}
	l := &lab{proxies: []*proxy{without, gated, other}}
	l.shareCookies()
	if without.cookie != "k=v" || other.cookie != "" {
		t.Errorf("the cookies are %q and %q", without.cookie, other.cookie)
	}
	proxies, _ := l.contendersOf(row{name: "gated-h1", gate: true})
	if len(proxies) != 2 {
		t.Errorf("%d proxies take part, want those with a cookie", len(proxies))
	}
}

func TestDoorwardReadsItsFileWithAGateWithoutAWarning(t *testing.T) {
	s := setting{
		Dir: t.TempDir(), HTTP: "127.0.0.1:8080", HTTPS: "127.0.0.1:8443", Gated: true,
		Servers: []string{"127.0.0.1:8001", "127.0.0.1:8002"}, Hosts: []string{"app1.bench.test"},
	}
	s.Certificate = filepath.Join(s.Dir, "edge.pem")
	if err := writeCertificate(s.Certificate, []string{s.Hosts[0], signInHost}); err != nil {
		t.Fatal(err)
	}
	file, err := s.render("doorward.toml")
	if err != nil {
		t.Fatal(err)
	}
	if _, said := config.Load(file, os.LookupEnv); len(said) > 0 {
		t.Errorf("config.Load: %v", said)
	}
}
