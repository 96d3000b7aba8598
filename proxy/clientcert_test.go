package proxy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"math/big"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"doorward/proxy"
)

func attribute(oid asn1.ObjectIdentifier, value any) []pkix.AttributeTypeAndValue {
	return []pkix.AttributeTypeAndValue{{Type: oid, Value: value}}
}

func TestDistinguishedName(t *testing.T) {
	cn, o := asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.ObjectIdentifier{2, 5, 4, 10}
	raw := func(tag int, value string) asn1.RawValue { return asn1.RawValue{Tag: tag, Bytes: []byte(value)} }
	for name, c := range map[string]struct {
		parts [][]pkix.AttributeTypeAndValue
		want  string
	}{
		"nothing": {nil, ""},
		// RFC 4514, section 4.
		"the last part first": {[][]pkix.AttributeTypeAndValue{
			attribute(asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}, "net"),
			attribute(o, "a"), attribute(cn, "b"),
		}, "CN=b,O=a,DC=net"},
		"two in one part": {[][]pkix.AttributeTypeAndValue{
			append(attribute(cn, "a"), attribute(o, "b")...),
		}, "CN=a+O=b"},
		"signs":      {[][]pkix.AttributeTypeAndValue{attribute(cn, `James "Jim" Smith, III`)}, `CN=James \"Jim\" Smith\, III`},
		"more signs": {[][]pkix.AttributeTypeAndValue{attribute(cn, `a+b<c>d;e\f=g`)}, `CN=a\+b\<c\>d\;e\\f=g`},
		"edges":      {[][]pkix.AttributeTypeAndValue{attribute(cn, "  a # ")}, `CN=\  a #\ `},
		"one space":  {[][]pkix.AttributeTypeAndValue{attribute(cn, " ")}, `CN=\ `},
		"number":     {[][]pkix.AttributeTypeAndValue{attribute(cn, "#1")}, `CN=\#1`},
		"empty":      {[][]pkix.AttributeTypeAndValue{attribute(cn, "")}, "CN="},
		"controls": {[][]pkix.AttributeTypeAndValue{attribute(cn, "a\r\nX: y\x00\x7f")},
			`CN=a\0D\0AX: y\00\7F`},
		"beyond ASCII": {[][]pkix.AttributeTypeAndValue{attribute(cn, "Lučić")}, `CN=Lu\C4\8Di\C4\87`},
		"UTF-16":       {[][]pkix.AttributeTypeAndValue{attribute(cn, raw(30, "\x01\x0d\x00a"))}, `CN=\C4\8Da`},
		"bytes":        {[][]pkix.AttributeTypeAndValue{attribute(cn, []byte{1, 2})}, "CN=#04020102"},
		"another type": {[][]pkix.AttributeTypeAndValue{
			attribute(asn1.ObjectIdentifier{1, 2, 3}, "x")}, "1.2.3=#130178"},
		"mail": {[][]pkix.AttributeTypeAndValue{
			attribute(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, "a@b")}, "emailAddress=a@b"},
	} {
		var seq pkix.RDNSequence
		for _, part := range c.parts {
			seq = append(seq, part)
		}
		der, err := asn1.Marshal(seq)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := proxy.DistinguishedName(der); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if got := proxy.DistinguishedName([]byte{0x30, 1}); got != "#3001" {
		t.Errorf("what is no name is written %s", got)
	}
}

// FuzzDistinguishedName: whatever a certificate holds, it is one value of one field.
func FuzzDistinguishedName(f *testing.F) {
	for _, cn := range []string{"anna", "a\r\nb", "\x00", " x ", "ä,b"} {
		der, err := asn1.Marshal(pkix.Name{CommonName: cn}.ToRDNSequence())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
	}
	printable := regexp.MustCompile(`\A[ -~]*\z`)
	f.Fuzz(func(t *testing.T, der []byte) {
		if got := proxy.DistinguishedName(der); !printable.MatchString(got) {
			t.Fatalf("%x becomes %q", der, got)
		}
	})
}

