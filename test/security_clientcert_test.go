package test_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"doorward/app"
	"doorward/internal/edgetest"
)

// TestSecurityClientCertificates has the cases about connections that were made for
// one host and are used for another.
func TestSecurityClientCertificates(t *testing.T) {
	ours, other := newClientCA(t, "ours"), newClientCA(t, "other")
	edge := certificateEdge(t, ours, other)
	anna := ours.issue(t, nil)
	for _, c := range []struct {
		name, sni, host string
		cert            *tls.Certificate
		want            int
	}{
		{"HOST-02_open_to_closed", "app.example", "machines.example", anna, 421},
		{"HOST-02_closed_to_open", "machines.example", "app.example", anna, 421},
		{"HOST-02_off_to_closed", "off.example", "machines.example", anna, 421},
		{"HOST-02_one_CA_to_another", "machines.example", "other.example", anna, 421},
		{"HOST-02_one_CA_to_two", "machines.example", "both.example", anna, 421},
		{"HOST-02_the_same_CA", "machines.example", "more.example", anna, 200},
		{"HOST-02_requested_and_required", "maybe.example", "machines.example", anna, 200},
		{"HOST-02_requested_and_required_none", "maybe.example", "machines.example", nil, 403},
		{"HOST-02_open_to_open", "app.example", "text.example", nil, 200},
		{"HOST-02_open_to_off", "app.example", "off.example", nil, 200},
		{"HOST-02_unknown_name", "nope.example", "machines.example", anna, 421},
		{"H2-39_coalescing", "app.example", "machines.example", nil, 421},
		{"HOST-10_no_name", "", "machines.example", anna, 421},
		{"HOST-10_no_name_open", "", "app.example", nil, 200},
		{"HOST-10_address", "192.0.2.1", "machines.example", anna, 421},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, version := range httpVersions() {
				cfg := guest{version: version, sni: c.sni, cert: c.cert}.config(edge)
				cfg.InsecureSkipVerify = true // who names nobody is shown anything
				status := statusOver(t, edge, version, cfg, c.host)
				if status != c.want {
					t.Errorf("%s: status %d, want %d", version, status, c.want)
				}
			}
		})
	}
}

