package test_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"doorward/internal/edgetest"
)

func TestClientCertificates(t *testing.T) {
	ours, other := newClientCA(t, "ours"), newClientCA(t, "other")
	edge := certificateEdge(t, ours, other)
	anna := ours.issue(t, nil)
	usage := func(u ...x509.ExtKeyUsage) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtKeyUsage = u }
	}
	for name, c := range map[string]struct {
		cert *tls.Certificate
		url  string
		want int
		says string // of the certificate, "" when the server hears nothing
		why  string // in the log
	}{
		"good":          {anna, "machines.example/", 200, "SUCCESS", ""},
		"none":          {nil, "machines.example/", 403, "", "client shows no certificate"},
		"of another CA": {other.issue(t, nil), "machines.example/", 403, "", "not signed by a CA of the route"},
		"expired": {ours.issue(t, func(c *x509.Certificate) {
			c.NotAfter = time.Now().Add(-time.Minute)
		}), "machines.example/", 403, "", "client certificate expired"},
		"early": {ours.issue(t, func(c *x509.Certificate) {
			c.NotBefore = time.Now().Add(time.Minute)
		}), "machines.example/", 403, "", "client certificate not valid yet"},
		"of a server": {ours.issue(t, usage(x509.ExtKeyUsageServerAuth)), "machines.example/", 403, "",
			"not for client authentication"},
		"for all purposes": {ours.issue(t, usage()), "machines.example/", 200, "SUCCESS", ""},
		"with much to say": {ours.issue(t, func(c *x509.Certificate) {
			c.Subject.CommonName = strings.Repeat("n", 4<<10)
		}), "machines.example/", 403, "", "names in the client certificate too long"},
		"requested":              {anna, "maybe.example/", 200, "SUCCESS", ""},
		"requested, none":        {nil, "maybe.example/", 200, "NONE", ""},
		"requested, bad":         {other.issue(t, nil), "maybe.example/", 403, "", "not signed by a CA"},
		"off":                    {anna, "off.example/", 200, "", ""},
		"another host":           {anna, "app.example/", 200, "", ""},
		"open path, none":        {nil, "open.example/", 200, "", ""},
		"open path":              {anna, "open.example/", 200, "", ""},
		"closed path, none":      {nil, "open.example/closed/x", 403, "", "shows no certificate"},
		"closed path":            {anna, "open.example/closed/x", 200, "SUCCESS", ""},
		"HOST-20 ours on ours":   {anna, "both.example/ours", 200, "SUCCESS", ""},
		"HOST-20 ours on other":  {anna, "both.example/", 403, "", "not signed by a CA of the route"},
		"HOST-20 other on other": {other.issue(t, nil), "both.example/", 200, "SUCCESS", ""},
		"HOST-20 other on ours":  {other.issue(t, nil), "both.example/ours", 403, "", "not signed by"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, version := range httpVersions() {
				host, _, _ := strings.Cut(c.url, "/")
				client := guest{version: version, sni: host, cert: c.cert}.client(t, edge)
				for range 2 { // on one connection, as long as it may stay
					before := len(edge.Log())
					status, body := pageOf(t, client, "https://"+c.url)
					said := strings.Trim(heard(body)["Verified"], `["]`)
					if status != c.want || status == 200 && said != c.says {
						t.Errorf("%s: %d %q, want %d %q", version, status, body, c.want, c.says)
					}
					if c.why != "" && !edgetest.Until(func() bool {
						return strings.Contains(edge.Log()[before:], c.why)
					}) {
						t.Errorf("%s: no %q in the log: %s", version, c.why, edge.Log()[before:])
					}
				}
			}
		})
	}
}

// TestWhoIsAskedForCertificates: a handshake asks when a request for its host can
// come to a route that does.
func TestWhoIsAskedForCertificates(t *testing.T) {
	ours := newClientCA(t, "ours")
	rec := edgetest.Record(t, edgetest.Echo)
	text := rec.Backend("app") + "[stats]\nhost = \"stats.example\"\n"
	open := map[string]string{
		"whole": "", "path": `paths = ["/x"]`, "method": `methods = ["GET"]`,
		"field": `headers = { X-A = "*" }`, "query": `query = { a = "b" }`,
		"network":  `networks = ["10.0.0.0/8"]`,
		"changing": "headers = { request = { remove = [\"X-A\"] } }\naccess = { networks = [] }",
	}
	for name, keys := range open {
		text += fmt.Sprintf("[[route]]\nhosts = [\"%s.example\"]\nbackend = \"app\"\n%s\n", name, keys)
	}
	text += asks(t, "*.wild.example", "off", ours) +
		"[[route]]\nbackend = \"app\"\n[route.client_certificate]\nca_file = \"" + ours.file(t) + "\"\n"
	edge := edgetest.Start(t, edgetest.Config{Text: text})
	for host, want := range map[string]bool{
		"whole": false, "path": true, "method": true, "field": true, "query": true, "network": true,
		"changing": false, "stats": false, "unknown": true,
	} {
		asked := false
		cfg := guest{sni: host + ".example"}.config(edge)
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = true
			return &tls.Certificate{}, nil
		}
		edge.DialWith(t, cfg).Close()
		if asked != want {
			t.Errorf("%s.example: asked %v, want %v", host, asked, want)
		}
	}
}

