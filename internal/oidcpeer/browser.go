package oidcpeer

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// mostSteps is how many pages and redirects lie between here and the app.
const mostSteps = 20

// Browser fills in the provider's forms with a jar of cookies of its own. It goes
// nowhere else: what leads back to the app is returned.
type Browser struct {
	t      testing.TB
	client *http.Client
	peer   *Peer
}

// Browser returns one that nobody has signed in with.
func (p *Peer) Browser(t testing.TB) *Browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := p.Client(t)
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}
	return &Browser{t: t, client: client, peer: p}
}

// SignIn opens an address of the authorization endpoint, signs in where it is
// asked for and consents. It returns where the browser is sent to in the end, and
// fails the test when it is left on a page.
func (b *Browser) SignIn(address, login string) *url.URL {
	b.t.Helper()
	return b.walk(address, url.Values{"login": {login}, "password": {"any"}})
}

// SignOut opens an address of the end-session endpoint, says yes, and returns
// where the browser is sent to: nil where it stays on a page that says so.
func (b *Browser) SignOut(address string) *url.URL {
	b.t.Helper()
	return b.walk(address, url.Values{"logout": {"yes"}})
}

// walk follows redirects and submits forms until it leaves the provider, or comes
// to a page without a form. Fields of the forms that have a name in fill get its
// value.
func (b *Browser) walk(address string, fill url.Values) *url.URL {
	b.t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	for range mostSteps {
		if err != nil {
			b.t.Fatal(err)
		}
		if r.URL.Scheme+"://"+r.URL.Host != b.peer.Issuer {
			return r.URL
		}
		status, text, next := b.ask(r)
		if next != nil {
			r, err = http.NewRequest(http.MethodGet, next.String(), nil)
			continue
		}
		action, values := form(r.URL, text)
		switch {
		case action == "" && status == http.StatusOK:
			return nil
		case action == "":
			b.t.Fatalf("%s: %d\n%s", r.URL.Path, status, text)
		}
		for name, v := range fill {
			if values.Has(name) || name == "logout" {
				values[name] = v
			}
		}
		r, err = http.NewRequest(http.MethodPost, action, strings.NewReader(values.Encode()))
		if err == nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
	}
	b.t.Fatalf("%s leads nowhere in %d steps", address, mostSteps)
	return nil
}

func (b *Browser) ask(r *http.Request) (status int, text string, next *url.URL) {
	b.t.Helper()
	answer, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if next, err := answer.Location(); err == nil {
		return answer.StatusCode, "", next
	}
	return answer.StatusCode, string(body), nil
}

// form is the first form of a page: where it goes, absolute, and what is in it.
// Without one the address is empty.
func form(at *url.URL, page string) (action string, values url.Values) {
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return "", nil
	}
	for element := range root.Descendants() {
		switch {
		case element.Type != html.ElementNode:
		case element.Data == "form" && action != "":
			return action, values
		case element.Data == "form":
			if u, err := at.Parse(attribute(element, "action")); err == nil {
				action, values = u.String(), url.Values{}
			}
		case element.Data == "input" && action != "":
			values.Add(attribute(element, "name"), attribute(element, "value"))
		}
	}
	return action, values
}

func attribute(element *html.Node, name string) string {
	for _, a := range element.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
