package tls_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	doortls "doorward/tls"
)

// keeper has managed certificates, and remembers who was asked for.
type keeper struct {
	mu         sync.Mutex
	ready      map[string]*tls.Certificate
	challenges map[string]*tls.Certificate
	asked      []string
}

func (k *keeper) Certificate(name string) *tls.Certificate {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = append(k.asked, name)
	return k.ready[name]
}

func (k *keeper) Challenge(name string) *tls.Certificate { return k.challenges[name] }

// pair is a certificate as the keeper has it.
func pair(t testing.TB, names ...string) *tls.Certificate {
	t.Helper()
	s := named(t, names...)
	return &tls.Certificate{
		Certificate: [][]byte{s.cert.Raw}, PrivateKey: s.key, Leaf: s.cert,
	}
}

func TestManaged_order_of_sources(t *testing.T) {
	file := named(t, "file.example", "x.wild.example")
	k := &keeper{ready: map[string]*tls.Certificate{
		"file.example": pair(t, "file.example"), "ready.example": pair(t, "ready.example"),
		"x.wild.example": pair(t, "*.wild.example"), "y.wild.example": pair(t, "*.wild.example"),
		"a.inside.example": pair(t, "a.inside.example"),
	}}
	m := mustLoad(t, doortls.Options{
		Certificates: []string{combined(t, file)}, StrictSNI: true, Managed: k,
		ManagedNames: []string{"file.example", "Ready.example.", "ready.example", "late.example",
			"*.wild.example", "*.late.example", "a.inside.example"},
		Internal: []string{"*.inside.example"},
	}, nil)
	want := []string{"ready.example", "late.example", "*.wild.example", "*.late.example"}
	if got := m.ManagedNames(); !slices.Equal(got, want) {
		t.Errorf("managed %q, want %q", got, want)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(m.RootPEM())
	for host, c := range map[string]struct {
		names     string
		temporary bool
	}{
		"file.example":     {"[file.example x.wild.example]", false},
		"x.wild.example":   {"[file.example x.wild.example]", false},
		"y.wild.example":   {"[*.wild.example]", false},
		"READY.example":    {"[ready.example]", false},
		"late.example":     {"[late.example]", true},
		"any.late.example": {"[*.late.example]", true},
	} {
		leaf := handshake(t, m, asking(host)).leaf(t)
		if got := fmt.Sprint(leaf.DNSNames); got != c.names {
			t.Errorf("%s gets %s, want %s", host, got, c.names)
		}
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots})
		if (err == nil) != c.temporary {
			t.Errorf("%s: of the internal authority: %v", host, err == nil)
		}
		if life := time.Until(leaf.NotAfter); c.temporary && life > 7*24*time.Hour {
			t.Errorf("%s: temporary for %v", host, life)
		}
	}
	leaf := handshake(t, m, asking("a.inside.example")).leaf(t)
	if life := time.Until(leaf.NotAfter); life < 80*24*time.Hour {
		t.Errorf("an internal name gets a temporary certificate for %v", life)
	}
	wantAlert(t, handshake(t, m, asking("other.example")).clientErr, "unrecognized name")
	wantAlert(t, handshake(t, m, asking("x.y.late.example")).clientErr, "unrecognized name")
	for _, name := range []string{"other.example", "file.example"} {
		if slices.Contains(k.asked, name) {
			t.Errorf("the keeper was asked for %s", name)
		}
	}
}

func TestManaged_temporary_until_ready_and_over_a_reload(t *testing.T) {
	k := &keeper{ready: map[string]*tls.Certificate{}}
	o := doortls.Options{Managed: k, ManagedNames: []string{"a.example"}}
	first := mustLoad(t, o, nil)
	temporary := handshake(t, first, asking("a.example")).leaf(t)
	if got := first.Unready(); !slices.Equal(got, []string{"a.example"}) {
		t.Errorf("unready %q", got)
	}
	second := mustLoad(t, o, first)
	if got := handshake(t, second, asking("a.example")).leaf(t); !got.Equal(temporary) {
		t.Error("a reload made another temporary certificate")
	}
	// The first name is also for clients that name none.
	if got := handshake(t, second, asking("")).leaf(t); !got.Equal(temporary) {
		t.Errorf("without a name: %v", got.DNSNames)
	}
	k.mu.Lock()
	k.ready["a.example"] = pair(t, "a.example")
	k.mu.Unlock()
	if got := handshake(t, second, asking("a.example")).leaf(t); got.Equal(temporary) {
		t.Error("the temporary certificate stays")
	}
	if got := second.Unready(); got != nil {
		t.Errorf("unready %q", got)
	}
	list := second.Certificates()
	if len(list) != 2 || list[0].Source != "acme" || !list[1].Internal {
		t.Errorf("certificates %+v", list)
	}
	bare := mustLoad(t, doortls.Options{ManagedNames: []string{"a.example"}}, nil)
	if bare.RootPEM() != nil || bare.ManagedNames() != nil {
		t.Error("names without a keeper are managed")
	}
}

func TestManaged_refuses_names_that_are_none(t *testing.T) {
	_, _, err := doortls.Load(doortls.Options{
		Managed: &keeper{}, ManagedNames: []string{"good.example", "~^a", "*.*.example"},
	}, nil)
	if !errors.Is(err, doortls.ErrName) {
		t.Errorf("error %v, want %v", err, doortls.ErrName)
	}
}

func TestManaged_challenge(t *testing.T) {
	answer := pair(t, "a.example")
	k := &keeper{
		ready:      map[string]*tls.Certificate{"a.example": pair(t, "a.example")},
		challenges: map[string]*tls.Certificate{"a.example": answer},
	}
	m := mustLoad(t, doortls.Options{
		Managed: k, ManagedNames: []string{"a.example", "b.example"},
		MinVersion: tls.VersionTLS13, Tickets: true,
	}, nil)
	authority := func(name string, protocols ...string) *tls.Config {
		c := asking(name)
		c.NextProtos = protocols
		c.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		return c
	}
	got := handshake(t, m, authority("A.example", doortls.ChallengeProtocol))
	if !got.leaf(t).Equal(answer.Leaf) ||
		got.client.NegotiatedProtocol != doortls.ChallengeProtocol {
		t.Errorf("%v over %q", got.client.PeerCertificates, got.client.NegotiatedProtocol)
	}
	// An authority that speaks TLS 1.2 alone is one all the same (RFC 8737, 3).
	old := authority("a.example", doortls.ChallengeProtocol)
	old.MaxVersion = tls.VersionTLS12
	handshake(t, m, old).leaf(t)

	t.Run("ACME-05 none pending", func(t *testing.T) {
		for _, name := range []string{"b.example", "stranger.example", ""} {
			got := handshake(t, m, authority(name, doortls.ChallengeProtocol))
			wantAlert(t, got.clientErr, "unrecognized name")
		}
	})
	t.Run("ACME-06 others cannot choose the protocol", func(t *testing.T) {
		got := handshake(t, m, authority("a.example", doortls.ChallengeProtocol, "http/1.1"))
		if got.leaf(t).Equal(answer.Leaf) || got.client.NegotiatedProtocol != "http/1.1" {
			t.Errorf("protocol %q", got.client.NegotiatedProtocol)
		}
		bare := mustLoad(t, doortls.Options{
			Certificates: []string{combined(t, named(t, "a.example"))},
		}, nil)
		got = handshake(t, bare, authority("a.example", doortls.ChallengeProtocol))
		wantAlert(t, got.clientErr, "no application protocol")
	})
}