// statusOver asks for / of a host over a connection of its own.
func statusOver(t *testing.T, e *edgetest.Edge, version string, cfg *tls.Config, host string) int {
	t.Helper()
	switch version {
	case "HTTP/1.1":
		cfg.NextProtos = []string{"http/1.1"}
		return e.DialWith(t, cfg).Send(withHost(host)).Answer().Status
	case "HTTP/2.0":
		f := e.DialFrames(t, cfg)
		defer f.Close()
		f.Start()
		var status int
		_, err := fmt.Sscan(f.Ask(1, edgetest.Get(host, "/")...).Status, &status)
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	ctx, cancel := context.WithTimeout(t.Context(), edgetest.Patience)
	defer cancel()
	cfg.NextProtos = []string{"h3"}
	conn, err := quic.DialAddr(ctx, e.HTTPS, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseWithError(0, "")
	q, err := http.NewRequestWithContext(ctx, "GET", "https://"+host+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http3.Transport{}).NewClientConn(conn).RoundTrip(q)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// anySession offers the session of one host to every other.
type anySession struct{ state *tls.ClientSessionState }

func (s *anySession) Get(string) (*tls.ClientSessionState, bool)  { return s.state, s.state != nil }
func (s *anySession) Put(_ string, state *tls.ClientSessionState) { s.state = state }

// TestSecuritySessionsOfClientCertificates is HOST-08: what a session says of its
// client is worth nothing for another host.
func TestSecuritySessionsOfClientCertificates(t *testing.T) {
	ours, other := newClientCA(t, "ours"), newClientCA(t, "other")
	edge := certificateEdge(t, ours, other)
	anna := ours.issue(t, nil)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, c := range []struct {
			name, from, to string
			before, now    *tls.Certificate
			resumed        bool
			want           int
		}{
			{"the_same", "machines.example", "machines.example", anna, nil, true, 200},
			{"without_to_with", "app.example", "machines.example", nil, nil, false, 403},
			{"with_to_another_CA", "machines.example", "other.example", anna, nil, false, 403},
			{"with_to_the_same_CA", "machines.example", "more.example", anna, nil, false, 403},
			{"none_to_good", "machines.example", "machines.example", nil, anna, false, 200},
			{"bad_to_good", "machines.example", "machines.example", other.issue(t, nil), anna, false, 200},
			{"expired_since", "machines.example", "machines.example", ours.issue(t,
				func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }),
				anna, false, 200},
		} {
			t.Run("HOST-08_"+c.name+"_"+strings.ReplaceAll(tls.VersionName(version), " ", "_"),
				func(t *testing.T) {
					cache := &anySession{}
					g := guest{sni: c.from, cert: c.before, cache: cache}
					ask := func(g guest) (bool, int) {
						cfg := g.config(edge)
						cfg.NextProtos, cfg.MaxVersion = []string{"http/1.1"}, version
						client := edge.DialWith(t, cfg)
						status := client.Send(withHost(g.sni)).Answer().Status
						return client.Conn().(*tls.Conn).ConnectionState().DidResume, status
					}
					ask(g)
					g.sni, g.cert = c.to, c.now
					if resumed, status := ask(g); resumed != c.resumed || status != c.want {
						t.Errorf("resumed %v, status %d, want %v, %d", resumed, status, c.resumed, c.want)
					}
				})
		}
	}
}

// TestSecurityClientCertificateFields: what tells of certificates comes from the
// edge alone, under every name that some route has for it.
func TestSecurityClientCertificateFields(t *testing.T) {
	ours := newClientCA(t, "ours")
	rec := edgetest.Record(t, edgetest.Echo)
	edge := edgetest.Start(t, edgetest.Config{Text: rec.Backend("app") + `
		[[route]]
		hosts = ["machines.example"]
		backend = "app"
		[route.client_certificate]
		ca_file = "` + ours.file(t) + `"
		headers = { subject = "Ssl-Client-S-Dn", verified = "SSL-Client-Verify", issuer = "" }
		[[route]]
		hosts = ["app.example"]
		backend = "app"
		[headers]
		underscores = "pass"
	`})
	usual := []string{
		"X-Client-Cert-Verified", "X-Client-Cert-Subject", "X-Client-Cert-Issuer",
		"X-Client-Cert-Serial", "X-Client-Cert-Fingerprint", "X-Client-Cert-Not-After",
		"X-Client-Cert", "X-Client-Certificate", "X_Client_Cert_Verified", "X.Client.Cert.Subject",
		"X-SSL-Client-Verify",
	}
	configured := []string{
		"Ssl-Client-S-Dn", "ssl-client-s-dn", "SSL-CLIENT-VERIFY", "Ssl_Client_S_Dn",
		"ssl.client.verify", "ssl!client_verify",
	}
	names := slices.Concat(usual, configured)
	spoof := func(name string) string { return withLine(name + ": spoofed") }
	trailer := func(name string) string {
		return chunked("1⏎x⏎0⏎"+name+": spoofed⏎⏎", "Trailer: "+name)
	}
	nominated := func(name string) string {
		return withLine(name + ": spoofed⏎Connection: " + name)
	}
	open := func(name string, input func(string) string, names ...string) edgetest.Case {
		return edgetest.Case{Name: name, Status: 200, Reach: 1, Never: []string{"spoofed"},
			Send: each(input, names...)}
	}
	t.Run("ID-20_fields_on_a_route_with_certificates", func(t *testing.T) { machinesHear(t, edge, rec, ours, names) })
	edgetest.Run(t, edge, rec, []edgetest.Case{
		open("ID-20_fields_on_a_route_without_certificates", spoof, names...),
		open("ID-20_trailers", trailer, names...),
		open("HOP-01_named_by_Connection", nominated, configured...),
		refused("HOP-01_usual_names_in_Connection", each(nominated, usual...)...),
	})
}

// machinesHear looks at what a server gets from a client with a certificate that
// spoofs names.
func machinesHear(
	t *testing.T, edge *edgetest.Edge, rec *edgetest.Recorder, ours *clientCA, names []string,
) {
	cfg := guest{sni: "machines.example", cert: ours.issue(t, nil)}.config(edge)
	cfg.NextProtos = []string{"http/1.1"}
	client := edge.DialWith(t, cfg)
	for _, name := range names {
		for _, more := range []string{"X-A: b", "Connection: SSL-Client-Verify, Ssl-Client-S-Dn"} {
			client.Send(request("GET / HTTP/1.1", "Host: machines.example", name+": spoofed", more))
			if m := client.Answer(); m.Status != 200 {
				t.Fatalf("ID-20 %s: status %d", name, m.Status)
			}
			requests, raw := rec.Take()
			got := fmt.Sprintf("%q %q %q", requests[0].Values("SSL-Client-Verify"),
				requests[0].Values("Ssl-Client-S-Dn"), requests[0].Values("X-Client-Cert-Serial"))
			if strings.Contains(raw, "spoofed") || got != `["SUCCESS"] ["CN=anna"] ["BEEF"]` {
				t.Errorf("ID-20 %s: the server got %s in %q", name, got, raw)
			}
			if strings.Contains(raw, "X-Client-Cert-Issuer") {
				t.Errorf("the server is told what it does not want: %q", raw)
			}
		}
	}
}

// TestSecurityClientCertificateFiles is HOST-11: a file that names no CA is never
// taken for leave to ask nobody, neither at start nor at reload.
func TestSecurityClientCertificateFiles(t *testing.T) {
	ours := newClientCA(t, "ours")
	file := ours.file(t)
	rec := edgetest.Record(t, edgetest.Echo)
	cfg := edgetest.Config{Text: rec.Backend("app") + "[[route]]\nhosts = [\"machines.example\"]\n" +
		"backend = \"app\"\nclient_certificate = { ca_file = \"" + file + "\" }\n"}
	edge := edgetest.Start(t, cfg)
	leaf := ours.issue(t, nil)
	for name, c := range map[string]struct {
		spoil func() error
		want  string
	}{
		"missing": {func() error { return os.Remove(file) }, "no such file"},
		"empty":   {func() error { return os.WriteFile(file, nil, 0o600) }, "no PEM in it"},
		"folder":  {func() error { return os.Mkdir(file, 0o700) }, "not a regular file"},
		"no CA": {func() error {
			block := &pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate[0]}
			return os.WriteFile(file, pem.EncodeToMemory(block), 0o600)
		}, "not the certificate of a CA"},
		"text": {func() error { return os.WriteFile(file, []byte("x"), 0o600) }, "no PEM in it"},
	} {
		t.Run("HOST-11_"+name, func(t *testing.T) {
			_ = os.Remove(file)
			if err := c.spoil(); err != nil && name != "missing" {
				t.Fatal(err)
			}
			wantFault(t, edge.Reload(cfg), c.want)
			wantFault(t, startAgain(edge), c.want)
			for cert, want := range map[*tls.Certificate]int{nil: 403, leaf: 200} {
				g := guest{version: "HTTP/1.1", sni: "machines.example", cert: cert}
				status, _ := pageOf(t, g.client(t, edge), "https://machines.example/")
				if status != want {
					t.Errorf("status %d, want %d: the old policy stays in force", status, want)
				}
			}
		})
	}
}

// startAgain is what a second instance says to the configuration.
func startAgain(e *edgetest.Edge) error {
	_, err := app.New(app.Options{
		Path: filepath.Join(e.Dir(), "doorward.toml"), Env: os.LookupEnv, Version: "test",
	})
	return err
}

func wantFault(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) ||
		!strings.Contains(err.Error(), "client_certificate.ca_file") {
		t.Errorf("error %v, want %q and the key", err, want)
	}
}
