package app_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"testing"

	"doorward/app"
)

const goodPassword = "correct horse battery staple"

// visitor is a browser that goes to a staffed edge.
type visitor struct {
	http.Client
	t *testing.T
}

func (s steered) visitor(t *testing.T) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.Root())
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", s.secure())
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &visitor{http.Client{
		Transport: transport, Jar: jar, Timeout: patience,
	}, t}
}

// ask sends a request as browsers do, and returns the status and the body of what it
// leads to.
func (v *visitor) ask(method, address string, form url.Values, token string) (int, string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, address,
		strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,*/*")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "https://login.example")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := v.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// get opens an address: 401 is being asked to sign in.
func (v *visitor) get(address string) int {
	v.t.Helper()
	status, body := v.ask(http.MethodGet, address, nil, "")
	if status == http.StatusOK && strings.Contains(body, `name="password"`) {
		return http.StatusUnauthorized
	}
	return status
}

// take uses the link of an invitation.
func (v *visitor) take(link string) int {
	v.t.Helper()
	_, code, _ := strings.Cut(link, "code=")
	status, _ := v.ask(http.MethodPost, "https://login.example/setup", url.Values{
		"code": {code}, "password": {goodPassword}, "again": {goodPassword},
	}, "")
	return status
}

// signIn signs in with a password, and tells whether that is right.
func (v *visitor) signIn(login, password string) bool {
	v.t.Helper()
	v.ask(http.MethodGet, "https://login.example/sign_in", nil, "") // which has the form
	v.ask(http.MethodPost, "https://login.example/sign_in",
		url.Values{"login": {login}, "password": {password}}, "")
	status, body := v.ask(http.MethodGet, "https://login.example/whoami", nil, "")
	return status == http.StatusOK && strings.Contains(body, fmt.Sprintf("%q", login))
}

// added is a user with a password.
func (s steered) added(t *testing.T, u app.NewUser) {
	t.Helper()
	u.Password = goodPassword
	if _, err := s.AddUser(s.ctx, u); err != nil {
		t.Fatal(err)
	}
}

// refused wants an answer that says no, in words that hold the text.
func refused(t *testing.T, what string, err error, text string) {
	t.Helper()
	no := new(app.RefusedError)
	if !asError(err, &no) || !strings.Contains(no.Reason, text) {
		t.Errorf("%s: %v, want a refusal with %q", what, err, text)
	}
}

func (s steered) logged(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// text is the configuration.
func (s steered) text(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
