package test_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"doorward/app"
	"doorward/internal/browsertest"
	"doorward/internal/edgetest"
	"doorward/internal/pebbletest"
	"doorward/internal/porttest"
)

// ordering is an edge whose certificates come from a certificate authority of the test.
type ordering struct {
	*edgetest.Edge
	ca         *pebbletest.Pebble
	plain, tls int // ports
	folder     string
	rec        *edgetest.Recorder
}

// newOrdering starts an authority, and what an edge in front of it needs; not the edge.
func newOrdering(t *testing.T, o pebbletest.Options) *ordering {
	t.Helper()
	e := &ordering{
		rec: edgetest.Record(t, edgetest.Echo), plain: porttest.Free(t), tls: porttest.Free(t),
		folder: t.TempDir(),
	}
	o.HTTPPort, o.TLSPort = e.plain, e.tls
	e.ca = pebbletest.Start(t, o)
	return e
}

// config orders certificates for hosts, each with a route.
func (e *ordering) config(acme string, hosts ...string) edgetest.Config {
	text := fmt.Sprintf("[state]\nurl = %q\n[tls.acme]\ndirectory = %q\nca_file = %q\n%s\n",
		"file:"+e.folder, e.ca.Directory, e.ca.CAFile, acme)
	for _, h := range hosts {
		text += fmt.Sprintf("[[route]]\nname = %[1]q\nhosts = [%[1]q]\nbackend = \"app\"\n", h)
	}
	return edgetest.Config{
		Listen: fmt.Sprintf("http = [\"127.0.0.1:%d\"]\nhttps = [\"127.0.0.1:%d\"]\n"+
			"http_redirect = true\ncontrol = %q", e.plain, e.tls, filepath.Join(e.folder, "control")),
		Text: text + e.rec.Backend("app"),
	}
}

func (e *ordering) start(t *testing.T, acme string, hosts ...string) {
	t.Helper()
	e.Edge = edgetest.Start(t, e.config(acme, hosts...))
	e.HTTP = net.JoinHostPort("127.0.0.1", strconv.Itoa(e.plain))
	e.HTTPS = net.JoinHostPort("127.0.0.1", strconv.Itoa(e.tls))
}