func TestClientCertificatesTellTheServer(t *testing.T) {
	ours := newClientCA(t, "Ours")
	edge := certificateEdge(t, ours, newClientCA(t, "other"))
	cert := ours.issue(t, func(c *x509.Certificate) {
		c.Subject = pkix.Name{
			CommonName: "Änne\r\nX-Client-Cert-Verified: x", Country: []string{"DE"},
			Organization: []string{`a,b+c"d\e<f>;g`}, OrganizationalUnit: []string{"#1 "},
		}
	})
	sum := sha256.Sum256(cert.Certificate[0])
	want := map[string]string{
		"Verified": "SUCCESS",
		"Subject": `CN=\C3\84nne\0D\0AX-Client-Cert-Verified: x,OU=\#1\ ,` +
			`O=a\,b\+c\"d\\e\<f\>\;g,C=DE`,
		"Issuer": "CN=Ours,O=Test", "Serial": "BEEF", "Fingerprint": hex.EncodeToString(sum[:]),
		"Not-After": cert.Leaf.NotAfter.UTC().Format(time.RFC3339),
	}
	for _, version := range httpVersions() {
		client := guest{version: version, sni: "machines.example", cert: cert}.client(t, edge)
		_, body := pageOf(t, client, "https://machines.example/")
		got := heard(body)
		for name, value := range want {
			if got[name] != fmt.Sprintf("%q", []string{value}) {
				t.Errorf("%s: %s is %s, want %q", version, name, got[name], value)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: the server got %q", version, got)
		}
	}
}

// TestClientCertificatesOverPlainHTTP: nobody shows a certificate there, whatever
// else says so.
func TestClientCertificatesOverPlainHTTP(t *testing.T) {
	ours := newClientCA(t, "ours")
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{
		Listen: `trusted_proxies = ["127.0.0.1"]`,
		Text: rec.Backend("app") + asks(t, "app.example", "require", ours) +
			asks(t, "maybe.example", "request", ours),
	})
	edgetest.Run(t, edge, rec, []edgetest.Case{
		{
			Name: "ID-20_required", Status: 403, Over: "plain", Closes: true,
			Send: each(withLine, "X-A: b", "X-Client-Cert-Verified: SUCCESS",
				"X-Forwarded-Proto: https", "X-SSL-Client-Verify: SUCCESS"),
		},
		{
			Name: "ID-20_requested", Status: 200, Reach: 1, Over: "plain", Never: []string{"spoofed"},
			Send: each(func(line string) string {
				return request("GET / HTTP/1.1", "Host: maybe.example", line)
			}, "X-Client-Cert-Verified: spoofed", "X-Client-Cert-Subject: spoofed"),
			Check: wantField("X-Client-Cert-Verified", "NONE"),
		},
	})
}

// TestClientCertificatesAfterReload: a connection that was made under another policy
// is of no use for a host whose policy has changed, and ends.
func TestClientCertificatesAfterReload(t *testing.T) {
	ours, other := newClientCA(t, "ours"), newClientCA(t, "other")
	server := httptest.NewServer(http.HandlerFunc(tells))
	t.Cleanup(server.Close)
	config := func(routes string) edgetest.Config {
		return edgetest.Config{Listen: "http3 = true", Text: routes +
			fmt.Sprintf("[backends.app]\nservers = [%q]\n", server.URL) +
			"[[route]]\nhosts = [\"app.example\", \"machines.example\"]\nbackend = \"app\"\n"}
	}
	nobody := config("")
	mine := config(asks(t, "machines.example", "require", ours))
	requested := config(asks(t, "machines.example", "request", ours))
	theirs := config(asks(t, "machines.example", "require", other))
	edge := edgetest.Start(t, nobody)
	for name, c := range map[string]struct {
		before, after edgetest.Config
		want          int
	}{
		"nobody was asked":       {nobody, mine, 421},
		"another CA":             {mine, theirs, 421},
		"nobody is asked":        {mine, nobody, 200},
		"the same":               {mine, mine, 200},
		"only the mode":          {requested, mine, 200},
		"nobody, and still none": {nobody, nobody, 200},
	} {
		t.Run(name, func(t *testing.T) {
			for _, version := range httpVersions() {
				if err := edge.Reload(c.before); err != nil {
					t.Fatal(err)
				}
				anna := guest{version: version, sni: "machines.example", cert: ours.issue(t, nil)}
				client := anna.client(t, edge)
				if status, body := pageOf(t, client, "https://machines.example/"); status != 200 {
					t.Fatalf("%s: %d %s", version, status, body)
				}
				if err := edge.Reload(c.after); err != nil {
					t.Fatal(err)
				}
				if status, body := pageOf(t, client, "https://machines.example/"); status != c.want {
					t.Errorf("%s: %d %s, want %d", version, status, body, c.want)
				}
				if c.want != 421 {
					continue
				}
				again := 200 // on another connection, where ours is good
				if name == "another CA" {
					again = 403
				}
				if !edgetest.Until(func() bool {
					status, _ := pageOf(t, client, "https://machines.example/")
					return status == again
				}) {
					t.Errorf("%s: the connection did not end", version)
				}
			}
		})
	}
}
