package backend_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"doorward/proxy/backend"
)

func TestSecurityServerCertificate(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	good := ca.leaf(t, time.Hour, "web.test", "127.0.0.1")
	for _, c := range []struct {
		name string
		cert tls.Certificate
		tls  backend.TLSOptions
		want string
	}{
		{"BE-01_valid", good, backend.TLSOptions{}, ""},
		{"BE-01_unknown_CA", other.leaf(t, time.Hour, "127.0.0.1"), backend.TLSOptions{},
			"tls.ca_file"},
		{"BE-01_expired", ca.leaf(t, -time.Minute, "127.0.0.1"), backend.TLSOptions{}, "expired"},
		{"BE-01_self_signed", selfSigned(t), backend.TLSOptions{}, "tls.ca_file"},
		{"BE-01_wrong_name", ca.leaf(t, time.Hour, "127.0.0.2"), backend.TLSOptions{},
			"tls.server_name"},
		{"BE-02_IP_needs_IP_SAN", ca.leaf(t, time.Hour, "web.test"), backend.TLSOptions{},
			"tls.server_name"},
		{"BE-02_server_name_is_verified", good, backend.TLSOptions{ServerName: "web.test"}, ""},
		{"BE-02_other_server_name", good, backend.TLSOptions{ServerName: "evil.test"},
			"tls.server_name"},
		{"BE-01_pin_in_addition", good, backend.TLSOptions{Pins: pin(good.Leaf)}, ""},
		{"BE-01_pinned_CA_in_addition", good, backend.TLSOptions{Pins: pin(ca.cert)}, ""},
		{"BE-01_other_pin", good, backend.TLSOptions{Pins: pin(other.cert)}, "pin_sha256"},
		{"BE-01_pin_does_not_save_wrong_name", good,
			backend.TLSOptions{Pins: pin(good.Leaf), ServerName: "evil.test"}, "tls.server_name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.tls.Verify, c.tls.CAFile = true, ca.file(t)
			checkHandshake(t, secure(t, c.cert), c.tls, c.want)
		})
	}
}

// checkHandshake connects and compares the outcome: none, or an error of TLS
// that has want in it. Nothing else may be said of the backend.
func checkHandshake(t *testing.T, p *peer, o backend.TLSOptions, want string) {
	t.Helper()
	s := started(t, httpsAt(p, o)).Servers()[0]
	c, err := s.Connect(false)
	if want == "" {
		if err == nil {
			err = exchange(c)
			_ = c.Close()
		}
		if err != nil {
			t.Error(err)
		}
		return
	}
	if err == nil {
		_ = c.Close()
		t.Fatalf("connected, want an error about %s", want)
	}
	e := connectError(t, err)
	if e.Reason != backend.TLS || !strings.Contains(e.Error(), want) ||
		!strings.Contains(e.Error(), "server s1 ("+p.Addr().String()+"): TLS handshake: ") {
		t.Errorf("reason %s, error %v: want one about %q", e.Reason, e, want)
	}
	if s.Counters().Failures != 1 || s.Counters().Connections != 0 {
		t.Errorf("counters %+v, want one failure", s.Counters())
	}
	if !within(5*time.Second, func() bool { return p.open.Load() == 0 }) {
		t.Error("the connection is still open")
	}
}

func selfSigned(t testing.TB) tls.Certificate {
	a := newAuthority(t)
	return tls.Certificate{Certificate: [][]byte{a.cert.Raw}, PrivateKey: a.key, Leaf: a.cert}
}

func TestPinsWithoutVerification(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	good := ca.leaf(t, time.Hour, "web.test")
	forged := other.leaf(t, time.Hour, "web.test")
	// Anybody can send along a certificate of a CA that did not sign for him.
	forged.Certificate = append(forged.Certificate, ca.cert.Raw)
	for _, c := range []struct {
		name string
		cert tls.Certificate
		pins backend.TLSOptions
		want string
	}{
		{"nothing is checked", good, backend.TLSOptions{}, ""},
		{"pinned leaf", good, backend.TLSOptions{Pins: pin(good.Leaf)}, ""},
		{"pinned CA that signed", good, backend.TLSOptions{Pins: pin(ca.cert)}, ""},
		{"pinned CA that did not sign", forged, backend.TLSOptions{Pins: pin(ca.cert)},
			"unknown authority"},
		{"other pin", good, backend.TLSOptions{Pins: pin(other.cert)}, "pin_sha256"},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkHandshake(t, secure(t, c.cert), c.pins, c.want)
		})
	}
}

func TestUnverifiedServersAreReportedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		tls  backend.TLSOptions
		want int
	}{
		"verified":   {backend.TLSOptions{Verify: true}, 0},
		"pinned":     {backend.TLSOptions{Pins: make([][32]byte, 1)}, 0},
		"unverified": {backend.TLSOptions{}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			core, logged := observer.New(zap.WarnLevel)
			o := at("https://192.0.2.1", "https://192.0.2.2")
			o.TLS, o.Log = &c.tls, zap.New(core)
			reloaded(t, started(t, o), o)
			if logged.Len() != c.want {
				t.Errorf("%d warnings, want %d", logged.Len(), c.want)
			}
		})
	}
}

