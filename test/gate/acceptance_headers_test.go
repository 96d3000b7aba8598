package gate_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"doorward/internal/edgetest"
)

// claimed are the fields that servers believe on some route, as somebody might spell them
// who wants to be root.
var claimed = []string{
	"X-authentik-username", "X_Authentik_Username", "x-AUTHENTIK_username",
	"X_authentik-username", "X-Authentik-Groups", "X_Authentik_Groups", "X-Authentik-Uid",
	"X-Authentik-Jwt", "X-Authentik-Meta-App", "X_Authentik_Email",
	"Remote-User", "REMOTE_USER", "Remote_user", "Remote-Groups", "X-Who", "X_Who", "x-who",
}

// tellAll answers with the fields before the body and those behind it.
func tellAll(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Header.Write(w)
	_ = r.Trailer.Write(w)
}

// Acceptance 7: no server ever sees what clients say that they are, in whatever spelling,
// on public routes neither.
func TestAcceptance07NobodySaysWhoTheyAre(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(tellAll))
	t.Cleanup(server.Close)
	h := &gatedHouse{edgetest.Start(t, providerSite(server.URL, "", "")), t}
	alice := h.administrator()
	if p := alice.open("https://app.example/"); p.status != http.StatusOK {
		t.Fatalf("%d at %s", p.status, p.url)
	}
	places := []struct {
		name, host, path string
		signedIn         bool
	}{
		{"public_route", "open.example", "/", false},
		{"public_path", "app.example", "/healthz", false},
		{"public_path_signed_in", "app.example", "/healthz", true},
		{"gated_route", "app.example", "/", true},
	}
	for _, at := range places {
		url, cookies := "https://"+at.host+at.path, ""
		browser := h.browser()
		if at.signedIn {
			browser = alice
			r, _ := http.NewRequest(http.MethodGet, url, nil)
			for _, c := range browser.Jar.Cookies(r.URL) {
				cookies += "Cookie: " + c.Name + "=" + c.Value + "⏎"
			}
		}
		t.Run(at.name+"_over_HTTP1", func(t *testing.T) {
			judge(t, at.host == "app.example" && at.path == "/", h.claimOver1(t, at.host, at.path, cookies))
		})
		t.Run(at.name+"_over_HTTP2", func(t *testing.T) {
			judge(t, at.host == "app.example" && at.path == "/", browser.claimOver2(t, url))
		})
	}
}

// claimOver1 sends the fields exactly as they are spelled: each alone, all at once, named
// as ones of the connection, and behind the body. It returns what the server saw.
func (h *gatedHouse) claimOver1(t *testing.T, host, path, cookies string) (seen []string) {
	t.Helper()
	head := " " + path + " HTTP/1.1⏎Host: " + host + "⏎" + cookies
	all := ""
	for _, name := range claimed {
		all += name + ": root⏎"
		seen = append(seen, h.saw(t, host, "GET"+head+name+": root⏎⏎"))
	}
	names := strings.Join(claimed, ", ")
	return append(seen,
		h.saw(t, host, "GET"+head+all+"⏎"),
		h.saw(t, host, "GET"+head+all+"Connection: "+names+"⏎⏎"),
		h.saw(t, host, "POST"+head+"Origin: https://"+host+"⏎Transfer-Encoding: chunked⏎Trailer: "+
			names+"⏎⏎1⏎x⏎0⏎"+all+"⏎"))
}

// saw is what the server saw of a request, empty where it saw none of it.
func (h *gatedHouse) saw(t *testing.T, host, request string) string {
	t.Helper()
	m := h.DialTLS(t, host).Send(request).Answer()
	switch {
	case m.Status == http.StatusOK:
		return string(m.Body)
	case m.Status != http.StatusBadRequest:
		t.Errorf("answer %d to %q", m.Status, request)
	}
	return ""
}

// claimOver2 does the same over HTTP/2.
func (b *browser) claimOver2(t *testing.T, url string) (seen []string) {
	t.Helper()
	ask := func(method string, names, trailers []string) {
		r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			r.Header[name] = []string{"root"}
		}
		if trailers != nil {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("x")), -1
			r.Trailer = http.Header{}
			for _, name := range trailers {
				r.Trailer[name] = []string{"root"}
			}
		}
		a, err := b.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		body, err := io.ReadAll(a.Body)
		if err != nil || a.StatusCode != http.StatusOK || a.ProtoMajor != 2 {
			t.Errorf("%d over %s, %v", a.StatusCode, a.Proto, err)
		}
		seen = append(seen, string(body))
	}
	for _, name := range claimed {
		ask(http.MethodGet, []string{name}, nil)
	}
	ask(http.MethodGet, claimed, nil)
	ask(http.MethodPut, nil, claimed)
	return seen
}

// judge fails the test if a server was told what a client says, or not what is known.
func judge(t *testing.T, known bool, seen []string) {
	t.Helper()
	told := 0
	for _, text := range seen {
		if strings.Contains(text, "root") {
			t.Errorf("the server sees\n%s", text)
		}
		if strings.Contains(text, "X-Authentik-Username: alice\r\n") {
			told++
		}
	}
	if want := map[bool]int{true: len(seen)}[known]; told < want-1 {
		t.Errorf("the server was told of alice %d times, of %d", told, want)
	}
}