// shows is the certificate that clients of a host get now.
func (e *ordering) shows(t *testing.T, host string) *x509.Certificate {
	t.Helper()
	c, err := tls.Dial("tcp", e.HTTPS, &tls.Config{ServerName: host, InsecureSkipVerify: true})
	if err != nil {
		t.Fatalf("%s: %v", host, err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0]
}

// issued waits until a host shows a certificate of the authority, and returns it.
func (e *ordering) issued(t *testing.T, host string) *x509.Certificate {
	t.Helper()
	var leaf *x509.Certificate
	if !edgetest.Until(func() bool {
		leaf = e.shows(t, host)
		return strings.Contains(leaf.Issuer.CommonName, "Pebble")
	}) {
		t.Fatalf("%s shows one of %s\n%s", host, leaf.Issuer, e.Log())
	}
	return leaf
}

// row is how the instance says that it stands with a host.
func (e *ordering) row(t *testing.T, host string) app.CertificateStatus {
	t.Helper()
	list, err := e.control().Certificates(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list.Certificates {
		if c.Source == "acme" && c.Names[0] == host {
			return c
		}
	}
	t.Fatalf("%s is not among %+v", host, list.Certificates)
	return app.CertificateStatus{}
}

func (e *ordering) control() app.Client {
	return app.Client{Socket: filepath.Join(e.folder, "control")}
}

// TestCertificates sees certificates come by themselves over each challenge, from the
// configuration's keys to the handshake.
func TestCertificates(t *testing.T) {
	for challenge, host := range map[string]string{
		"http-01": "http.test", "tls-alpn-01": "alpn.test",
	} {
		t.Run(challenge, func(t *testing.T) {
			e := newOrdering(t, pebbletest.Options{})
			e.start(t, fmt.Sprintf("challenges = [%q]", challenge), host)
			leaf := e.issued(t, host)
			if _, err := leaf.Verify(x509.VerifyOptions{
				DNSName: host, Roots: e.ca.Roots(t), Intermediates: intermediates(t, e.ca),
			}); err != nil {
				t.Error(err)
			}
			if r := e.row(t, host); r.State != "ready" || r.Error != "" || r.NotAfter == nil {
				t.Errorf("%+v", r)
			}
			if log := e.Log(); !strings.Contains(log, "temporary certificate") {
				t.Errorf("nothing said about the time before:\n%s", log)
			}
			f := e.DialFrames(t, &tls.Config{ServerName: host, RootCAs: e.ca.Roots(t)})
			f.Start()
			if r := f.Ask(1, edgetest.Get(host, "/")...); r.Status != "200" {
				t.Errorf("over HTTP/2: %+v", r)
			}
		})
	}
}

func intermediates(t *testing.T, ca *pebbletest.Pebble) *x509.CertPool {
	t.Helper()
	c, _ := ca.Intermediate(t)
	pool := x509.NewCertPool()
	pool.AddCert(c)
	return pool
}

// TestCertificatesOverReloads adds hosts and takes them away, and starts again: what is
// there is not ordered a second time.
func TestCertificatesOverReloads(t *testing.T) {
	e := newOrdering(t, pebbletest.Options{})
	e.start(t, "", "one.test")
	first := e.issued(t, "one.test")
	if err := e.Reload(e.config("", "one.test", "two.test")); err != nil {
		t.Fatal(err)
	}
	second := e.issued(t, "two.test")
	if got := e.shows(t, "one.test"); !got.Equal(first) {
		t.Error("the first host has another certificate after a reload")
	}
	renewed, err := e.control().RenewCertificate(context.Background(), "two.test")
	if err != nil || renewed.State != "ready" {
		t.Fatalf("%+v, %v", renewed, err)
	}
	if got := e.shows(t, "two.test"); got.Equal(second) {
		t.Error("the second host has its old certificate after a renewal")
	}
	if _, err := e.control().RenewCertificate(context.Background(), "three.test"); err == nil ||
		!strings.Contains(err.Error(), "not among the names") {
		t.Errorf("a name of nobody: %v", err)
	}
	e.Stop()
	e.ca.Stop() // nobody is asked at the next start
	e.start(t, "", "one.test")
	if got := e.shows(t, "one.test"); !got.Equal(first) {
		t.Errorf("after a start the host shows one of %s", got.Issuer)
	}
}

// TestAuthorityThatIsDown serves all the same, tells why there is no certificate, and
// gets one when the authority is back.
func TestAuthorityThatIsDown(t *testing.T) {
	e := newOrdering(t, pebbletest.Options{})
	e.ca.Stop()
	e.start(t, "", "one.test")
	if got := e.shows(t, "one.test"); strings.Contains(got.Issuer.CommonName, "Pebble") ||
		time.Until(got.NotAfter) > 8*24*time.Hour {
		t.Errorf("the temporary certificate is one of %s until %v", got.Issuer, got.NotAfter)
	}
	if m := e.DialWith(t, &tls.Config{
		ServerName: "one.test", InsecureSkipVerify: true, NextProtos: []string{"http/1.1"},
	}).Send(request("GET / HTTP/1.1", "Host: one.test")).Answer(); m.Status != 200 {
		t.Errorf("meanwhile: %+v", m)
	}
	if !edgetest.Until(func() bool { return e.row(t, "one.test").Error != "" }) {
		t.Fatalf("no reason: %+v", e.row(t, "one.test"))
	}
	if r := e.row(t, "one.test"); r.State != "failing" || r.NextTry == nil ||
		time.Until(*r.NextTry) < 30*time.Second {
		t.Errorf("%+v", r)
	}
	e.ca = e.ca.Again(t)
	if r, err := e.control().RenewCertificate(context.Background(), "one.test"); err != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	old := e.issued(t, "one.test")
	e.ca.Stop()
	if _, err := e.control().RenewCertificate(context.Background(), "one.test"); err == nil {
		t.Error("renewed by an authority that is down")
	}
	if got := e.shows(t, "one.test"); !got.Equal(old) {
		t.Error("the old certificate is not shown any more")
	}
	if r := e.row(t, "one.test"); r.State != "failing" || r.NotAfter == nil {
		t.Errorf("%+v", r)
	}
}

// TestSecurityACME has cases of group ACME on a whole edge.
func TestSecurityACME(t *testing.T) {
	e := newOrdering(t, pebbletest.Options{})
	e.start(t, "[timeouts]\nrequest_head = \"500ms\"", "one.test")
	e.issued(t, "one.test")
	t.Run("ACME-01_names_that_nobody_configured", func(t *testing.T) {
		began, orders := time.Now(), strings.Count(e.ca.Log(), "/order-plz")
		const names = 1000
		for i := range names {
			c, err := tls.Dial("tcp", e.HTTPS, &tls.Config{
				ServerName: fmt.Sprintf("host%d.one.test", i), InsecureSkipVerify: true,
			})
			if err == nil {
				c.Close()
				t.Fatalf("host %d has a certificate", i)
			}
		}
		t.Logf("%v for a refused handshake", time.Since(began)/names)
		if now := strings.Count(e.ca.Log(), "/order-plz"); now != orders {
			t.Errorf("%d orders, %d before", now, orders)
		}
	})
	t.Run("ACME-03_tokens_that_are_none", func(t *testing.T) {
		for _, target := range []string{
			"/.well-known/acme-challenge/", "/.well-known/acme-challenge/unknown",
			"/.well-known/acme-challenge/../../etc/passwd",
			"/.well-known/acme-challenge/%2e%2e%2fetc%2fpasswd",
			`/.well-known/acme-challenge/..\..\etc`, "/.well-known/acme-challenge//x",
			"/.well-known/acme-challenge/<script>", "/.well-known/acme-challenge/" +
				strings.Repeat("a", 7000),
		} {
			m := e.Dial(t).Send(request("GET "+target+" HTTP/1.1", "Host: one.test")).Answer()
			if m.Status != 404 && m.Status != 400 && m.Status != 301 || strings.Contains(m.Body, "root:") ||
				strings.Contains(m.Body, "<script>") {
				t.Errorf("%.80s: %+v", target, m)
			}
		}
	})
	t.Run("ACME-06_a_challenge_handshake_and_then_silence", func(t *testing.T) {
		for range 50 {
			c, err := tls.Dial("tcp", e.HTTPS, &tls.Config{
				ServerName: "one.test", InsecureSkipVerify: true, NextProtos: []string{"acme-tls/1"},
			})
			if err == nil { // with a challenge pending
				_ = c.SetReadDeadline(time.Now().Add(edgetest.Patience))
				if _, err = c.Read(make([]byte, 1)); err == nil {
					t.Error("bytes behind a challenge handshake")
				}
				c.Close()
			}
		}
	})
	t.Run("ACME-07_a_slow_question", func(t *testing.T) {
		c := e.Dial(t).Send("GET /.well-known/acme-challenge/x HTTP/1.1⏎Host: one.test⏎")
		if m := c.Answer(); m.Status != 408 || c.End() != edgetest.Closed {
			t.Errorf("%+v", m)
		}
	})
	t.Run("ACME-08_a_foreign_name_that_leads_here", func(t *testing.T) {
		if m := e.Dial(t).Send(request("GET / HTTP/1.1", "Host: foreign.test")).Answer(); m.Status != 421 {
			t.Errorf("%+v", m)
		}
	})
}

// TestBrowserOverHTTP2 loads a page in a real browser over HTTP/2, with a certificate
// that was issued.
func TestBrowserOverHTTP2(t *testing.T) {
	browser := browsertest.Start(t)
	e := newOrdering(t, pebbletest.Options{})
	c := e.config("", "one.test")
	c.Text = strings.Replace(c.Text, `backend = "app"`,
		`respond = { status = 200, body = "<!doctype html><title>t</title><p id=p>here" }`+
			"\nheaders.response.set = { Content-Type = \"text/html\" }", 1)
	e.Edge = edgetest.Start(t, c)
	e.HTTPS = net.JoinHostPort("127.0.0.1", strconv.Itoa(e.tls))
	e.issued(t, "one.test")
	tab := browser.Open(t)
	tab.Do(chromedp.Navigate(fmt.Sprintf("https://one.test:%d/", e.tls)))
	tab.Until(`document.getElementById("p")?.textContent === "here"`)
	protocol := browsertest.Value[string](tab,
		`performance.getEntriesByType("navigation")[0].nextHopProtocol`)
	if protocol != "h2" {
		t.Errorf("the page came over %q", protocol)
	}
}
