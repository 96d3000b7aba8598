package config_test

import (
	"strings"
	"testing"

	"doorward/config"
)

// asking returns a file with a route that has these keys of client_certificate.
func asking(keys string) string {
	return head + "[[route]]\nredirect = \"/\"\nclient_certificate = { " + keys + " }\n"
}

func TestClientCertificates(t *testing.T) {
	cfg, dir := mustLoad(t, asking(`ca_file = "ca.pem", headers.subject = "X-Who", headers.issuer = ""`)+
		"[[route]]\nhosts = [\"a\"]\nredirect = \"/\"\n"+
		"[route.client_certificate]\nmode = \"request\"\nca_file = \"/ca.pem\"\n"+
		"[[route]]\nhosts = [\"b\"]\nredirect = \"/\"\n"+
		"[route.client_certificate]\nmode = \"off\"\n"+
		"[[route]]\nhosts = [\"c\"]\nredirect = \"/\"\n")
	for i, want := range []struct {
		mode, file string
		asks       bool
	}{
		// A table that does not say more demands certificates: one that was meant to
		// protect must not be without effect.
		{"require", dir + "/ca.pem", true}, {"request", "/ca.pem", true}, {"off", "", false},
	} {
		c := cfg.Routes[i].ClientCertificate
		if c.Mode != want.mode || c.CAFile != want.file || c.Asks() != want.asks {
			t.Errorf("route %d: %+v, want %+v", i, c, want)
		}
	}
	if c := cfg.Routes[3].ClientCertificate; c != nil || c.Asks() {
		t.Errorf("route 3: %+v, want none", c)
	}
	got := cfg.Routes[0].ClientCertificate.Headers
	want := config.ClientCertificateHeaders{
		Verified: "X-Client-Cert-Verified", Subject: "X-Who", Serial: "X-Client-Cert-Serial",
		Fingerprint: "X-Client-Cert-Fingerprint", NotAfter: "X-Client-Cert-Not-After",
	}
	if got != want {
		t.Errorf("headers %+v, want %+v", got, want)
	}
	if named := got.Named(); len(named) != 5 || named["subject"] != "X-Who" {
		t.Errorf("named %v", named)
	}
}

func TestMistakesInClientCertificates(t *testing.T) {
	const at = "a.toml:5:22: route[0].client_certificate"
	named := func(key, name string) string {
		return asking(`ca_file = "c", headers = { ` + key + ` = "` + name + `" }`)
	}
	for text, want := range map[string]string{
		asking(`mode = "require"`):                      at + ": needs ca_file",
		asking(`mode = "request"`):                      at + ": needs ca_file",
		asking(``):                                      at + ": needs ca_file",
		asking(`ca_file = ""`):                          ".ca_file: the name of the file is empty",
		asking(`cafile = "c"`):                          `.cafile: is not a known key (did you mean "ca_file"?)`,
		asking(`mode = "optional"`):                     `.mode: "optional" is not one of "require", "request", "off"`,
		asking(`mode = "requires"`):                     `(did you mean "require"?)`,
		asking(`ca_file = ["a"]`):                       ".ca_file: must be a string",
		named("verified", "a b"):                        ".headers.verified: this is not the name",
		named("subject", "TE"):                          ".headers.subject: this field frames",
		named("serial", "Cookie"):                       ".headers.serial: this field has a meaning",
		named("serial", "Sec-Fetch"):                    ".headers.serial: this field has a meaning",
		named("issuer", "X-Request-Id"):                 ".headers.issuer: this field has a meaning",
		named("issuer", "x-client-cert-subject"):        ".headers.subject: issuer has this name already",
		"listen.https = []\n" + asking(`ca_file = "c"`): "nothing listens for it (set listen.https)",
		asking(`ca_file = "c"`) + "headers.request.set = { x-client-cert-serial = \"1\" }\n": ".headers.serial: headers.request sets this field as well",
		asking(`ca_file = "c"`) + "[headers.request.add]\nX-Client-Cert-Subject = \"x\"\n":   ".headers.subject: headers.request sets this field as well",
	} {
		_, found := load(t, text)
		if errs := found.Errors(); len(errs) != 1 || !strings.Contains(errs.String(), want) {
			t.Errorf("%s\n got %v\nwant %s", text, found, want)
		}
	}
}

func TestClientCertificatesOverPlainHTTP(t *testing.T) {
	const plain = "listen.http_redirect = false\n"
	for text, want := range map[string]string{
		asking(`ca_file = "c"`):                                "",
		plain + asking(`ca_file = "c"`):                        "gets 403",
		plain + asking(`ca_file = "c", mode = "request"`):      "",
		plain + "listen.http = []\n" + asking(`ca_file = "c"`): "",
	} {
		_, found := load(t, text)
		if err := found.Err(); err != nil || !strings.Contains(found.String(), want) ||
			(want == "") != (len(found) == 0) {
			t.Errorf("%s\n got %v, want %q", text, found, want)
		}
	}
}
