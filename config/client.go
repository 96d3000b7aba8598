package config

// ClientCertificate says what a route wants of the certificates of its clients.
type ClientCertificate struct {
	// Whoever shows no valid certificate gets 403: "require". One may be shown, and
	// who shows an invalid one gets 403: "request". Nobody is asked: "off".
	Mode string `toml:"mode" default:"require" enum:"require,request,off"`
	// PEM file with the CAs that sign the certificates of clients.
	CAFile string `toml:"ca_file" is:"path"`
	// The request fields that tell the server about the certificate.
	Headers ClientCertificateHeaders `toml:"headers"`
}

// ClientCertificateHeaders are the names of request fields. An empty one is not sent.
type ClientCertificateHeaders struct {
	// SUCCESS, or NONE without a certificate.
	Verified string `toml:"verified" default:"X-Client-Cert-Verified"`
	// The subject, as RFC 2253 writes it: "CN=anna,O=Example".
	Subject string `toml:"subject" default:"X-Client-Cert-Subject"`
	// Who signed it, written alike.
	Issuer string `toml:"issuer" default:"X-Client-Cert-Issuer"`
	// The serial number in hex.
	Serial string `toml:"serial" default:"X-Client-Cert-Serial"`
	// SHA-256 of the whole certificate in hex.
	Fingerprint string `toml:"fingerprint" default:"X-Client-Cert-Fingerprint"`
	// When it ends: "2027-01-31T12:00:00Z".
	NotAfter string `toml:"not_after" default:"X-Client-Cert-Not-After"`
}

// Named returns the names that are not empty, by their keys.
func (h *ClientCertificateHeaders) Named() map[string]string {
	names := map[string]string{
		"verified": h.Verified, "subject": h.Subject, "issuer": h.Issuer,
		"serial": h.Serial, "fingerprint": h.Fingerprint, "not_after": h.NotAfter,
	}
	for key, name := range names {
		if name == "" {
			delete(names, key)
		}
	}
	return names
}

// Asks reports whether clients are asked for certificates; nil asks nobody.
func (c *ClientCertificate) Asks() bool { return c != nil && c.Mode != "off" }
