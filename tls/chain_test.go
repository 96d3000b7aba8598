package tls_test

import (
	"strings"
	"testing"

	doortls "doorward/tls"
)

// What is sent behind a certificate is who signed it, whoever else bears the name
// of its issuer.
func TestLoad_sends_the_issuers_that_signed(t *testing.T) {
	authority := func(issuer *signed) *signed {
		return issue(t, wish{common: "middle", authority: true, issuer: issuer})
	}
	root := issue(t, wish{common: "root", authority: true})
	middle, renewed := authority(root), authority(root)
	plain := issue(t, wish{common: "middle", issuer: root}) // no authority, no key identifier
	cases := []struct {
		name         string
		issuer       *signed
		beside, sent []*signed
	}{
		{"renewed with a new key", middle, []*signed{renewed, root, middle}, []*signed{middle, root}},
		{"only the renewed one there", middle, []*signed{renewed}, nil},
		{"no authority", plain, []*signed{plain}, nil},
		{"no authority, and the right one of its name", middle, []*signed{plain, middle},
			[]*signed{middle}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			leaf := issue(t, wish{names: []string{"a.example"}, issuer: c.issuer})
			text := leaf.keyPEM(t) + leaf.certPEM()
			for _, other := range c.beside {
				text += other.certPEM()
			}
			dir := files{"a.pem": text}.in(t, t.TempDir())
			m, warnings, err := doortls.Load(doortls.Options{Certificates: []string{dir}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if unused := len(c.sent) < len(c.beside); unused != (len(warnings) == 1 &&
				strings.Contains(warnings[0].String(), "are not sent")) {
				t.Errorf("Load warns of %v", warnings)
			}
			sent := handshake(t, m, asking("a.example")).client.PeerCertificates[1:]
			if len(sent) != len(c.sent) {
				t.Fatalf("%d issuers sent, want %d", len(sent), len(c.sent))
			}
			for i := range sent {
				if !sent[i].Equal(c.sent[i].cert) {
					t.Errorf("issuer %d is %s, %x", i, sent[i].Subject, sent[i].SubjectKeyId)
				}
			}
		})
	}
}