// verdict is an authority whose mind is made up. It counts how often it is asked.
type verdict struct {
	id    string
	until time.Time
	err   error
	mu    *sync.Mutex
	asked *int
}

func newVerdict(id string, until time.Time, err error) verdict {
	return verdict{id, until, err, new(sync.Mutex), new(int)}
}

func (v verdict) ID() string { return v.id }

func (v verdict) Verify([]*x509.Certificate, time.Time) (time.Time, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	*v.asked++
	return v.until, v.err
}

// policies asks for "a" on a.example and for nothing elsewhere.
func policies() *proxy.Snapshot {
	return &proxy.Snapshot{ClientPolicy: func(host []byte) string {
		if string(host) == "a.example" {
			return "a"
		}
		return ""
	}}
}

// shown is a handshake in which a client showed a certificate with this subject.
func shown(t *testing.T, subject pkix.Name) *tls.ConnectionState {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0xc0ffee), Subject: subject,
		NotAfter: time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.ConnectionState{ServerName: "a.example", PeerCertificates: []*x509.Certificate{c}}
}

func TestClientCert_asked(t *testing.T) {
	for name, want := range map[string]string{
		"a.example": "a", "A.Example": "a", "a.example.": "a", "b.example": "", "": "", ".": "",
	} {
		c := proxy.NewClientCert(policies(), &tls.ConnectionState{ServerName: name})
		if got := c.Asked(); got != want {
			t.Errorf("%q was asked for %q, want %q", name, got, want)
		}
	}
	for name, c := range map[string]proxy.ClientCert{
		"before the first start": proxy.NewClientCert(nil, &tls.ConnectionState{}),
		"where nobody asks":      proxy.NewClientCert(&proxy.Snapshot{}, &tls.ConnectionState{}),
	} {
		_, err := c.Judge(newVerdict("a", time.Now(), nil), time.Now())
		if c.Asked() != "" || err == nil {
			t.Errorf("%s: asked %q, judged %v", name, c.Asked(), err)
		}
	}
}

func TestClientCert_judge(t *testing.T) {
	now := time.Now()
	state := shown(t, pkix.Name{CommonName: "anna", Organization: []string{"Example"}})
	c := proxy.NewClientCert(policies(), state)
	good, bad := newVerdict("good", now.Add(time.Minute), nil), newVerdict("bad", now, errors.New("no"))
	sum := sha256.Sum256(state.PeerCertificates[0].Raw)
	want := [5]string{"CN=anna,O=Example", "CN=anna,O=Example", "C0FFEE",
		hex.EncodeToString(sum[:]), "2027-01-31T12:00:00Z"}
	var all sync.WaitGroup
	for range 10 { // streams of one connection
		all.Go(func() {
			if got, err := c.Judge(good, now); got != want || err != nil {
				t.Errorf("good: %q, %v", got, err)
			}
			if _, err := c.Judge(bad, now); err != bad.err {
				t.Errorf("bad: %v", err)
			}
		})
	}
	all.Wait()
	if *good.asked != 1 || *bad.asked != 1 {
		t.Errorf("the authorities were asked %d and %d times, want once", *good.asked, *bad.asked)
	}
	if _, err := c.Judge(good, now.Add(2*time.Minute)); err == nil {
		t.Error("a certificate is good for longer than it is valid")
	}
}

func TestSecurityClientCert(t *testing.T) {
	t.Run("HOST-19_long_names", func(t *testing.T) {
		now := time.Now()
		for length, good := range map[int]bool{4000: true, 4200: false, 30000: false} {
			state := shown(t, pkix.Name{CommonName: strings.Repeat("n", length)})
			c := proxy.NewClientCert(policies(), state)
			_, err := c.Judge(newVerdict("good", now.Add(time.Minute), nil), now)
			if (err == nil) != good {
				t.Errorf("%d letters: %v", length, err)
			}
		}
	})
}
