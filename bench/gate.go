package main

import (
	"context"
	"crypto/sha1" // as htpasswd files have it; it guards nothing here
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	// signInHost is where Doorward's people sign in.
	signInHost = "login.bench.test"
	// oauth2Proxy is built by scripts/oauth2-proxy.
	oauth2Proxy = "bin/oauth2-proxy"

	person   = "bench"
	password = "a password that is long enough"
)

// gate is what makes a proxy ask who somebody is.
type gate struct {
	// helper is the command of a program that the proxy asks; nil: none.
	helper func(setting) ([]string, error)
	// signIn signs somebody in with a client that keeps cookies.
	signIn func(ctx context.Context, p *proxy, c *http.Client, app string) error
}

// doorwardGate has a local user.
func doorwardGate(binary string) *gate {
	return &gate{signIn: func(ctx context.Context, p *proxy, c *http.Client, app string) error {
		add := exec.CommandContext(ctx, binary, "user", "add", person, "--password-stdin",
			"--control", p.control)
		add.Stdin = strings.NewReader(password + "\n")
		if text, err := add.CombinedOutput(); err != nil {
			return fmt.Errorf("add a user: %w: %s", err, text)
		}
		at, _, err := follow(c, app, nil)
		if err != nil {
			return err
		}
		_, _, err = follow(c, at.String(), url.Values{"login": {person}, "password": {password}})
		return err
	}}
}

// oauth2ProxyGate has a user in a file, so that no provider is needed: what a request
// costs afterwards is the same.
func oauth2ProxyGate() *gate {
	return &gate{
		helper: func(s setting) ([]string, error) {
			users := filepath.Join(s.Dir, "htpasswd")
			sum := sha1.Sum([]byte(password))
			line := person + ":{SHA}" + base64.StdEncoding.EncodeToString(sum[:]) + "\n"
			if err := os.WriteFile(users, []byte(line), 0o600); err != nil {
				return nil, err
			}
			return []string{oauth2Proxy, "--http-address", s.Helper, "--htpasswd-file", users,
				"--provider", "github", "--client-id", "none", "--client-secret", "none",
				"--cookie-secret", strings.Repeat("k", 32), "--email-domain", "*",
				"--upstream", "static://202", "--reverse-proxy", "--set-xauthrequest",
				"--request-logging=false", "--auth-logging=false", "--standard-logging=false"}, nil
		},
		signIn: func(_ context.Context, _ *proxy, c *http.Client, app string) error {
			_, _, err := follow(c, app+"oauth2/sign_in",
				url.Values{"username": {person}, "password": {password}})
			return err
		},
	}
}

// leadsOn is a page that only leads on, which it does so that cookies are sent along.
var leadsOn = regexp.MustCompile(`http-equiv="refresh" content="0; url=([^"]+)"`)

// follow opens an address as a browser does, or sends a form there, and returns where
// that leads and the answer's status.
func follow(c *http.Client, address string, form url.Values) (*url.URL, int, error) {
	for range 5 {
		r, err := http.NewRequest(http.MethodGet, address, nil)
		if err == nil && form != nil {
			r, err = http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
		}
		if err != nil {
			return nil, 0, err
		}
		r.Header.Set("Accept", "text/html")
		answer, err := c.Do(r)
		if err != nil {
			return nil, 0, err
		}
		text, err := io.ReadAll(answer.Body)
		err = errors.Join(err, answer.Body.Close())
		on := leadsOn.FindSubmatch(text)
		if err != nil || on == nil {
			return answer.Request.URL, answer.StatusCode, err
		}
		to, err := answer.Request.URL.Parse(html.UnescapeString(string(on[1])))
		if err != nil {
			return nil, 0, err
		}
		address, form = to.String(), nil
	}
	return nil, 0, fmt.Errorf("%s leads in circles", address)
}

// examine probes a proxy, or, if it has a gate, makes sure that it is shut, and opens
// to somebody who has signed in, whose name the server is told.
func (l *lab) examine(ctx context.Context, p *proxy) error {
	if p.gate == nil {
		return l.probe(p)
	}
	var err error
	if p.http2, err = speaksHTTP2(p.https, l.host()); err != nil {
		return err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	trusted, err := l.roots()
	if err != nil {
		return err
	}
	over := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}
	over.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", p.https)
	}
	client := &http.Client{Timeout: patience, Transport: over, Jar: jar}
	defer client.CloseIdleConnections()
	app := &url.URL{Scheme: "https", Host: l.host(), Path: "/"}
	if at, status, err := follow(client, app.String(), nil); err != nil {
		return err
	} else if at.Host == app.Host && status == http.StatusOK {
		return errors.New("the gate is open to everybody")
	}
	if err := p.gate.signIn(ctx, p, client, app.String()); err != nil {
		return err
	}
	if err := l.probeHost(client, "https://"+app.Host); err != nil {
		return err
	}
	_, who, err := get(client, app.String()+"who")
	if err != nil || string(who) != person {
		return fmt.Errorf("the server is told that %q asks: %w", who, err)
	}
	var pairs []string
	for _, cookie := range jar.Cookies(app) {
		pairs = append(pairs, cookie.Name+"="+cookie.Value)
	}
	p.cookie = strings.Join(pairs, "; ")
	return nil
}

// shareCookies gives proxies without a gate the cookies of the same proxy with one:
// the same requests for both.
func (l *lab) shareCookies() {
	for _, gated := range l.proxies {
		i := slices.IndexFunc(l.proxies, func(p *proxy) bool { return p.name == gated.ungated })
		if i >= 0 {
			l.proxies[i].cookie = gated.cookie
		}
	}
}
