package config

func (v *validator) tls() {
	t := &v.cfg.TLS
	p := v.root.key("tls")
	for i, name := range t.Certificates {
		if name == "" {
			v.errorf(p.key("certificates").item(i), "", "the name of the file is empty")
		}
	}
	for i, pattern := range t.Internal {
		v.hostPattern(pattern, p.key("internal").item(i), false)
	}
	if len(v.cfg.Listen.HTTPS) > 0 && len(t.Certificates)+len(t.Internal) == 0 &&
		t.ACME == nil && !p.key("acme").given {
		v.missingf(p, "or set [tls.acme], tls.internal, or listen.https = []",
			"needs certificates for the https listeners")
	}
}

func (v *validator) limits() {
	l := &v.cfg.Limits
	p := v.root.key("limits")
	if l.TargetBytes > l.HeadBytes && !v.failed[p.key("head_bytes").path] {
		v.errorf(p.key("target_bytes"), "", "%v is more than the whole head may have, %v", l.TargetBytes, l.HeadBytes)
	}
}
