package entratest

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Browser fills in the provider's forms with a jar of cookies of its own. It goes
// nowhere else: what leads back to the app is returned.
type Browser struct {
	t      testing.TB
	client *http.Client
}

// Browser returns one that nobody has signed in with.
func (s *Server) Browser(t testing.TB) *Browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := s.Client(t)
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}
	return &Browser{t: t, client: client}
}

// Page is what a browser sees.
type Page struct {
	// Status and Text are those of the answer.
	Status int
	Text   string
	// Left is where the provider sent the browser to, with what it posts there as
	// the query; nil: it is on a page of the provider.
	Left *url.URL
	// Form is the page's only form; nil: there is none.
	Form *Form
}

// Form is a form of one of the provider's pages.
type Form struct {
	// Kind is "sign-in", "mfa", "consent", "callback" or "pick".
	Kind string
	// Action is where it goes, absolute.
	Action string
	// Values are those that are there already.
	Values url.Values
}

// Open opens an address.
func (b *Browser) Open(address string) *Page {
	b.t.Helper()
	return b.ask(http.NewRequest(http.MethodGet, address, nil))
}

// Submit posts a form.
func (b *Browser) Submit(f *Form) *Page {
	b.t.Helper()
	r, err := http.NewRequest(http.MethodPost, f.Action, strings.NewReader(f.Values.Encode()))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return b.ask(r, err)
}

// SignIn opens an address of the authorization endpoint and does what the pages
// ask for: the name and its password if given, approval, consent. It returns
// where the browser is sent to in the end, and fails the test when it is left on
// a page.
func (b *Browser) SignIn(address, user string, password ...string) *url.URL {
	b.t.Helper()
	p := b.Open(address)
	for steps := 0; p.Left == nil && p.Form != nil && steps < 5; steps++ {
		switch p.Form.Kind {
		case "sign-in":
			p.Form.Values.Set("loginfmt", user)
			p.Form.Values.Set("passwd", append(password, "")[0])
		case "mfa":
			p.Form.Values.Set("approve", "yes")
		case "consent":
			p.Form.Values.Set("consent", "yes")
		}
		p = b.Submit(p.Form)
	}
	if p.Left == nil {
		b.t.Fatalf("signing in %s ends on a page of the provider: %d\n%s", user, p.Status, p.Text)
	}
	return p.Left
}

func (b *Browser) ask(r *http.Request, err error) *Page {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	answer, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	p := &Page{Status: answer.StatusCode, Text: string(text)}
	if next, err := answer.Location(); err == nil {
		p.Left = next
	} else if p.Form = ReadForm(r.URL, p.Text); p.Form != nil && p.Form.Kind == "callback" {
		if p.Left, err = url.Parse(p.Form.Action); err == nil {
			p.Left.RawQuery = p.Form.Values.Encode()
		}
	}
	return p
}

var (
	formTag  = regexp.MustCompile(`<form id="([^"]*)" method="post"(?: action="([^"]*)")?>`)
	inputTag = regexp.MustCompile(`<input ([^>]*)>`)
	nameOf   = regexp.MustCompile(`\bname="([^"]*)"`)
	valueOf  = regexp.MustCompile(`\bvalue="([^"]*)"`)
)

// ReadForm is the form of a page of the provider's that was found at an address,
// for clients of the test's own; nil: it has none.
func ReadForm(at *url.URL, page string) *Form {
	tag := formTag.FindStringSubmatch(page)
	if tag == nil {
		return nil
	}
	f := &Form{Kind: tag[1], Action: at.String(), Values: url.Values{}}
	if tag[2] != "" {
		f.Action = html.UnescapeString(tag[2])
	}
	for _, input := range inputTag.FindAllStringSubmatch(page, -1) {
		name, value := nameOf.FindStringSubmatch(input[1]), ""
		if name == nil {
			continue
		}
		if given := valueOf.FindStringSubmatch(input[1]); given != nil {
			value = given[1]
		}
		f.Values.Add(name[1], html.UnescapeString(value))
	}
	if f.Kind == "pick" {
		f.Values.Set("out", "yes")
	}
	return f
}
