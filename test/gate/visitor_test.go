package gate_test

import (
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"doorward/internal/edgetest"
)

// visitor is a browser that goes through the pages of providers as well, with what
// somebody types into fields by their names. What follows from a page that has a script
// is done as the script does it.
type visitor struct {
	*browser
	typed url.Values
	// answered is called with each redirect, where it is not nil.
	answered func()
}

// mostPages is how many pages lie between an address and its end.
const mostPages = 12

func rootsWith(t *testing.T, e *edgetest.Edge, caFile string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := e.Roots().Clone()
	roots.AppendCertsFromPEM(text)
	return roots
}

// enter opens an address and does what the pages ask for, until one asks for nothing.
func (v *visitor) enter(address string) page {
	v.t.Helper()
	p, err := v.try(address)
	if err != nil {
		v.t.Fatal(err)
	}
	return p
}

// try is enter for tabs, which are no goroutine of the test.
func (v *visitor) try(address string) (page, error) {
	r, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		return page{}, err
	}
	return v.goOn(r)
}

// signOut sends the form of our page, and goes on to where that leads.
func (v *visitor) signOut() page {
	v.t.Helper()
	r, err := formOf("https://login.example/sign_out", nil)
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Origin", "https://login.example")
	p, err := v.goOn(r.WithContext(v.t.Context()))
	if err != nil {
		v.t.Fatal(err)
	}
	return p
}

// goOn does a request and what follows from its answer.
func (v *visitor) goOn(r *http.Request) (page, error) {
	hops := 0
	for range mostPages {
		p, err := v.once(r)
		hops += p.hops
		p.hops = hops
		if err != nil {
			return p, err
		}
		next, err := v.after(p)
		if err != nil || next == nil {
			return p, err
		}
		r = next.WithContext(v.t.Context())
	}
	return page{}, fmt.Errorf("%s leads nowhere in %d pages", r.URL, mostPages)
}

// once does a request and follows redirects alone. Tabs may do so at the same time.
func (v *visitor) once(r *http.Request) (page, error) {
	client, hops := v.Client, 0
	client.CheckRedirect = func(next *http.Request, before []*http.Request) error {
		if hops = len(before); hops > 19 { // as browsers do
			return fmt.Errorf("in circles")
		}
		if v.answered != nil {
			v.answered()
		}
		if last := before[hops-1].URL; next.URL.Fragment == "" { // RFC 9110, section 10.2.2
			next.URL.Fragment, next.URL.RawFragment = last.Fragment, last.RawFragment
		}
		return nil
	}
	r.Header.Set("Accept", "text/html,*/*")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	a, err := client.Do(r)
	if err != nil {
		return page{}, err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	return page{a.StatusCode, a.Request.URL.String(), string(text), hops}, err
}

// after is what a page makes a browser do next, nil for a page to be read.
func (v *visitor) after(p page) (*http.Request, error) {
	at, err := url.Parse(p.url)
	if err != nil {
		return nil, err
	}
	found := look(p.body)
	for _, frame := range found.frames {
		if err := v.frame(frame); err != nil {
			return nil, err
		}
	}
	abroad := !strings.HasSuffix(at.Hostname(), ".example")
	switch {
	case found.onward != "":
		if at.Fragment != "" && !abroad {
			found.onward += "&" + url.Values{"fragment": {at.EscapedFragment()}}.Encode()
		}
		to, err := at.Parse(found.onward)
		if err != nil {
			return nil, err
		}
		return http.NewRequest(http.MethodGet, to.String(), nil)
	case abroad && found.fields != nil:
		to, err := at.Parse(found.action)
		if err != nil {
			return nil, err
		}
		return formOf(to.String(), v.fill(found.fields))
	}
	return nil, nil
}

// frame opens an address as browsers do in a page of somebody else: without cookies.
func (v *visitor) frame(address string) error {
	a, err := (&http.Client{Transport: v.Transport}).Get(address)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("the frame %s answers %d", address, a.StatusCode)
	}
	return nil
}

// fill types into the fields of a form, and presses its buttons.
func (v *visitor) fill(fields url.Values) url.Values {
	for name, value := range v.typed {
		if _, there := fields[name]; there || name == "out" || name == "logout" {
			fields[name] = value
		}
	}
	return fields
}

func formOf(address string, fields url.Values) (*http.Request, error) {
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(fields.Encode()))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r, err
}

// looked is what matters of a page.
type looked struct {
	onward string     // where its script leads
	action string     // of its first form
	fields url.Values // of that form; nil: there is none
	frames []string
}

func look(text string) (found looked) {
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		return found
	}
	for element := range root.Descendants() {
		if element.Type == html.ElementNode {
			found.note(element.Data, attributes(element))
		}
	}
	return found
}

func (l *looked) note(tag string, a map[string]string) {
	_, goes := a["data-go"]
	switch {
	case tag == "a" && (goes || a["id"] == "next"):
		l.onward = a["href"]
	case tag == "iframe":
		l.frames = append(l.frames, a["src"])
	case tag == "form" && l.fields == nil:
		l.action, l.fields = a["action"], url.Values{}
	case tag == "input" && l.fields != nil:
		l.fields.Add(a["name"], a["value"])
	}
}

func attributes(element *html.Node) map[string]string {
	all := map[string]string{}
	for _, a := range element.Attr {
		all[a.Key] = a.Val
	}
	return all
}