func TestVerificationErrorsCanBeToldApart(t *testing.T) {
	ca := newAuthority(t)
	o := backend.TLSOptions{Verify: true, CAFile: ca.file(t)}
	connecting := func(cert tls.Certificate) error {
		_, err := started(t, httpsAt(secure(t, cert), o)).Servers()[0].Connect(false)
		return err
	}
	var unknown x509.UnknownAuthorityError
	if err := connecting(selfSigned(t)); !errors.As(err, &unknown) {
		t.Errorf("%v is not an UnknownAuthorityError", err)
	}
	var name x509.HostnameError
	if err := connecting(ca.leaf(t, time.Hour, "web.test")); !errors.As(err, &name) {
		t.Errorf("%v is not a HostnameError", err)
	}
	var invalid x509.CertificateInvalidError
	if err := connecting(ca.leaf(t, -time.Minute, "127.0.0.1")); !errors.As(err, &invalid) {
		t.Errorf("%v is not a CertificateInvalidError", err)
	}
}

func TestServerNameIsSentAsSNI(t *testing.T) {
	ca := newAuthority(t)
	asked := make(chan *tls.ClientHelloInfo, 1)
	p := secure(t, ca.leaf(t, time.Hour, "web.test", "127.0.0.1"), func(c *tls.Config) {
		c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			asked <- h
			return nil, nil
		}
	})
	for _, name := range []string{"web.test", ""} {
		o := backend.TLSOptions{Verify: true, CAFile: ca.file(t), ServerName: name}
		c := connect(t, started(t, httpsAt(p, o)).Servers()[0], false)
		if h := <-asked; h.ServerName != name || len(h.SupportedProtos) != 1 ||
			h.SupportedProtos[0] != "http/1.1" {
			t.Errorf("asked for %q and %q, want %q and http/1.1",
				h.ServerName, h.SupportedProtos, name)
		}
		_ = c.Close()
	}
}

func TestTLSVersions(t *testing.T) {
	ca := newAuthority(t)
	cert := ca.leaf(t, time.Hour, "127.0.0.1")
	for _, c := range []struct {
		server, min uint16
		want        string
	}{
		{tls.VersionTLS11, tls.VersionTLS10, "protocol version"},
		{tls.VersionTLS12, 0, ""},
		{tls.VersionTLS12, tls.VersionTLS13, "protocol version"},
		{tls.VersionTLS13, tls.VersionTLS13, ""},
	} {
		t.Run(tls.VersionName(c.server)+" against "+tls.VersionName(c.min), func(t *testing.T) {
			p := secure(t, cert, func(s *tls.Config) {
				s.MinVersion, s.MaxVersion = tls.VersionTLS10, c.server
			})
			o := backend.TLSOptions{Verify: true, CAFile: ca.file(t), MinVersion: c.min}
			checkHandshake(t, p, o, c.want)
		})
	}
}

func TestClientCertificate(t *testing.T) {
	ca := newAuthority(t)
	mine := ca.leaf(t, time.Hour, "edge.test")
	certFile, keyFile, both := keyPair(t, mine)
	seen := make(chan []*x509.Certificate, 1)
	p := secure(t, ca.leaf(t, time.Hour, "127.0.0.1"), func(c *tls.Config) {
		c.ClientAuth = tls.RequireAnyClientCert
		c.VerifyConnection = func(s tls.ConnectionState) error {
			seen <- s.PeerCertificates
			return nil
		}
	})
	for name, o := range map[string]backend.TLSOptions{
		"two files": {Certificate: certFile, Key: keyFile},
		"one file":  {Certificate: both},
	} {
		t.Run(name, func(t *testing.T) {
			_ = connect(t, started(t, httpsAt(p, o)).Servers()[0], false).Close()
			if got := <-seen; !got[0].Equal(mine.Leaf) {
				t.Error("another certificate was shown")
			}
		})
	}
	o := httpsAt(p, backend.TLSOptions{Certificate: certFile})
	wantError(t, o, certFile)
}

func TestSocketNeedsServerName(t *testing.T) {
	o := at("unix+https:///run/app.sock")
	wantError(t, o, "tls.server_name")
	o.TLS = &backend.TLSOptions{Verify: true, ServerName: "app.test"}
	if _, err := backend.New(o, nil); err != nil {
		t.Error(err)
	}
}

func TestSecurityNewCA(t *testing.T) {
	old, next := newAuthority(t), newAuthority(t)
	file := old.file(t)
	p := secure(t, old.leaf(t, time.Hour, "127.0.0.1"))
	options := httpsAt(p, backend.TLSOptions{Verify: true, CAFile: file})

	b := started(t, options)
	s := b.Servers()[0]
	s.Keep(connect(t, s, false))
	resumed := connect(t, s, true)
	if !resumed.TLS().ConnectionState().DidResume {
		t.Fatal("sessions are not resumed, so this test proves nothing")
	}
	s.Keep(resumed)

	t.Run("BE-04_old_pool_closed_and_no_resumption", func(t *testing.T) {
		next.write(t, file)
		after := reloaded(t, b, options)
		if !within(5*time.Second, func() bool { return p.open.Load() == 0 }) {
			t.Errorf("%d connections verified by the old CA are open", p.open.Load())
		}
		_, err := after.Servers()[0].Connect(false)
		var unknown x509.UnknownAuthorityError
		if !errors.As(err, &unknown) {
			t.Errorf("error %v, want an unknown authority", err)
		}
	})
	t.Run("BE-04_same_CA_again_starts_afresh", func(t *testing.T) {
		old.write(t, file)
		after := reloaded(t, b, httpsAt(p, backend.TLSOptions{
			Verify: true, CAFile: file, Pins: pin(old.cert),
		}))
		c := connect(t, after.Servers()[0], false)
		if c.TLS().ConnectionState().DidResume {
			t.Error("a session was resumed that other rules had verified")
		}
		_ = c.Close()
	})
}
